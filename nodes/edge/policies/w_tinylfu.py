"""`w-tinylfu`: a new object must have been asked for more often lately than the one it would replace.

G. Einziger, O. Eytan, R. Friedman and B. Manes, "Adaptive Software Cache Management", Middleware 2018, with a window of fixed
size: new objects pass through a small window (1 % of the bytes, least recently used), the rest is as in `slru`, and a sketch
remembers how often keys were asked for. It does not weigh sizes.
"""

from __future__ import annotations

from collections import OrderedDict

from nodes.edge.policies.machinery.policy import Policy
from nodes.edge.policies.machinery.segmented import Segments
from nodes.edge.policies.machinery.sketch import Sketch


class WTinyLfu(Policy):
    """Window, main part, sketch."""

    def __init__(self, capacity_bytes: int) -> None:
        super().__init__(capacity_bytes)
        self._window_most = max(1, capacity_bytes // 100)
        self._main_most = capacity_bytes - self._window_most
        self._window: OrderedDict[int, int] = OrderedDict()
        self._window_bytes = 0
        self._main = Segments(self._main_most * 4 // 5)
        self._sketch = Sketch()

    def __contains__(self, key: int) -> bool:
        return key in self._window or key in self._main

    def __len__(self) -> int:
        return len(self._window) + len(self._main)

    def _hit(self, key: int) -> None:
        self._sketch.see(key, len(self))
        if key in self._window:
            self._window.move_to_end(key)
        else:
            self._main.use(key)

    def _add(self, key: int, size_bytes: int) -> None:
        self._sketch.see(key, len(self))
        self._window[key] = size_bytes
        self._window_bytes += size_bytes
        while self._window_bytes > self._window_most and len(self._window) > 1:
            oldest = next(iter(self._window))
            if self._main.used_bytes + self._window[oldest] > self._main_most:
                break  # it is weighed against another when room is needed
            self._main.add(*self._leave_window())

    def _evict(self) -> tuple[int, int]:
        """While the window has more than its share its oldest and the next of the main part compete."""
        victim = self._main.next()
        if victim is None:
            return self._leave_window()
        if self._window_bytes <= self._window_most:
            return self._main.evict()
        candidate = next(iter(self._window))
        if self._sketch.count(candidate) <= self._sketch.count(victim):
            return self._leave_window()  # a tie is decided for what is there: a scan of new keys must not win
        evicted = self._main.evict()
        self._main.add(*self._leave_window())
        return evicted

    def _drop(self, key: int) -> int | None:
        size = self._window.pop(key, None)
        if size is None:
            return self._main.drop(key)
        self._window_bytes -= size
        return size

    def _leave_window(self) -> tuple[int, int]:
        key, size = self._window.popitem(last=False)
        self._window_bytes -= size
        return key, size
