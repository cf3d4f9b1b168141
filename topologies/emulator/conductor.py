"""Does things at their moments while something else goes on: a thread around a list of moments. It decides none of them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Generic, Protocol, TypeVar


class Timed(Protocol):
    """What is due `at_ms` after the beginning."""

    @property
    def at_ms(self) -> float: ...


Moment = TypeVar("Moment", bound=Timed)
"""`play(moment, due_ns)` does what is due at a time (CLOCK_MONOTONIC, ns) that may be to come."""


def conduct(
    score: Sequence[Moment], began_ns: int, early_ns: int, play: Callable[[Moment, int], None], now_ns: Callable[[], int],
    stopped: Callable[[float], bool],
) -> None:  # fmt: skip
    """Play each moment `early_ns` before it is due, so that it is made in time; return at the end of the score, or when
    `stopped(seconds to wait)` says so."""
    for moment in score:
        due_ns = began_ns + round(moment.at_ms * 1e6)
        while (left_ns := due_ns - early_ns - now_ns()) > 0:
            if stopped(left_ns / 1e9):
                return
        if stopped(0):
            return
        play(moment, due_ns)


class Conductor(Generic[Moment]):
    """`conduct` for the length of a `with`. `error` is what `play` raised, which ends the playing."""

    def __init__(
        self, score: Sequence[Moment], began_ns: int, early_ns: int, play: Callable[[Moment, int], None],
        now_ns: Callable[[], int],
    ) -> None:  # fmt: skip
        self.error: Exception | None = None
        self._score, self._began_ns, self._early_ns, self._play, self._now_ns = score, began_ns, early_ns, play, now_ns
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="conductor", daemon=True)

    def __enter__(self) -> None:
        if self._score:
            self._thread.start()

    def __exit__(self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None) -> None:
        self._over.set()
        if self._score:
            self._thread.join()

    def _run(self) -> None:
        try:
            conduct(self._score, self._began_ns, self._early_ns, self._play, self._now_ns, self._over.wait)
        except Exception as error:  # noqa: BLE001  # it is raised again where the playing was begun
            self.error = error
