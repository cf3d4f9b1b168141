"""Which objects are on the disk, how large they are, and which go when room is needed.

It touches no disk: it is told what is there and says what must go. After a start it does not know what is there until
`adopt` has told it all; until then it lets only a small share of the capacity be written, because it cannot evict.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from nodes.edge.policies.machinery.policy import Policy

HEADROOM = 200
"""Until all is known, one such share of the capacity may be written: half of the 1 % that it may be exceeded by."""

TOUCHES = 100_000
"""So many uses are remembered until all is known."""

BATCH = 1000


@dataclass
class _Meanwhile:
    """What happened while the index was not ready; in the end it counts as later than what was found."""

    came: dict[int, int] = field(default_factory=dict)
    came_bytes: int = 0
    gone: set[int] = field(default_factory=set)
    used: dict[int, None] = field(default_factory=dict)
    reserved_bytes: int = 0


class Index:
    """Names, sizes, order. Names are numbers (`names.py`), sizes those of whole files in bytes."""

    def __init__(self, make: Callable[[], Policy]) -> None:
        self._make, self.policy = make, make()
        self._meanwhile: _Meanwhile | None = _Meanwhile()

    @property
    def ready(self) -> bool:
        """Whether it knows everything that is there."""
        return self._meanwhile is None

    @property
    def used_bytes(self) -> int:
        """Of all files it knows."""
        return self.policy.used_bytes + (self._meanwhile.came_bytes if self._meanwhile else 0)

    @property
    def reserved_bytes(self) -> int:
        """For what is being written."""
        return self._meanwhile.reserved_bytes if self._meanwhile else self.policy.reserved_bytes

    def __len__(self) -> int:
        return len(self.policy) + (len(self._meanwhile.came) if self._meanwhile else 0)

    def reserve(self, size_bytes: int) -> list[int] | None:
        """Make room; gives the names evicted for it, or None when there cannot be so much (now)."""
        now = self._meanwhile
        if now is None:
            return self.policy.reserve(size_bytes)
        if now.came_bytes + now.reserved_bytes + size_bytes > self.policy.capacity_bytes // HEADROOM:
            return None
        now.reserved_bytes += size_bytes
        return []

    def release(self, size_bytes: int) -> None:
        """See `reserve`."""
        if self._meanwhile is None:
            self.policy.release(size_bytes)
        else:
            self._meanwhile.reserved_bytes -= size_bytes

    def insert(self, name: int, size_bytes: int) -> list[int] | None:
        """A file is there; gives the names evicted for it, or None when it must go itself."""
        now = self._meanwhile
        if now is None:
            return self.policy.insert(name, size_bytes)
        now.came_bytes += size_bytes - now.came.pop(name, 0)
        now.came[name] = size_bytes
        now.gone.discard(name)
        return []

    def remove(self, name: int) -> None:
        """A file is gone."""
        now = self._meanwhile
        if now is None:
            self.policy.remove(name)
        else:
            now.came_bytes -= now.came.pop(name, 0)
            now.gone.add(name)

    def touch(self, name: int) -> None:
        """A file was used."""
        if self._meanwhile is None:
            self.policy.touch(name)
        elif len(self._meanwhile.used) < TOUCHES:
            self._meanwhile.used.pop(name, None)
            self._meanwhile.used[name] = None

    def clear(self) -> None:
        """Nothing is there any more, and that is all there is to know; what is being written goes on."""
        old, reserved_bytes = self.policy, self.reserved_bytes
        self._meanwhile, self.policy = None, self._make()
        self.policy.evicted_bytes = old.evicted_bytes
        self.policy.reserve(reserved_bytes)

    def adopt(self, found: Iterable[tuple[int, int]]) -> Iterator[list[int]]:
        """What was found on the disk, the first to be evicted first. Gives names that must go, after each batch.

        Other calls may come between the batches. With the end of the iteration the index is ready.
        """
        now = self._meanwhile
        assert now is not None, "adopted twice"
        must_go: list[int] = []
        for count, (name, size) in enumerate(found, start=1):
            if name not in now.came and name not in now.gone:
                evicted = self.policy.insert(name, size)
                must_go += [name] if evicted is None else evicted
            if count % BATCH == 0:
                yield [gone for gone in must_go if gone not in now.came]
                must_go = []
        for name in (*now.gone, *now.came):  # what came anew in the place of what was found must not go in its place
            self.policy.remove(name)
        must_go = [gone for gone in must_go if gone not in now.came]
        self._meanwhile = None
        must_go += self.policy.reserve(now.reserved_bytes) or []
        for name, size in now.came.items():
            evicted = self.policy.insert(name, size)
            must_go += [name] if evicted is None else evicted
        for name in now.used:
            self.policy.touch(name)
        yield must_go
