"""A failure told to the user as `could not ATTEMPT: CAUSE; WHAT TO DO`.

It is for the person at the terminal, never for an HTTP client (that is `HttpError`).
"""

from __future__ import annotations

USAGE = 2


class Failure(Exception):
    """Ends a daemon with one line on stderr and an exit status: 1, or 2 for a configuration that cannot be."""

    def __init__(self, attempt: str, cause: str, remedy: str, status: int = 1) -> None:
        super().__init__(f"could not {attempt}: {cause}; {remedy}")
        self.status = status
