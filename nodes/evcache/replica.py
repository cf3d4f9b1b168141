"""One zone's copy of everything: a ring of memcached nodes, and the commands that never let a key's version go backwards.

It knows neither the other zones nor the source of truth. memcached compares no versions, so each store names the CAS number
of what it replaces (doc/protocol.txt, `C`), or stores only what is absent (`ME`): a write that comes late changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

from nodes.evcache.keys import Keys
from nodes.evcache.lifetime import CHUNKS_LONGER_S, Life
from nodes.evcache.memcached import meta
from nodes.evcache.memcached.errors import Refused, TimedOut
from nodes.evcache.memcached.link import Link, LinkLimits, Waiting
from nodes.evcache.memcached.meta import Answer
from nodes.evcache.node_list import Address
from nodes.evcache.packing import SEAL, BadCopy, Copy, joined, unpack
from nodes.evcache.settings import SILENT_S, Settings
from nodes.hashing.ketama import Ring

TRIES = 8
"""Stores of one key that others may come before, until this one says that it could not."""

_REMEMBERED = 65_536
_TWICE_BYTES = 64 * 1024
"""A larger item is not sent on the chance that nothing is there."""


class Held(NamedTuple):
    """What a node said of a key. Without a sound copy `copy` is None; `cas` is None when there is nothing at all."""

    copy: Copy | None
    cas: int | None = None
    left_s: int = -1
    won: bool = False
    being_made: bool = False

    @property
    def version(self) -> int:
        """-1 without a copy."""
        return -1 if self.copy is None else self.copy.version


NOTHING = Held(None)


class Put(NamedTuple):
    """What became of a store: the CAS number of what was stored, or None when what is there is as new. `doubtful` is the
    version of that when it is not durable: it may never be, and then this store is missing."""

    cas: int | None
    doubtful: int = 0


class Replica:
    """One zone. Two connections to each node: a large write does not hold up reads, which have 20 ms."""

    def __init__(self, zone: str, nodes: Sequence[Address], settings: Settings) -> None:
        self.zone = zone
        self._ring = Ring({node.label: 1.0 for node in nodes})
        reads = LinkLimits(settings.read_s, silent_s=SILENT_S, waiting=settings.waiting)
        writes = LinkLimits(settings.write_s, silent_s=SILENT_S, waiting=settings.waiting)
        self._reads = {node.label: Link(node.host, node.port, reads) for node in nodes}
        self._writes = {node.label: Link(node.host, node.port, writes) for node in nodes}
        self._known: dict[bytes, tuple[int, int]] = {}
        """CAS numbers and versions of what this client stored last; such a key is stored again in one round trip."""
        self.bad_copies = 0

    def ask(self, wire: bytes, flags: bytes) -> Waiting:
        """`mg` on the connection for reads. Raises Unanswered."""
        return self._reads[self._ring.find(wire)].ask(meta.get(wire, flags))

    def held(self, answer: Answer) -> Held:
        """What an answer to `mg ... v c t` says."""
        if answer.code != meta.VALUE or answer.value is None:
            return NOTHING
        copy = None
        if answer.value and not answer.stale:
            try:
                copy = unpack(answer.value)
            except BadCopy:
                self.bad_copies += 1
        left_s = answer.number(b"t")
        return Held(copy, answer.number(b"c"), -1 if left_s is None else left_s, answer.won, answer.being_made)

    async def leased(self, wire: bytes, lease_s: int) -> Held:
        """What is there, by the connection for writes; where nothing is, the sole right to load it is taken. Its `cas` is older
        than any row that is read afterwards, so that a fill by it can never come after something newer. Raises Unanswered."""
        return self.held(await self._write(wire).ask(meta.get(wire, b"v c t N%d" % lease_s)))

    async def whole(self, keys: Keys, key: str, copy: Copy) -> Copy | None:
        """The copy of a manifest with its chunks, or None when one is missing. Raises Unanswered."""
        wires = [keys.chunk(key, copy.version, number) for number in range(copy.chunks)]
        # By the connection for writes: a megabyte may take more than a read may.
        answers = await _all([self._write(wire).ask(meta.get(wire, b"v")) for wire in wires])
        chunks = [answer.value for answer in answers if answer.value is not None]
        if len(chunks) < len(wires):
            return None
        try:
            return joined(copy, chunks)
        except BadCopy:
            self.bad_copies += 1
            return None

    async def put_chunks(self, keys: Keys, key: str, version: int, chunks: Sequence[bytes], life: Life) -> None:
        """Before the manifest that names them; they outlive it. Raises Unanswered."""
        for number, chunk in enumerate(chunks):
            wire = keys.chunk(key, version, number)
            link = self._write(wire)
            await link.ask(meta.put(wire, chunk, b"T%d" % (self._left_s(link, life) + CHUNKS_LONGER_S)))

    async def put(self, wire: bytes, item: bytes, version: int, life: Life) -> Put:
        """Store unless what is there is as new. Raises Unanswered, after which it may have been stored or not."""
        link = self._write(wire)
        known = self._known.pop(wire, None)
        if known is not None and known[1] < version:
            stored = await link.ask(meta.put(wire, item, b"T%d c C%d" % (self._left_s(link, life), known[0])))
            if stored.code == meta.HELD:
                return self._remember(wire, stored, version)
        for _ in range(TRIES):
            ttl = b"T%d c" % self._left_s(link, life)
            if len(item) <= _TWICE_BYTES:
                storing, looking = link.ask(meta.put(wire, item, ttl + b" ME")), link.ask(meta.get(wire, b"v c t"))
                stored, looked = await _all((storing, looking))
                if stored.code == meta.HELD:
                    return self._remember(wire, stored, version)
            else:
                looked = await link.ask(meta.get(wire, b"v c t"))
            held = self.held(looked)
            if held.version >= version:
                return Put(None, held.version if held.copy is not None and not held.copy.durable else 0)
            ttl = b"T%d c" % self._left_s(link, life)
            flags = ttl + b" ME" if held.cas is None else b"%b C%d" % (ttl, held.cas)
            stored = await link.ask(meta.put(wire, item, flags))
            if stored.code == meta.HELD:
                return self._remember(wire, stored, version)
        raise Refused(link.where, f"let others come before a store {TRIES} times")

    async def seal(self, wire: bytes, item: bytes, version: int, life: Life, cas: int) -> bool:
        """Make a copy readable that `put` stored, now that it is durable. False when the zone has neither it nor a newer one.

        Raises Unanswered.
        """
        self._known.pop(wire, None)  # its number changes now
        link = self._write(wire)
        answer = await link.ask(meta.append(wire, SEAL, b"C%d c" % cas))
        if answer.code == meta.NOT_STORED:  # it is on the SSD, or gone
            answer = await link.ask(meta.put(wire, item + SEAL, b"T%d C%d c" % (self._left_s(link, life), cas)))
        if answer.code == meta.HELD:
            self._remember(wire, answer, version)
            return True
        held = self.held(await link.ask(meta.get(wire, b"v c t")))
        return held.version > version or (held.version == version and held.copy is not None and held.copy.durable)

    async def raw(self, wires: Sequence[bytes]) -> list[tuple[bytes | None, int]]:
        """Items as they are, each with the seconds that it has left; by the connection for writes. Raises Unanswered."""
        answers = await _all([self._write(wire).ask(meta.get(wire, b"v t")) for wire in wires])
        return [(answer.value, answer.number(b"t") or 0) for answer in answers]

    async def add_raw(self, items: Sequence[tuple[bytes, bytes, Life]]) -> int:
        """Store items as they are, with what is left of their lives, where nothing is; gives how many. Raises Unanswered."""
        now_s = asyncio.get_running_loop().time()
        stores = [self._write(wire).ask(meta.put(wire, item, b"T%d ME" % life.left_s(now_s)))
                  for wire, item, life in items if life.left_s(now_s) > 0]  # fmt: skip
        return sum(answer.code == meta.HELD for answer in await _all(stores))

    async def fill(self, wire: bytes, item: bytes, life: Life, token: int) -> bool:
        """Store in place of what had this CAS number: only if nobody has written since. Raises Unanswered."""
        link = self._write(wire)
        answer = await link.ask(meta.put(wire, item, b"T%d C%d" % (self._left_s(link, life), token)))
        return answer.code == meta.HELD

    async def release(self, wire: bytes, token: int) -> None:
        """The load failed: the next reader may win. Raises Unanswered."""
        await self._write(wire).ask(meta.delete(wire, b"C%d" % token))

    async def forget(self, wire: bytes) -> None:
        """Take it out, whatever it is: for experiments. Raises Unanswered."""
        self._known.pop(wire, None)
        await self._write(wire).ask(meta.delete(wire))

    async def touch(self, keys: Keys, key: str, version: int, life: Life) -> bool:
        """Let a copy of this version live on, with its chunks; another is not touched. Raises Unanswered."""
        wire = keys.wire(key)
        link = self._write(wire)
        held = self.held(await link.ask(meta.get(wire, b"v c t")))
        if held.copy is None or held.version != version:
            return False
        chunks = [keys.chunk(key, version, number) for number in range(held.copy.chunks)]
        longer = b"T%d" % (self._left_s(link, life) + CHUNKS_LONGER_S)
        if any(one.code != meta.HELD for one in await _all([self._write(one).ask(meta.get(one, longer)) for one in chunks])):
            return False
        return (await link.ask(meta.get(wire, b"T%d" % self._left_s(link, life)))).code == meta.HELD

    def close(self) -> None:
        """Give up what waits."""
        for link in (*self._reads.values(), *self._writes.values()):
            link.close()

    @property
    def waiting(self) -> int:
        """Commands without an answer."""
        return sum(link.waiting for link in (*self._reads.values(), *self._writes.values()))

    def _write(self, wire: bytes) -> Link:
        return self._writes[self._ring.find(wire)]

    def _left_s(self, link: Link, life: Life) -> int:
        """Raises TimedOut when nothing is left."""
        left_s = life.left_s(asyncio.get_running_loop().time())
        if left_s < 1:
            raise TimedOut(link.where, f"took longer than the {life.whole_s} s that the copy may live")
        return left_s

    def _remember(self, wire: bytes, stored: Answer, version: int) -> Put:
        cas = stored.number(b"c") or 0
        if len(self._known) >= _REMEMBERED:
            self._known.pop(next(iter(self._known)))
        self._known[wire] = (cas, version)
        return Put(cas)


async def _all(waiting: Sequence[Waiting]) -> list[Answer]:
    """All answers; an error of any, when all are known. Raises Unanswered."""
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    for answer in answers:
        if isinstance(answer, BaseException):
            raise answer
    return [answer for answer in answers if isinstance(answer, Answer)]
