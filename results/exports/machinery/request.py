"""What is asked of an export, and how one that cannot be is refused. It writes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from results.rundir import Run


class ExportError(ValueError):
    """An export that cannot be made: `could not export RUN: CAUSE; WHAT TO DO`."""


@dataclass(frozen=True)
class Request:
    """A run, the folder to write to (None: the format's own choice), the column of trials.csv that is meant where a format
    takes one (empty: the first that the run claims something of), and the URL of the data's licence (empty: not stated)."""

    run: Run
    out: Path | None = None
    metric: str = ""
    licence: str = ""

    def folder(self, name: str) -> Path:
        """The folder to write to, made: `export/NAME` of the run unless another is asked for."""
        found = self.out or self.run.path / "export" / name
        with self.explained(found):
            found.mkdir(parents=True, exist_ok=True)
        return found

    def column(self) -> str:
        """The column that is meant. Raises ExportError for one that the run has not."""
        claimed = [claim.metric for claim in self.run.manifest.claims]
        found = self.metric or next(iter([*claimed, "total_ms"]))
        if self.run.trials and found not in self.run.trials[0].values:
            raise self.error(f"trials.csv has no column {found}", f"give one of {', '.join(dict.fromkeys(claimed))}")
        return found

    def error(self, cause: str, what_to_do: str) -> ExportError:
        """An error about this export."""
        return ExportError(f"could not export {self.run.path}: {cause}; {what_to_do}")

    @contextmanager
    def explained(self, path: Path) -> Iterator[None]:
        """An OSError of the body becomes an ExportError."""
        try:
            yield
        except OSError as error:
            raise self.error(f"{path}: {error.strerror}", "give another folder with --out") from None
