"""A hit as a value that one worker can hand to another, and the prepared answer that is made of it.

It decides nothing: whoever makes one has judged the request.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from nodes.edge.cache_status import CacheStatus
from nodes.edge.store.entry import Stamp
from nodes.http.message import Fields, Request
from nodes.http.prepared import OpenFile, Prepared
from nodes.http.reply import answer_head


@dataclass(frozen=True, slots=True)
class Hit:
    """The request's bytes and the answer to them. `fields` have neither Age nor this cache's own Cache-Status.

    `name` is the object's; `length_bytes` of content stand at `start` in its file, of which `sent_bytes` are sent (none
    for HEAD), and the file is right as long as it has its `stamp`. `age_s` and `ttl_s` are those of the moment
    `judged_s`; the judgement holds until `until_s`.
    """

    raw: str
    scheme: str
    method: str
    target: str
    version: str
    persistent: bool
    name: int
    key: str
    status: int
    reason: str | None
    fields: tuple[tuple[str, str], ...]
    length_bytes: int
    sent_bytes: int
    start: int
    judged_s: float
    until_s: float
    ttl_s: float
    age_s: float
    stamp: Stamp

    @property
    def request(self) -> Request:
        """As far as the head of the answer depends on it."""
        return Request(self.method, self.target, self.version, Fields(), self.target, "", raw=self.raw.encode("latin-1"),
                       scheme=self.scheme, persistent=self.persistent)  # fmt: skip

    def message(self) -> dict[str, Any]:
        """Of JSON's types."""
        return asdict(self)


def hit_of(message: dict[str, Any]) -> Hit:
    """What `message` gave."""
    fields = tuple((name, value) for name, value in message["fields"])
    return Hit(**{**message, "fields": fields, "stamp": tuple(message["stamp"])})


class Ready(Prepared):
    """A hit made ready. Age is renewed each second; a file is looked at for each use.

    `body` is the content, or None where it is sent from `file`, which tells whether it is `unchanged`.
    """

    __slots__ = ("_body", "_edge", "_turns_s", "hit")

    def __init__(self, edge: str, hit: Hit, body: bytes | None, file: HitFile | None) -> None:
        self._edge, self.hit, self._body, self._turns_s = edge, hit, body, 0.0
        request = hit.request
        block, status, persistent = self._bytes(request, hit.judged_s)
        super().__init__(request, hit.status, "TCP_HIT", block, hit.sent_bytes, until_s=0.0 if file else self._turns_s,
                         cache_status=status, persistent=persistent, file=file, start=hit.start if file else 0)  # fmt: skip

    def renew(self, now_s: float) -> bool:
        """Whether it still is what the request would get."""
        if isinstance(self.file, HitFile) and not self.file.unchanged():
            return False
        if now_s < self._turns_s:
            return True
        if now_s >= self.hit.until_s:
            return False
        block, status, _ = self._bytes(self.hit.request, now_s)
        self.update(block, 0.0 if self.file else self._turns_s, status)
        return True

    def _bytes(self, request: Request, now_s: float) -> tuple[bytes, str, bool]:
        """Head and content, Cache-Status, and whether the connection is kept."""
        hit = self.hit
        passed_s = max(0.0, now_s - hit.judged_s)
        age_s = int(hit.age_s + passed_s)
        self._turns_s = min(hit.until_s, hit.judged_s + age_s + 1 - hit.age_s)
        status = CacheStatus(hit=True, ttl_s=hit.ttl_s - passed_s, key=hit.key).text(self._edge)
        fields = Fields([*hit.fields, ("Age", str(age_s)), ("Cache-Status", status)])
        head, (persistent, _) = answer_head(request, hit.status, fields, hit.length_bytes, hit.reason, keep=True)
        return head + (self._body or b""), status, persistent


class HitFile(OpenFile):
    """The open file of a hit."""

    __slots__ = ()

    def unchanged(self) -> bool:
        """Whether it is as it was when its bytes were found right; one system call."""
        raise NotImplementedError
