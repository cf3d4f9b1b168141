"""Processes that end with this one, in whatever way it ends, `kill -9` included. It does not end their children."""

from __future__ import annotations

from collections.abc import Sequence


def bound(command: Sequence[str]) -> list[str]:
    """The command, so that the kernel kills it with whoever starts it (PR_SET_PDEATHSIG, by setpriv(1) of util-linux)."""
    return ["setpriv", "--pdeathsig", "KILL", *command]
