"""Load generators on nodes of a lab, started together, and what they recorded. It judges only the generators themselves."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, NamedTuple

from experiments.harness.daemon import Daemon, StageError
from nodes.load.summary import COLUMNS, first_errors, summary
from topologies.emulator.lab import Lab
from units import milliseconds

START_S = 0.1
"""From the word to begin until the first request may be due, so that every generator has heard it."""
LATE_MS, LATE_SHARE = 5.0, 0.05
"""A generator whose requests left later than this, and than this share of the median latency, in more than one case of a
hundred did not do what it was asked."""
GRACE_S = 30.0


class Load(NamedTuple):
    """What generators say together: `columns` for a row of trials.csv, and a row for each request, with its `client`."""

    columns: dict[str, Any]
    rows: list[dict[str, Any]]


class Generators:
    """One on each of some nodes, with what it asks for. `options` are those of `longhaul node load`; each has a seed of its
    own, from `seed` on."""

    def __init__(
        self, lab: Lab, urls: Mapping[str, str], options: Sequence[str], scratch: Path, logs: Path, seed: int
    ) -> None:  # fmt: skip
        scratch.mkdir(parents=True, exist_ok=True)
        self._files = [scratch / f"{node}.load.jsonl" for node in urls]
        self.daemons = [
            Daemon(lab, node, "nodes.load", ["--wait", "--name", node, "--log", str(file), "--seed",
                                           str(seed + number), "--url", url, *options], logs, instrument=True)
            for number, ((node, url), file) in enumerate(zip(urls.items(), self._files, strict=True))
        ]  # fmt: skip

    def run(
        self, within_s: float, trouble: Callable[[], str], meanwhile: Callable[[int], AbstractContextManager[None]]
    ) -> Load:  # fmt: skip
        """Begin together and wait for the end; `meanwhile` is entered for it, with the beginning (CLOCK_MONOTONIC, ns).
        Raises StageError."""
        for one in self.daemons:
            one.wait_ready()
        began_ns = time.monotonic_ns() + round(START_S * 1e9)
        with meanwhile(began_ns):
            for one in self.daemons:
                assert one.process.stdin is not None
                one.process.stdin.write(f"{began_ns}\n")
                one.process.stdin.flush()
            for one in self.daemons:
                said = one.read(within_s, "end its requests", trouble)
                if said.get("stopped"):
                    raise StageError(f"could not load from {one.node}: somebody stopped the generator")
        for one in self.daemons:
            one.process.wait(GRACE_S)
        rows = []
        for one, file in zip(self.daemons, self._files, strict=True):
            with file.open(encoding="utf-8") as lines:
                rows += [{"client": one.node, **json.loads(line)} for line in lines]
        rows.sort(key=lambda row: row["due_ms"])
        return Load(judged(rows), rows)

    def stop(self) -> None:
        """End what still runs."""
        for one in self.daemons:
            if one.process.poll() is None:
                one.process.kill()
                one.process.wait(GRACE_S)


def judged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The columns of a row of trials.csv. Failed requests are a result; a generator that was late itself, or that had
    nothing to send, is `unexpected`."""
    found = {"ok": True, "error": "", **summary(rows), "errors": first_errors(rows)}
    if not rows:
        found["unexpected"] = "no request was due: nothing was loaded"
        return found
    allowed_ms = max(LATE_MS, LATE_SHARE * (found["p50_ms"] or 0.0))
    if len({row["due_ms"] for row in rows}) > 1 and found["late_p99_ms"] > allowed_ms:
        found["unexpected"] = (f"the load generator was {found['late_p99_ms']:.3g} ms late with 1 % of its requests, where "
                               f"{allowed_ms:.3g} ms are allowed: the machine was too busy")  # fmt: skip
    return found


def longest_s(options: Sequence[str]) -> float:
    """After how long a generator with these options has ended for certain."""
    given = [options[options.index(name) + 1] if name in options else "10s" for name in ("--time", "--timeout")]
    return sum(map(milliseconds, given)) / 1e3 + GRACE_S


__all__ = ["COLUMNS", "Generators", "Load", "judged", "longest_s"]
