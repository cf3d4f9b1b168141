"""Two queues in order of use, of which `slru` consists and with which `w-tinylfu` keeps its main part.

It does not know the capacity: whoever owns it says when one must go.
"""

from __future__ import annotations

from collections import OrderedDict


class Segments:
    """New keys are on probation; a use moves them to the protected queue, of `protected_bytes` at most."""

    def __init__(self, protected_bytes: int) -> None:
        self._most = protected_bytes
        self._probation: OrderedDict[int, int] = OrderedDict()
        self._protected: OrderedDict[int, int] = OrderedDict()
        self._protected_bytes = 0
        self.used_bytes = 0

    def __contains__(self, key: int) -> bool:
        return key in self._probation or key in self._protected

    def __len__(self) -> int:
        return len(self._probation) + len(self._protected)

    def use(self, key: int) -> None:
        """A key that is held was used."""
        if key in self._protected:
            self._protected.move_to_end(key)
            return
        size = self._probation[key]
        if size > self._most:
            self._probation.move_to_end(key)  # it would push out all that is protected, and itself
            return
        del self._probation[key]
        self._protected[key] = size
        self._protected_bytes += size
        while self._protected_bytes > self._most:
            old, old_size = self._protected.popitem(last=False)
            self._protected_bytes -= old_size
            self._probation[old] = old_size

    def add(self, key: int, size_bytes: int) -> None:
        """A key that is not held."""
        self._probation[key] = size_bytes
        self.used_bytes += size_bytes

    def next(self) -> int | None:
        """The key that goes next."""
        return next(iter(self._probation or self._protected), None)

    def evict(self) -> tuple[int, int]:
        """Forget that key, and give it with its size. Raises KeyError when none is held."""
        if self._probation:
            key, size = self._probation.popitem(last=False)
        else:
            key, size = self._protected.popitem(last=False)
            self._protected_bytes -= size
        self.used_bytes -= size
        return key, size

    def drop(self, key: int) -> int | None:
        """Forget a key; its size, or None when it is not held."""
        size = self._probation.pop(key, None)
        if size is None:
            size = self._protected.pop(key, None)
            if size is None:
                return None
            self._protected_bytes -= size
        self.used_bytes -= size
        return size
