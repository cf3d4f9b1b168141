"""A pytest plugin: a test that takes `lab` runs inside a lab of its own. It judges no run and writes no run directory.

The whole test, its fixtures included, runs in a forked process inside the sandbox, and its reports come back through a pipe. So
fixtures of wider scope that it uses are made there anew, and what it leaves in memory is gone with the lab. Links that are not
as specified, or were late while the test ran, are an error of the test: what it asserted of time proves nothing then.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from _pytest.runner import runtestprotocol  # what pytest-forked calls, too; pytest has no public name for it

from experiments.harness import catalogue, lifeline
from experiments.harness.rundir import ROOT
from experiments.harness.runner import wrong_links
from experiments.harness.stage import Stage
from topologies.emulator import sandbox
from topologies.emulator.lab import Lab
from topologies.emulator.links.backend import UnsupportedError
from topologies.emulator.topology import Topology

MARK = "longhaul"
INTERRUPTED = 130


def pytest_configure(config: pytest.Config) -> None:
    """Make the mark known."""
    config.addinivalue_line("markers", f"{MARK}(topology, link='auto', **settings): what the fixture `lab` builds: a name of "
                            "`longhaul list` or a path to a file, and its settings as text; without it two_hosts")  # fmt: skip


@pytest.fixture
def lab(request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A running lab with verified links: `lab.node("client").cmd("ip route")`, `lab.address("server")`,
    `lab.change("client-server", "rate 10mbit")`."""
    world, link = _asked(request.node)
    try:
        running = Lab(world, link)
    except UnsupportedError as error:
        pytest.skip(str(error))
    with lifeline.tied_to(running.links.alive):
        if wrong := wrong_links(running.verify()["links"], ""):
            pytest.fail(f"could not trust the lab: {'; '.join(wrong)}; run `longhaul verify`", pytrace=False)
        running.begin()
        with running.watched("test") as late, running.live.scheduled() as tardy:
            yield running
    if late or tardy:
        pytest.fail(f"could not trust what was measured: {'; '.join([*late, *tardy])}; run it again", pytrace=False)


@pytest.fixture
def stage(lab: Lab, tmp_path: Path) -> Iterator[Stage]:
    """Daemons and measured fetches in the lab, as in experiments: `stage.origin("server")`, `stage.fetch("client", URL)`."""
    for name in ("logs", "scratch"):
        (tmp_path / name).mkdir()
    found = Stage(lab, tmp_path / "logs", tmp_path / "scratch")
    yield found
    if problems := found.stop():
        pytest.fail("; ".join(problems), pytrace=False)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
    """Run a test that uses `lab` in a sandbox; leave all others to pytest."""
    definitions = getattr(item, "_fixtureinfo", None)
    named = definitions.name2fixturedefs.get("lab") if definitions else None
    if not named or named[-1].func.__module__ != __name__:
        return None
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    for report in _sandboxed(item):
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _asked(item: Any) -> tuple[Topology, str]:
    """The topology of the test's mark, and what is to emulate its links. Raises UsageError and SettingError."""
    mark = item.get_closest_marker(MARK)
    settings = dict(mark.kwargs) if mark else {}
    link = str(settings.pop("link", "auto"))
    name = str(mark.args[0]) if mark and mark.args else "two_hosts"
    return catalogue.topology(name)(**{key: str(value) for key, value in settings.items()}), link


def _sandboxed(item: pytest.Item) -> list[Any]:
    """The reports of a test that ran in a sandbox. Raises KeyboardInterrupt when it was interrupted there."""
    hook, parent = item.config.hook, item.parent
    reading, writing = os.pipe()

    def work() -> int:
        # Up to its parent only: what is wider belongs to the process outside, which takes it down itself.
        reports = runtestprotocol(item, log=False, nextitem=parent)  # type: ignore[arg-type]
        found = [hook.pytest_report_to_serializable(config=item.config, report=report) for report in reports]
        with os.fdopen(writing, "w") as pipe:
            json.dump(found, pipe, default=str)
        return 0

    temporary = getattr(item.config, "_tmp_path_factory").getbasetemp()  # noqa: B009  # it is no part of Config's type
    try:
        status = sandbox.run(work, (ROOT, item.config.rootpath, temporary))
    except sandbox.SandboxError as error:
        os.close(writing)
        os.close(reading)
        return [_report(item, "setup", "skipped", (str(item.path), 0, f"Skipped: {error}"))]
    os.close(writing)
    with os.fdopen(reading) as pipe:
        text = pipe.read()
    if status == INTERRUPTED:
        raise KeyboardInterrupt
    if not text:
        return [_report(item, "call", "failed", f"the lab of this test ended with status {status} before the test did")]
    reports = [hook.pytest_report_from_serializable(config=item.config, data=data) for data in json.loads(text)]
    for report in reports:
        if report.skipped and isinstance(report.longrepr, list):  # JSON has no tuples, and pytest folds skips by theirs
            report.longrepr = tuple(report.longrepr)
    return reports


def _report(item: pytest.Item, when: Any, outcome: Any, words: Any) -> pytest.TestReport:
    return pytest.TestReport(item.nodeid, item.location, {}, outcome, words, when)
