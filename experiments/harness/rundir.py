"""A run directory while it is being written. It is read by `results`, never here.

Nothing in it looks whole before it is: the manifest says `ended: null` until the last file stands, files that are
written at once are renamed into place, and rows of trials.csv are whole lines.
"""

from __future__ import annotations

import csv
import errno
import fcntl
import io
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
RUNS = ROOT / "results" / "runs"


class RunDirectoryError(Exception):
    """A run directory that cannot be made or written; the message says why and what to do."""


class OutError(RunDirectoryError):
    """A place that cannot become a run directory; nothing has been measured yet."""


class RunDirectory:
    """The files of one run. Every write that fails raises RunDirectoryError."""

    def __init__(self, path: Path, run_id: str) -> None:
        self.path, self.run_id = path, run_id
        self._header: list[str] = []
        self._held = -1

    @classmethod
    def create(cls, experiment: str, now: datetime, out: Path | None = None) -> RunDirectory:
        """Make `results/runs/EXPERIMENT/UTC-TIME-ID/`, or `out`, which must not exist yet or be empty."""
        run_id = f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        path = out or RUNS / experiment / run_id
        found = cls(path.resolve(), run_id)
        try:
            path.mkdir(parents=True, exist_ok=out is not None)
            if any(path.iterdir()):
                raise OutError(f"could not use {path} as a run directory: it is not empty; runs are never overwritten, so "
                               "give another --out")  # fmt: skip
            for name in ("captures", "logs", "figures", "scratch"):
                (path / name).mkdir()
        except OSError as error:
            raise OutError(f"could not make {path}: {error.strerror}; give another place with --out") from None
        with suppress(OSError):  # a file system without locks keeps nobody away, and takes the run all the same
            found.hold()
        return found

    @classmethod
    def reopen(cls, path: Path) -> RunDirectory:
        """One that was begun before, to go on with it: its rows are kept, a row that was cut off in the middle is not.

        Raises OutError when it is no run directory, or when a run that still goes on writes it.
        """
        found = cls(path.resolve(), "")
        try:
            found.hold()
            found.run_id = str(found.read_json("manifest.json")["run_id"])
            if (path / "trials.csv").exists():
                found._header, rows = whole_rows((path / "trials.csv").read_text("utf-8"))
                found.rewrite("trials.csv", [found._header, *rows] if found._header else [])
            if (path / "links.json").exists():
                number = next(n for n in range(1, 1000) if not (path / f"links.{n}.json").exists())
                shutil.copy(path / "links.json", path / f"links.{number}.json")
            for name in ("captures", "logs", "figures", "scratch"):
                (path / name).mkdir(exist_ok=True)
        except OSError as error:
            raise OutError(f"could not go on with {path}: {error.strerror}; give a run directory that you may write") from None
        except (ValueError, KeyError) as error:
            raise OutError(f"could not go on with {path}: its manifest.json or trials.csv is damaged ({error}); run it "
                           "again") from None  # fmt: skip
        return found

    def hold(self) -> None:
        """Keep others from writing it while this process and its children live. Raises OutError when another does."""
        self._held = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._held)
            raise OutError(f"could not go on with {self.path}: the run still goes on; wait for its end") from None

    def rows(self) -> list[dict[str, str]]:
        """The rows of trials.csv so far, as text."""
        path = self.path / "trials.csv"
        return list(csv.DictReader(io.StringIO(path.read_text("utf-8"), newline=""))) if path.exists() else []

    def rewrite(self, name: str, rows: Sequence[Sequence[str]]) -> None:
        """Replace a CSV file, whole or not at all; without rows it is removed."""
        with explained(self.path / name):
            if not rows:
                (self.path / name).unlink()
                return
            partial = self.path / f"{name}.partial"
            with partial.open("w", encoding="utf-8", newline="") as file:
                csv.writer(file, lineterminator="\n").writerows(rows)
            partial.replace(self.path / name)

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """Write one JSON file whole or not at all."""
        with explained(self.path / name):
            partial = self.path / f".{name}.partial"
            partial.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
            partial.replace(self.path / name)

    def read_json(self, name: str) -> dict[str, Any]:
        """What was written last."""
        found: dict[str, Any] = json.loads((self.path / name).read_text(encoding="utf-8"))
        return found

    def add_row(self, columns: Sequence[str], row: Mapping[str, Any]) -> None:
        """Append one row to trials.csv."""
        self.begin_table(columns)
        self._append(row)

    def begin_table(self, columns: Sequence[str]) -> None:
        """Write the header of trials.csv, unless it stands there already."""
        if not self._header:
            self._header = list(columns)
            self._append(dict(zip(columns, columns, strict=True)))

    def _append(self, row: Mapping[str, Any]) -> None:
        line = io.StringIO()
        csv.DictWriter(line, self._header, lineterminator="\n").writerow(row)
        path = self.path / "trials.csv"
        with explained(path), path.open("a", encoding="utf-8", newline="") as file:
            file.write(line.getvalue())

    def keep(self, files: Iterable[Path]) -> None:
        """Copies in `code/`, as they stand in the checkout, or by name: what is in no checkout could not be run again."""
        for file in files:
            copy = self.path / "code" / (file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name)
            with explained(copy):
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(file, copy)

    def drop_scratch(self) -> None:
        """Remove the caches that daemons had in it."""
        with explained(self.path / "scratch"):
            shutil.rmtree(self.path / "scratch")

    def give_to_caller(self) -> None:
        """Make it the property of the user who called through sudo, the folders above it included."""
        uid, gid = os.environ.get("SUDO_UID"), os.environ.get("SUDO_GID")
        if os.geteuid() != 0 or not uid or not gid or not self.path.exists():
            return
        above = [p for p in (self.path.parent, self.path.parent.parent) if p.is_relative_to(RUNS)]
        for path in [*above, self.path, *self.path.rglob("*")]:
            os.chown(path, int(uid), int(gid), follow_symlinks=False)


def whole_rows(text: str) -> tuple[list[str], list[list[str]]]:
    """Header and rows of a CSV text that may end in the middle of a row, which is left out."""
    rows = list(csv.reader(io.StringIO(text, newline="")))
    if rows and not text.endswith("\n"):
        rows.pop()
    header = rows[0] if rows else []
    return header, [row for row in rows[1:] if len(row) == len(header)]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """An OSError of the body becomes a RunDirectoryError that says what to do."""
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        what_to_do = "free space, or give another place with --out" if full else "give another place with --out"
        raise RunDirectoryError(f"could not write {path}: {error.strerror}; {what_to_do}") from None
