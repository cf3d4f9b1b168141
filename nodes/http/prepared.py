"""Answers made ready: the exact bytes of a request's head lead to the exact bytes of its answer.

It does not decide what may be answered so. Reading and judging a request are pure functions of its bytes, of the stored
object and of the second, so whoever puts an answer here must take it away (`drop`) when the object changes, and say
until when it holds (`until_s`). An answer must depend on nothing else, such as the client's address.
"""

from __future__ import annotations

import os
from collections.abc import Hashable
from typing import TYPE_CHECKING

from nodes.http.steered import steered

if TYPE_CHECKING:
    from nodes.http.message import Request
    from nodes.http.metrics import Tally


LONGEST_HEAD_BYTES = 4 * 1024
"""Of a request that is prepared for: longer ones are seldom said twice, and each is kept several times over."""


class OpenFile:
    """A descriptor that several answers send from; it is closed when the last of them is gone."""

    __slots__ = ("fd",)

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def fileno(self) -> int:
        """The descriptor."""
        return self.fd

    def __del__(self) -> None:
        os.close(self.fd)


class Prepared:
    """One answer. Subclass it to renew; `result`, `status` and `body_bytes` never change.

    `block` is the head, and the content too when `file` is None; otherwise `body_bytes` of `file` from `start` follow by
    sendfile. After `until_s` (seconds since 1970) `renew` is called, and the request is judged anew when that gives False.
    """

    __slots__ = ("block", "body_bytes", "cache_status", "file", "log", "method", "persistent", "result", "start",
                 "status", "steered", "tally", "target", "until_s", "used", "weight_bytes", "whole_bytes")  # fmt: skip

    def __init__(
        self, request: Request, status: int, result: str, block: bytes, body_bytes: int, *, until_s: float,
        cache_status: str = "-", persistent: bool = True, file: OpenFile | None = None, start: int = 0,
    ) -> None:  # fmt: skip
        self.method, self.target, self.steered = request.method, request.target, steered(request.fields)
        self.status, self.result, self.body_bytes = status, result, body_bytes
        self.file, self.start, self.persistent = file, start, persistent
        self.tally: Tally | None = None
        self.used = False
        self.weight_bytes = 0
        self.update(block, until_s, cache_status)

    def update(self, block: bytes, until_s: float, cache_status: str = "-") -> None:
        """Other bytes, such as a later Age, that hold until another second."""
        self.block, self.until_s, self.cache_status = block, until_s, cache_status
        self.whole_bytes = len(block) + (0 if self.file is None else self.body_bytes)
        self.log = ""  # the server makes it when it is next needed

    def renew(self, now_s: float) -> bool:
        """Whether it holds at `now_s` too, perhaps after an `update`."""
        return now_s < self.until_s


MOST_BYTES = 128 * 1024 * 1024


class PreparedAnswers:
    """A bounded memo from heads to answers; what is full forgets what was not used lately."""

    def __init__(self, most: int = 65536, most_bytes: int = MOST_BYTES) -> None:
        self.by_head: dict[bytes, Prepared] = {}
        self._most, self._most_bytes, self._bytes = most, most_bytes, 0
        self._heads: dict[Hashable, set[bytes]] = {}
        self._tags: dict[bytes, Hashable] = {}

    def __len__(self) -> int:
        return len(self.by_head)

    def put(self, request: Request, answer: Prepared, tag: Hashable) -> bool:
        """Keep an answer to requests like this one; `tag` names the object it is made of. False: not such a request."""
        if request.has_body or not answer.persistent or not 0 < len(request.raw) <= LONGEST_HEAD_BYTES:
            return False
        head = key_of(request.scheme, request.raw)
        self.forget(head)
        # A head lives on as the key, in the answer and as its target; a block beside the content that renews it.
        weight = 3 * len(head) + 2 * len(answer.block) + 512
        if weight > self._most_bytes:
            return False
        while self.by_head and (len(self.by_head) >= self._most or self._bytes + weight > self._most_bytes):
            self._evict()
        answer.weight_bytes = weight
        self._bytes += weight
        self.by_head[head] = answer
        self._tags[head] = tag
        self._heads.setdefault(tag, set()).add(head)
        return True

    def drop(self, tag: Hashable) -> None:
        """Forget every answer made of this object."""
        for head in list(self._heads.get(tag, ())):
            self.forget(head)

    def clear(self) -> None:
        """Forget all."""
        self.by_head.clear()
        self._heads.clear()
        self._tags.clear()
        self._bytes = 0

    def forget(self, head: bytes) -> None:
        """Forget the answer to one head, if there is one."""
        answer = self.by_head.pop(head, None)
        if answer is None:
            return
        self._bytes -= answer.weight_bytes
        tag = self._tags.pop(head)
        heads = self._heads[tag]
        heads.discard(head)
        if not heads:
            del self._heads[tag]

    def _evict(self) -> None:
        """The oldest that was not used since it was last looked at here."""
        while True:
            head, answer = next(iter(self.by_head.items()))
            if not answer.used:
                self.forget(head)
                return
            answer.used = False
            self.by_head[head] = self.by_head.pop(head)


def key_of(scheme: str, head: bytes) -> bytes:
    """One head asks for two resources: with TLS and without."""
    return head if scheme == "http" else b"tls " + head
