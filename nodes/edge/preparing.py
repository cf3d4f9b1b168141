"""Answers to plain hits made ready, so that the same request is answered again by its bytes alone.

The memo is honest: what it holds is a function of the request's bytes, the stored object and the second, and it ends when
one of the three changes. It decides nothing that `plan.py` would not.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import NamedTuple

from nodes.edge.caching.reuse import Judgement
from nodes.edge.routing.rules import Route
from nodes.edge.serving import Held, Served, read_all
from nodes.edge.store.store import Store
from nodes.http.message import Request
from nodes.http.prepared import Prepared, PreparedAnswers
from nodes.http.reply import answer_head

SMALL_BYTES = 32 * 1024
"""Content up to this size is kept in memory with its head and leaves in one call; larger content goes by sendfile."""

MOST_FILES = 1024
"""So many files at most are held open for prepared answers."""


class Moment(NamedTuple):
    """When the bytes were made, and until when the judgement holds, in seconds since 1970."""

    now_s: float
    until_s: float
    ttl_s: float
    age_s: float


class Ready(Prepared):
    """A hit. Age is renewed each second; a file is looked at for each use. `held` is the name of the object."""

    __slots__ = ("_body", "_moment", "_name", "_request", "_served", "_turns_s", "held")

    def __init__(self, name: str, request: Request, served: Served, held: Held, body: bytes | None, moment: Moment) -> None:
        self._name, self._request, self._served, self._moment = name, request, served, moment
        self.held, self._body, self._turns_s = held.name, body, 0.0
        made = served.answer
        sent = 0 if request.method == "HEAD" else made.length_bytes
        block, persistent = self._bytes(moment.now_s)
        file = held if body is None else None
        super().__init__(
            request, made.status, "TCP_HIT", block, sent, until_s=self._turns_s if file is None else 0.0,
            cache_status=served.status.text(name), persistent=persistent, file=file,
            start=held.offset(made.pieces[0]) if file is not None else 0,
        )  # fmt: skip

    def renew(self, now_s: float) -> bool:
        """Whether it still is what the request would get."""
        if isinstance(self.file, Held) and not self.file.opened.unchanged():
            return False
        if now_s < self._turns_s:
            return True
        if now_s >= self._moment.until_s:
            return False
        block = self._bytes(now_s)[0]
        self.update(block, self._turns_s if self.file is None else 0.0, self._served.status.text(self._name))
        return True

    def _bytes(self, now_s: float) -> tuple[bytes, bool]:
        moment, served = self._moment, self._served
        passed_s = max(0.0, now_s - moment.now_s)
        age_s = int(moment.age_s + passed_s)
        served.status.ttl_s = moment.ttl_s - passed_s
        served.fields.put("Age", str(age_s))
        _renew_status(served, self._name)
        self._turns_s = min(moment.until_s, moment.now_s + age_s + 1 - moment.age_s)
        reason = served.stored.reason if served.answer.status == served.stored.status else None
        head, (persistent, _) = answer_head(
            self._request, served.answer.status, served.fields, served.answer.length_bytes, reason, keep=True
        )  # fmt: skip
        return head + (self._body or b""), persistent


def _renew_status(served: Served, name: str) -> None:
    """This cache's member of Cache-Status, which stands last, with the ttl of now."""
    items = served.fields.items
    at = max(number for number, (key, _) in enumerate(items) if key == "Cache-Status")
    items[at] = ("Cache-Status", served.status.text(name))


class Preparing:
    """Offers answers to the memo, and takes them back when the store says that an object changed."""

    def __init__(self, name: str, prepared: PreparedAnswers, store: Store) -> None:
        self._name, self._prepared = name, prepared
        self._files: OrderedDict[int, None] = OrderedDict()
        store.on_change = self.changed

    def changed(self, name: int | None) -> None:
        """An object was removed, replaced or given new metadata; None: all were."""
        if name is None:
            self.clear()
            return
        self._prepared.drop(name)
        self._files.pop(name, None)

    def clear(self) -> None:
        """The rules changed: judge everything anew."""
        self._prepared.clear()
        self._files.clear()

    def offer(self, request: Request, route: Route, held: Held, served: Served, judged: Judgement, now_s: float) -> None:
        """An answer that was just judged; it is taken when it depends on nothing but bytes, object and second."""
        pieces = served.answer.pieces
        if route.by_client or not request.raw or request.has_body or len(pieces) > 1 or judged.use != "fresh":
            return
        body: bytes | None = b""
        if request.method != "HEAD" and pieces:
            body = None
            if served.answer.length_bytes <= SMALL_BYTES:
                body = read_all(held.opened, served)
                if body is None:
                    return
        try:
            moment = Moment(now_s, judged.until_s, judged.ttl_s, judged.age_s)
            answer = Ready(self._name, request, served, held, body, moment)
        except ValueError:
            return  # the part is in two pieces of the file: the way through the store is right for it
        if self._prepared.put(request, answer, held.name) and answer.file is not None:
            self._files[held.name] = None
            self._files.move_to_end(held.name)
            if len(self._files) > MOST_FILES:
                self._prepared.drop(self._files.popitem(last=False)[0])
