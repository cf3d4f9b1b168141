"""A defect in the file of an experiment or of a topology, told in a sentence that names the line. It mends nothing.

What is raised elsewhere, and what is meant for the user already, passes unchanged: the first is a defect of longhaul.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from experiments.harness.status import FAILURES, DefectError


@contextmanager
def blamed(kind: type, attempt: str, *pass_on: type[Exception]) -> Iterator[None]:
    """An error of the body that the file of `kind` made becomes a DefectError; FAILURES and `pass_on` stay what they are."""
    try:
        yield
    except Exception as error:  # whatever a stranger's file may raise
        if isinstance(error, (*FAILURES, *pass_on)) or (told := _told(kind, attempt, error)) is None:
            raise
        raise told from error


def _told(kind: type, attempt: str, error: Exception) -> DefectError | None:
    file = getattr(sys.modules.get(kind.__module__), "__file__", None)
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, NotImplementedError) and frames:
        return DefectError(f"could not {attempt}: {kind.__name__} has no {frames[-1].name}(); give it one in {file}")
    own = [frame for frame in frames if frame.filename == file]
    if not own:
        return None
    return DefectError(f"could not {attempt}: {type(error).__name__}: {error}, at {file}, line {own[-1].lineno} "
                       f"({own[-1].name}); mend the file")  # fmt: skip
