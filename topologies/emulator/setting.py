"""Settings: what a topology or an experiment lets its user choose, declared as class attributes.

A setting is text from the user with its unit, checked and converted once; it is not a global option. Write

    rtt = setting.duration("80ms", "round-trip time of the link")

and `self.rtt` is 80.0 (milliseconds). An unknown name or a wrong value is refused with the nearest names or an example.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import units

CLOSE = 0.66
"""Names as near as `rum` and `run`; those further away are no help (`start` is not `test`)."""

MOST_NAMES = 40


class SettingError(ValueError):
    """A setting that does not exist or a value that it cannot take; the message is for the user."""


class Setting:
    """One declared setting. As an attribute of an instance it is its converted value.

    The user's name for `edge__engine` is `edge.engine`.
    """

    def __init__(self, default: str, about: str, convert: Callable[[str], Any]) -> None:
        self.default, self.about, self.convert = default, about, convert

    def __set_name__(self, owner: type, name: str) -> None:
        self.attribute, self.name = name, name.replace("__", ".")

    def value(self, text: str) -> Any:
        """The converted value. Raises SettingError."""
        try:
            return self.convert(text)
        except ValueError as error:
            said = str(error) if ";" in str(error) else f"{error}; the default is {self.default or 'nothing'}"
            raise SettingError(f"could not set {self.name} to '{text}': {said}") from None


class Configurable:
    """A class with settings. `configure` takes texts by name; what is not given takes its default."""

    texts: dict[str, str]
    given: frozenset[str]
    """Names of the settings that were not left to their defaults."""

    @classmethod
    def settings(cls) -> dict[str, Setting]:
        """All settings by name, in the order of their declaration, those of base classes first."""
        found: dict[str, Setting] = {}
        for base in reversed(cls.__mro__):
            found.update({value.name: value for value in vars(base).values() if isinstance(value, Setting)})
        return found

    def configure(self, given: Mapping[str, str]) -> None:
        """Set every attribute from text. Raises SettingError."""
        known = self.settings()
        for name in given:
            if name not in known:
                raise SettingError(f"could not set {name}: there is no such setting; {nearest(name, known)}")
        self.given = frozenset(given)
        self.texts = {name: str(given.get(name, setting.default)) for name, setting in known.items()}
        for name, setting in known.items():
            setattr(self, setting.attribute, setting.value(self.texts[name]))


def nearest(name: str, known: Iterable[str]) -> str:
    """What to say of a name that does not exist: those that it is a part of or nearly is, or else what there is."""
    names = list(known)
    folded = {n.casefold(): n for n in names}
    said = name.casefold()
    close = difflib.get_close_matches(said, folded, n=3, cutoff=CLOSE)
    if len(said) > 2 and not close:
        close = [n for n in folded if n.startswith(said) or said in re.split(r"[.>_-]", n)][:3]
    if close:
        return f"did you mean {' or '.join(folded[n] for n in close)}?"
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    return f"there are {', '.join(names[:MOST_NAMES]) or 'none'}{more}"


def duration(default: str, about: str) -> Any:
    """A duration in milliseconds, at least 0."""
    return Setting(default, about, _at_least(units.milliseconds, 0, "a duration cannot be negative"))


def rate(default: str, about: str) -> Any:
    """A rate in bit/s above 0; `unlimited` is None."""
    convert = _at_least(units.bits_per_second, 1, "a rate must be above 0")
    return Setting(default, about, lambda text: None if text == "unlimited" else convert(text))


def size(default: str, about: str) -> Any:
    """A size in bytes, at least 0."""
    return Setting(default, about, _at_least(units.byte_count, 0, "a size cannot be negative"))


def queue(default: str, about: str) -> Any:
    """A queue in bytes; `bdp` is None: derive it from the path."""
    convert = _at_least(units.byte_count, 1, "a queue must be above 0")
    return Setting(default, about, lambda text: None if text == "bdp" else convert(text))


def percentage(default: str, about: str) -> Any:
    """A fraction in [0, 1), written as a percentage."""
    return Setting(default, about, _probability)


def count(default: str, about: str, least: int = 1, most: int = 1000) -> Any:
    """A whole number from `least` to `most`."""
    return Setting(default, about, lambda text: _whole(text, least, most))


def words(default: str, about: str) -> Any:
    """A tuple of texts, separated by commas."""
    return Setting(default, about, lambda text: tuple(w.strip() for w in text.split(",") if w.strip()))


def durations(default: str, about: str) -> Any:
    """A tuple of durations in milliseconds, separated by commas, each at least 0, at least one."""
    one = _at_least(units.milliseconds, 0, "a duration cannot be negative")
    return Setting(default, about, lambda text: tuple(one(part) for part in text.split(",")))


def sizes(default: str, about: str, most: int = 2**30) -> Any:
    """A tuple of sizes in bytes, separated by commas, none repeated, none above `most`."""
    return Setting(default, about, lambda text: _several(text, units.byte_count, most))


def choice(default: str, about: str, *options: str) -> Any:
    """One of `options`."""
    return Setting(default, about, lambda text: _one_of(text, options))


def flag(default: str, about: str) -> Any:
    """`yes` is True, `no` is False."""
    return Setting(default, about, lambda text: _one_of(text, ("yes", "no")) == "yes")


def text(default: str, about: str) -> Any:
    """Any text."""
    return Setting(default, about, str)


def _at_least(convert: Callable[[str], float], least: float, complaint: str) -> Callable[[str], Any]:
    def checked(text: str) -> float:
        value = convert(text)
        if value < least:
            raise ValueError(complaint)
        return value

    return checked


def _probability(text: str) -> float:
    value = units.fraction(text)
    if not 0 <= value < 1:
        raise ValueError("a probability is at least 0% and below 100%")
    return value


def _whole(text: str, least: int, most: int) -> int:
    if not text.strip().isdecimal() or not least <= int(text) <= most:
        raise ValueError(f"it is no whole number in range; write a whole number from {least} to {most}")
    return int(text)


def _several(text: str, convert: Callable[[str], int], most: int) -> tuple[int, ...]:
    values = tuple(convert(part) for part in text.split(","))
    if min(values) < 0:
        raise ValueError("a size cannot be negative")
    if max(values) > most:
        raise ValueError(f"{units.show_bytes(max(values))} is too much; at most {units.show_bytes(most)}")
    if len(set(values)) < len(values):
        raise ValueError("the same size stands in it twice")
    return values


def _one_of(text: str, options: tuple[str, ...]) -> str:
    if text not in options:
        raise ValueError(f"it is none of {', '.join(options)}; {nearest(text, options)}")
    return text
