"""Work that ends with the links: when their backend dies, whatever the body is waiting for is given up at once.

It watches nothing else; daemons are `stage.py`'s. The main thread may be in any call (a fetch, a prompt, another's `wait`), so
it is interrupted as Ctrl-C would do it, by a signal whose handler raises.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from topologies.emulator.links.backend import BackendError

LOOK_EVERY_S = 0.1


@contextmanager
def tied_to(alive: Callable[[], str]) -> Iterator[None]:
    """While the body runs in the main thread, `alive()` saying something else than nothing raises BackendError in it; also at
    its end, so that nothing is taken for done that went on without links."""
    over = threading.Event()
    main = threading.get_ident()

    def look() -> None:
        while not over.wait(LOOK_EVERY_S):
            if alive():
                signal.pthread_kill(main, signal.SIGUSR1)
                return

    def give_up(*_signal: object) -> NoReturn:
        raise BackendError(f"could not go on without the links: {alive()}; run it again")

    before = signal.signal(signal.SIGUSR1, give_up)
    watcher = threading.Thread(target=look, name="lifeline", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
        signal.signal(signal.SIGUSR1, before)
    if alive():
        give_up()
