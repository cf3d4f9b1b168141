"""What is asked of an origin, and what its answer may become. A value: it asks nothing."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import NamedTuple

from nodes.edge.caching.asked import Asked
from nodes.edge.caching.override import Override
from nodes.edge.stored import Stored
from nodes.http.message import Body, Fields, Request
from nodes.http.origin_address import Origin


@dataclass(frozen=True, slots=True)
class Ask:
    """`request` is the client's, `fields` what the origin gets. `primary` None: nothing may be stored.

    `known` are the stored responses of that key, `asked` those whose validators were sent. `keep_on_error`: one of them
    is better than an error of the origin, so that an error must not take its place. `filled`: no client asked, a plan did.
    """

    origin: Origin
    method: str
    target: str
    fields: Fields
    body: Body | None
    request: Request
    primary: str | None
    uri: str
    override: Callable[[int], Override | None]
    known: tuple[Stored, ...] = ()
    asked: tuple[Stored, ...] = ()
    keep_on_error: bool = False
    filled: bool = False

    @property
    def for_storing(self) -> Asked:
        """The request as far as it decides what may be stored: with the range that the origin saw."""
        return Question(self.method, self.uri, self.fields)

    @property
    def seen(self) -> Fields:
        """The fields that may choose a variant."""
        return for_variants(self.fields)


class Question(NamedTuple):
    """A request as the cache's decisions see it."""

    method: str
    uri: str
    fields: Fields


def for_variants(sent: Fields) -> Fields:
    """The fields that choose a variant: those the origin saw, because by them it chose, not those the client sent.

    Left out is what is asked of one transfer only: it is the edge's as often as the client's, and chooses no variant.
    """
    return Fields(item for item in sent.items if item[0].lower() not in _OF_THE_TRANSFER)


def collapse_key(ask: Ask, vary: tuple[tuple[str, str], ...], *, plain: bool = False) -> Hashable:
    """Requests of one key are answered by one fetch; `vary` are its values of what is known to select variants.

    What the client asks of this one transfer (preconditions, ranges) is in the key as far as the origin sees it, because
    then the answer is right only for those who asked the same. `plain`: the key of the whole without all that.
    """
    if plain:
        return ask.method, ask.primary, vary, ()
    own = tuple((name, ask.fields.get(name)) for name in _OF_THE_TRANSFER if name in ask.fields)
    return ask.method, ask.primary, vary, own


_OF_THE_TRANSFER = ("range", "if-range", "if-match", "if-unmodified-since", "if-none-match", "if-modified-since")
