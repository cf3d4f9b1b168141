"""A run directory read and checked: manifest, links, trials. It writes nothing and judges nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from results import changes
from results import links as wires
from results import manifest as manifests
from results import trials as tables
from results.changes import Change
from results.links import Link
from results.manifest import Manifest
from results.trials import Trial


class RunError(Exception):
    """A run directory that cannot be read: `could not read RUN: CAUSE; WHAT TO DO`."""


@dataclass(frozen=True)
class Run:
    """One run, as its files say. `unchecked` has why handshakes were not held against their path, and of how many trials."""

    path: Path
    manifest: Manifest
    links: list[Link]
    trials: list[Trial]
    changes: list[Change]
    unchecked: Mapping[str, int]

    def sample(self, metric: str, where: Mapping[str, str]) -> list[float]:
        """The metric of every trial of the arm that counts. Raises RunError for a cell that is no number."""
        try:
            return tables.sample(self.trials, metric, where)
        except tables.TrialsError as error:
            raise self.error(str(error)) from error

    def differences(self, metric: str, where: Mapping[str, str], minus: Mapping[str, str]) -> list[float]:
        """The metric of one arm less that of another, in the repetitions in which both count. Raises RunError."""
        try:
            above, below = (tables.by_repetition(self.trials, metric, arm) for arm in (where, minus))
        except tables.TrialsError as error:
            raise self.error(str(error)) from error
        return [value - below[repetition] for repetition, value in above.items() if repetition in below]

    def arms(self) -> list[dict[str, str]]:
        """Every combination of levels that was tried or claimed, in the order of the levels."""
        tried = tables.arms(self.manifest.factors, self.manifest.levels, self.trials)
        for claim in self.manifest.claims:
            for where in filter(None, (claim.where, claim.over, claim.minus)):
                if set(where) == set(self.manifest.factors) and dict(where) not in tried:
                    tried.append(dict(where))
        return tried

    def levels(self, factor: str) -> list[str]:
        """The levels of a factor that were tried, in the order the manifest gives."""
        known = list(self.manifest.levels.get(factor, ()))
        tried = dict.fromkeys(trial.values[factor] for trial in self.trials)
        return [level for level in known if level in tried] + sorted(set(tried) - set(known))

    def error(self, cause: str) -> RunError:
        """An error about this run."""
        return _error(self.path, cause, "the run is damaged: make it again with `longhaul run`")


def load(path: Path) -> Run:
    """Read and check a run directory. Raises RunError, and nothing else, for whatever is wrong with it."""
    path = Path(path)
    if not path.is_dir():
        what = "it is not a directory" if path.exists() else "there is no such directory"
        raise _error(path, what, "give the directory that `longhaul run` printed, under results/runs/")
    try:
        checked = manifests.parse(_json(path, "manifest.json"))
    except manifests.ManifestError as error:
        raise _error(path, f"manifest.json: {error}", "read it with the version of longhaul that wrote it, or make the "
                     "run again") from error  # fmt: skip
    try:
        measured = _json(path, "links.json")
        links, changed, unchecked = wires.parse(measured), changes.parse(measured), changes.unchecked(measured)
    except wires.LinksError as error:
        raise _error(path, str(error), "the file is damaged: make the run again with `longhaul run`") from error
    try:
        rows = tables.parse(_text(path, "trials.csv"))
    except tables.TrialsError as error:
        raise _error(path, str(error), "the file is damaged: make the run again with `longhaul run`") from error
    run = Run(path, checked, links, rows, changed, unchecked)
    _check_columns(run)
    return run


def _check_columns(run: Run) -> None:
    manifest = run.manifest
    head = set(run.trials[0].values) if run.trials else None
    if head is None:
        return
    for name in manifest.factors:
        if name not in head:
            raise run.error(f"trials.csv lacks the column {name}, which the manifest names as a factor")
    used = [(claim.metric, where, f"claim '{claim.name}'") for claim in manifest.claims
            for where in (claim.where, claim.over or {}, claim.minus or {})]  # fmt: skip
    used += [(one.metric, one.where, f"the answer's {name}") for name, one in manifest.values.items() if not one.ratio]
    for metric, where, user in used:
        for column in (metric, *where):
            if column not in head:
                raise run.error(f"trials.csv lacks the column {column}, which {user} uses")


def _json(path: Path, name: str) -> Any:
    try:
        return json.loads(_text(path, name))
    except json.JSONDecodeError as error:
        raise _error(path, f"{name} is not whole JSON (line {error.lineno}: {error.msg})",
                     "the run was cut off while it was written: make it again") from error  # fmt: skip


def _text(path: Path, name: str) -> str:
    try:
        return (path / name).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise _error(path, f"it has no {name}", "give a directory that `longhaul run` printed; this one is no run, or "
                     "one that was cut off") from error  # fmt: skip
    except OSError as error:
        raise _error(path, f"{name}: {error.strerror}", "check its permissions and the disk") from error
    except UnicodeDecodeError as error:
        raise _error(path, f"{name} is not text (byte {error.start})", "it is damaged: make the run again") from error


def _error(path: Path, cause: str, what_to_do: str) -> RunError:
    return RunError(f"could not read {path}: {cause}; {what_to_do}")
