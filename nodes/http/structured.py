"""Structured field values (RFC 9651): parsing of dictionaries and lists.

It does not serialise, and it gives no member a meaning. It is strict, as section 4.2 demands: one fault and the whole
field is malformed.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from decimal import Decimal

_KEY = re.compile(r"[a-z*][a-z0-9_.*-]*")
_NUMBER = re.compile(r"(-?)(\d+)(?:\.(\d+))?", re.ASCII)
_STRING = re.compile(r'"((?:[\x20-\x21\x23-\x5b\x5d-\x7e]|\\["\\])*)"')
_TOKEN = re.compile(r"[A-Za-z*][A-Za-z0-9!#$%&'*+.^_`|~:/-]*")
_BYTES = re.compile(r":([A-Za-z0-9+/]*={0,2}):")
_DISPLAY = re.compile(r'%"((?:[\x20-\x21\x23-\x24\x26-\x7e]|%[0-9a-f]{2})*)"')
_BOOLEAN = re.compile(r"\?([01])")
_DATE = re.compile(r"@(-?\d{1,15})(?![\d.])", re.ASCII)
_SPACES = re.compile(" *")
_OWS = re.compile(r"[ \t]*")


class Malformed(ValueError):
    """Not a structured field of the type expected; the field is to be ignored as a whole."""


class Token(str):
    """A token, to tell it from a string."""

    __slots__ = ()


class Date(int):
    """Seconds since 1970, to tell them from an integer."""


class DisplayString(str):
    """Unicode for people, to tell it from a string."""

    __slots__ = ()


Bare = int | Decimal | str | bytes | bool
Parameters = dict[str, Bare]
Item = tuple[Bare, Parameters]
InnerList = tuple[tuple[Item, ...], Parameters]
Member = tuple[Bare | tuple[Item, ...], Parameters]


def parse_dictionary(value: str) -> dict[str, Member]:
    """Section 4.2.2: key -> (value, parameters); of a key that stands twice the last counts. Raises Malformed."""
    reader = _Reader(value)
    found: dict[str, Member] = {}
    while reader.more(first=not found):
        key = reader.key()
        member = reader.member() if reader.take("=") else (True, reader.parameters())
        found.pop(key, None)
        found[key] = member
    return found


def parse_list(value: str) -> list[Member]:
    """Section 4.2.1: (value, parameters) of each member. Raises Malformed."""
    reader = _Reader(value)
    found: list[Member] = []
    while reader.more(first=not found):
        found.append(reader.member())
    return found


class _Reader:
    """A place in the text; each method takes one thing from there."""

    def __init__(self, text: str) -> None:
        self.text = text.strip(" ")
        self.at = 0

    def more(self, first: bool) -> bool:
        """Whether a member follows, with the comma before it passed over."""
        if first:
            return self.at < len(self.text)
        self.match(_OWS)
        if self.at == len(self.text):
            return False
        if not self.take(","):
            raise Malformed(f"no comma at {self.at}")
        self.match(_OWS)
        if self.at == len(self.text):
            raise Malformed("a comma at the end")
        return True

    def take(self, char: str) -> bool:
        """Pass over this character if it stands here."""
        if self.text.startswith(char, self.at):
            self.at += 1
            return True
        return False

    def match(self, pattern: re.Pattern[str]) -> re.Match[str] | None:
        """Pass over what the pattern matches here, if it does."""
        found = pattern.match(self.text, self.at)
        if found:
            self.at = found.end()
        return found

    def key(self) -> str:
        """Section 4.2.3.3."""
        found = self.match(_KEY)
        if not found:
            raise Malformed(f"no key at {self.at}")
        return found[0]

    def member(self) -> Member:
        """An item or an inner list: section 4.2.1.1."""
        return self.inner_list() if self.take("(") else self.item()

    def inner_list(self) -> InnerList:
        """Section 4.2.1.2, after its opening parenthesis."""
        items: list[Item] = []
        while True:
            before = self.at
            self.match(_SPACES)
            spaced = self.at > before
            if self.take(")"):
                return tuple(items), self.parameters()
            if items and not spaced:
                raise Malformed(f"no space at {self.at}")
            items.append(self.item())

    def item(self) -> Item:
        """Section 4.2.3."""
        return self.bare(), self.parameters()

    def parameters(self) -> Parameters:
        """Section 4.2.3.2."""
        found: Parameters = {}
        while self.take(";"):
            self.match(_SPACES)
            key = self.key()
            found.pop(key, None)
            found[key] = self.bare() if self.take("=") else True
        return found

    def bare(self) -> Bare:
        """Section 4.2.3.1: the first character tells the type."""
        for pattern, value in _TYPES:
            if found := self.match(pattern):
                return value(found)
        raise Malformed(f"nothing known at {self.at}")


def _number(found: re.Match[str]) -> Bare:
    """Section 4.2.4: at most 15 digits, or 12 before the point and 3 after it."""
    sign, whole, fraction = found.groups()
    if fraction is None:
        if len(whole) > 15:
            raise Malformed("an integer of more than 15 digits")
        return int(sign + whole)
    if len(whole) > 12 or len(fraction) > 3:
        raise Malformed("a decimal of too many digits")
    return Decimal(f"{sign}{whole}.{fraction}")


def _bytes(found: re.Match[str]) -> bytes:
    """Section 4.2.7; a missing padding is allowed there."""
    text = found[1].rstrip("=")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error as error:
        raise Malformed("no base64") from error


def _display(found: re.Match[str]) -> DisplayString:
    """Section 4.2.10."""
    try:
        raw = re.sub(r"%(..)", lambda escape: chr(int(escape[1], 16)), found[1])
        return DisplayString(raw.encode("latin-1").decode("utf-8"))
    except UnicodeDecodeError as error:
        raise Malformed("no UTF-8") from error


_TYPES: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], Bare]], ...] = (
    (_NUMBER, _number),
    (_STRING, lambda found: re.sub(r"\\(.)", r"\1", found[1])),
    (_TOKEN, lambda found: Token(found[0])),
    (_BOOLEAN, lambda found: found[1] == "1"),
    (_BYTES, _bytes),
    (_DATE, lambda found: Date(found[1])),
    (_DISPLAY, _display),
)
