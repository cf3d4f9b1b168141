"""A change of one direction in words: `rate 10mbit loss 1% down`. The same words serve settings, the shell and schedules.

It changes no link: it says what a direction becomes, and `backend.py` says how a link is told.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from units import bits_per_second, byte_count, milliseconds

from .codel import Codel
from .effects.effect import Effect
from .effects.registry import EFFECTS
from .spec import Direction, LinkError, wire
from .trace import load


def _queue(text: str) -> dict[str, Any]:
    if text.endswith("packets") or text.endswith("packet"):
        number = text.removesuffix("s").removesuffix("packet").strip()
        if not number.isdecimal():
            raise ValueError(f"'{text}' is no number of packets; write for example queue 100packets")
        return {"queue_packets": int(number), "queue_bytes": None}
    return {"queue_bytes": byte_count(text), "queue_packets": None}


_FIELDS: dict[str, tuple[Callable[[str], dict[str, Any]], str]] = {
    "delay": (lambda text: {"delay_ms": milliseconds(text)}, "delay 40ms"),
    "rate": (lambda text: {"rate_bps": None if text == "unlimited" else bits_per_second(text), "trace": None}, "rate 10mbit"),
    "trace": (lambda text: {"trace": load(text), "rate_bps": None}, "trace PATH"),
    "queue": (_queue, "queue 64KiB"),
    "codel": (lambda text: {"codel": Codel.parse(text)}, "codel 5ms 100ms"),
    "drop-tail": (lambda text: {"codel": None}, "drop-tail"),
    "up": (lambda text: {"up": True}, "up"),
    "down": (lambda text: {"up": False}, "down"),
}
_ALONE = ("drop-tail", "up", "down", "codel")
_PROPERTY = {"trace": "rate", "drop-tail": "codel", "up": "down"}  # words that set one and the same thing
WORDS = (*_FIELDS, *EFFECTS)


@dataclass(frozen=True)
class Change:
    """What becomes different; what is not named stays. `text` is as it was given."""

    text: str
    fields: Mapping[str, Any]
    effects: tuple[Effect, ...]
    touches: frozenset[str]
    """What it sets (`rate`, `delay`, `queue`, `codel`, `down`, or the slot of an effect), to find changes that collide."""

    def apply(self, way: Direction) -> Direction:
        """The direction afterwards. It is not checked: the LinkSpec that is made of it is."""
        slots = {effect.slot for effect in self.effects}
        kept = [effect for effect in way.effects if effect.slot not in slots]
        return replace(way, **self.fields, effects=wire(*kept, *self.effects))

    def undo(self, way: Direction, before: Direction) -> Direction:
        """The direction with what this sets as it is in `before`, and all else as it is."""
        slots = {effect.slot for effect in self.effects}
        kept = [effect for effect in way.effects if effect.slot not in slots]
        back = [effect for effect in before.effects if effect.slot in slots]
        return replace(way, **{name: getattr(before, name) for name in self.fields}, effects=wire(*kept, *back))


def parse(text: str) -> Change:
    """From words, each followed by its value. Raises LinkError naming the word."""
    fields: dict[str, Any] = {}
    effects: list[Effect] = []
    touches: list[str] = []
    for word, value in _clauses(text):
        kind = EFFECTS.get(word)
        try:
            if kind is None:
                convert, example = _FIELDS[word]
                if bool(value) != (word not in _ALONE) and not (word == "codel" and value):
                    raise ValueError(f"'{word} {value}'".replace(" '", "'") + f" is not complete; write for example {example}")
                fields |= convert(value)
                touches.append(_PROPERTY.get(word, word))
            else:
                if not value:
                    raise ValueError(f"'{word}' has no value; write for example {kind.example}")
                effects.append(kind.parse(value))
                touches.append(kind.slot)
        except ValueError as error:
            raise LinkError(str(error)) from None
    twice = sorted({one for one in touches if touches.count(one) > 1})
    if twice:
        raise LinkError(f"'{text}' sets {twice[0]} twice; give one of them")
    return Change(text.strip(), fields, tuple(effects), frozenset(touches))


def _clauses(text: str) -> list[tuple[str, str]]:
    """(word, its value) in order."""
    found: list[tuple[str, list[str]]] = []
    for token in text.split():
        if token in WORDS:
            found.append((token, []))
        elif not found:
            raise LinkError(f"'{token}' is none of {', '.join(WORDS)}; write for example rate 10mbit delay 40ms loss 1%")
        else:
            found[-1][1].append(token)
    if not found:
        raise LinkError(f"nothing is changed by '{text}'; write for example rate 10mbit delay 40ms loss 1%")
    return [(word, " ".join(values)) for word, values in found]


def words(way: Direction) -> str:
    """A direction for a person, as words that `parse` reads back (a trace by its name)."""
    found = [f"delay {way.delay_ms:.9g}ms"]
    found.append(f"trace {way.trace.name}" if way.trace else f"rate {_rate(way.rate_bps)}")
    found.append(f"queue {way.queue_packets}packets" if way.queue_bytes is None else f"queue {way.queue_bytes}B")
    found += [f"codel {way.codel.text()}"] if way.codel else []
    found += [f"{effect.word} {effect.text()}" for effect in way.effects]
    return " ".join([*found, "up" if way.up else "down"])


def _rate(rate_bps: int | None) -> str:
    if rate_bps is None:
        return "unlimited"
    size, unit = next((size, unit) for size, unit in ((10**9, "gbit"), (10**6, "mbit"), (10**3, "kbit"), (1, "bit"))
                      if rate_bps % size == 0)  # fmt: skip
    return f"{rate_bps // size}{unit}"
