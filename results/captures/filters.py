"""Display filters as Wireshark writes them, compiled to vector expressions over columns. It knows no connection and no payload.

    expression = term (("or" | "||") term)*            term = factor (("and" | "&&") factor)*
    factor = ("not" | "!") factor | "(" expression ")" | PROTOCOL | FIELD | FIELD OPERATOR VALUE
           | FIELD "in" "{" VALUE ("," VALUE)* "}"

A field that a packet has twice (`ip.addr`, `tcp.port`) equals a value when either does, and differs when both do. A field
alone holds where a packet has it, whatever its value: as in Wireshark, a flag that is set reads `tcp.flags.syn == 1`.
"""

from __future__ import annotations

import difflib
import ipaddress
import operator
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from results.captures.columns import ICMP, ICMP6, MAPPED, TCP, UDP, Packets

Mask = NDArray[np.bool_]
Test = Callable[[Packets], Mask]


class FilterError(ValueError):
    """A filter that cannot be understood: `could not read the filter 'TEXT': CAUSE; WHAT TO DO`."""


@dataclass(frozen=True)
class Field:
    """Where a field stands: the packets that have it, and its column or columns."""

    has: Test
    columns: tuple[str, ...]
    convert: Callable[[Any], Any] = lambda column: column
    is_address: bool = False


def _protocol(number: int) -> Test:
    return lambda packets: (packets.protocol == number) & (packets.version > 0)


def _version(number: int) -> Test:
    return lambda packets: packets.version == number


def _flag(bit: int) -> Field:
    return Field(_protocol(TCP), ("flags",), lambda column: (column & bit) > 0)


_ALWAYS: Test = lambda packets: np.ones(len(packets), np.bool_)  # noqa: E731
PROTOCOLS: dict[str, Test] = {
    "frame": _ALWAYS, "ip": _version(4), "ipv6": _version(6), "tcp": _protocol(TCP), "udp": _protocol(UDP),
    "icmp": _protocol(ICMP), "icmpv6": _protocol(ICMP6), "vlan": lambda packets: packets.vlan > 0,
}  # fmt: skip
_IPS = {f"{name}.{end}": Field(_version(number), columns, is_address=True)
        for name, number in (("ip", 4), ("ipv6", 6))
        for end, columns in (("addr", ("source", "destination")), ("src", ("source",)), ("dst", ("destination",)))}  # fmt: skip
_PORTS = {f"{name}.{end}": Field(_protocol(number), columns)
          for name, number in (("tcp", TCP), ("udp", UDP))
          for end, columns in (("port", ("source_port", "destination_port")), ("srcport", ("source_port",)),
                               ("dstport", ("destination_port",)))}  # fmt: skip
FIELDS: dict[str, Field] = {
    **_IPS, **_PORTS,
    "frame.number": Field(_ALWAYS, ("frame",)), "frame.len": Field(_ALWAYS, ("wire",)),
    "frame.cap_len": Field(_ALWAYS, ("captured",)), "frame.interface_id": Field(_ALWAYS, ("interface",)),
    "frame.time_epoch": Field(_ALWAYS, ("time_ns",), lambda column: column / 1e9),
    "vlan.id": Field(PROTOCOLS["vlan"], ("vlan",)),
    "ip.ttl": Field(_version(4), ("ttl",)), "ip.id": Field(_version(4), ("ip_id",)),
    "ip.len": Field(_version(4), ("ip_length",)),
    "ip.proto": Field(_version(4), ("protocol",)), "ip.dsfield": Field(_version(4), ("tos",)),
    "ipv6.hlim": Field(_version(6), ("ttl",)), "ipv6.nxt": Field(_version(6), ("protocol",)),
    "tcp.len": Field(_protocol(TCP), ("payload",)), "tcp.seq_raw": Field(_protocol(TCP), ("seq",)),
    "tcp.ack_raw": Field(_protocol(TCP), ("ack",)), "tcp.window_size_value": Field(_protocol(TCP), ("window",)),
    "tcp.flags": Field(_protocol(TCP), ("flags",)), "tcp.hdr_len": Field(_protocol(TCP), ("header_bytes",)),
    "tcp.flags.fin": _flag(1), "tcp.flags.syn": _flag(2), "tcp.flags.reset": _flag(4), "tcp.flags.push": _flag(8),
    "tcp.flags.ack": _flag(16), "tcp.options.sack.count": Field(_protocol(TCP), ("sacks",)),
    "udp.length": Field(_protocol(UDP), ("payload",), lambda column: column.astype(np.int64) + 8),
    "icmp.type": Field(_protocol(ICMP), ("icmp",), lambda column: column >> 8),
    "icmpv6.type": Field(_protocol(ICMP6), ("icmp",), lambda column: column >> 8),
}  # fmt: skip
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq, "eq": operator.eq, "!=": operator.ne, "ne": operator.ne, ">": operator.gt, "gt": operator.gt,
    "<": operator.lt, "lt": operator.lt, ">=": operator.ge, "ge": operator.ge, "<=": operator.le, "le": operator.le,
}  # fmt: skip
_TOKEN = re.compile(r"\s*(==|!=|>=|<=|&&|\|\||[()!<>{},]|[^\s()!<>={},&|]+)")
_DEEPEST = 100


def compiled(text: str) -> Test:
    """A function from packets to a mask of those that the filter lets through. Raises FilterError."""
    return _Parser(text).whole()


class _Parser:
    def __init__(self, text: str) -> None:
        self.text, self.at, self.depth = text, 0, 0
        self.tokens = list(self._split(text))

    def _split(self, text: str) -> Iterator[str]:
        at, end = 0, len(text.rstrip())
        while at < end:
            token = _TOKEN.match(text, at)
            if token is None:
                raise self._error(f"'{text[at:].strip()[:20]}' is no part of a filter", "compare as in tcp.port == 80")
            yield token[1]
            at = token.end()

    def _error(self, cause: str, remedy: str) -> FilterError:
        return FilterError(f"could not read the filter '{self.text}': {cause}; {remedy}")

    def _next(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1] if self.at <= len(self.tokens) else ""

    def _takes(self, *words: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at] in words:
            self.at += 1
            return True
        return False

    def whole(self) -> Test:
        """The whole text."""
        found = self._either()
        if self.at < len(self.tokens):
            raise self._error(f"'{self.tokens[self.at]}' follows a whole expression", "join two with and, or")
        return found

    def _either(self) -> Test:
        found = self._both()
        while self._takes("or", "||"):
            found = _or(found, self._both())
        return found

    def _both(self) -> Test:
        found = self._factor()
        while self._takes("and", "&&"):
            found = _and(found, self._factor())
        return found

    def _factor(self) -> Test:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise self._error("it is nested too deeply", f"use at most {_DEEPEST} levels")
        try:
            if self._takes("not", "!"):
                return _not(self._factor())
            if self._takes("("):
                found = self._either()
                if not self._takes(")"):
                    raise self._error("a parenthesis is not closed", "write the missing )")
                return found
            return self._comparison(self._next())
        finally:
            self.depth -= 1

    def _comparison(self, name: str) -> Test:
        field = FIELDS.get(name)
        if field is None:
            if name in PROTOCOLS:
                return PROTOCOLS[name]
            if not name:
                raise self._error("it ends where a field should be", "write a field, as tcp.port")
            near = difflib.get_close_matches(name, [*FIELDS, *PROTOCOLS], 3)
            raise self._error(f"there is no field '{name}'", f"did you mean {' or '.join(near)}?" if near
                              else "docs/captures.md lists the fields")  # fmt: skip
        if self._takes("in"):
            return self._one_of(name, field)
        word = self.tokens[self.at] if self.at < len(self.tokens) else ""
        if word not in _OPERATORS:
            return field.has
        return self._compared(name, field, self._next(), self._next())

    def _one_of(self, name: str, field: Field) -> Test:
        if not self._takes("{"):
            raise self._error("'in' wants a set", f"write {name} in {{1, 2}}")
        found = self._compared(name, field, "==", self._next())
        while not self._takes("}"):
            self._takes(",")
            if self.at >= len(self.tokens):
                raise self._error("a set is not closed", "write the missing }")
            found = _or(found, self._compared(name, field, "==", self._next()))
        return found

    def _compared(self, name: str, field: Field, word: str, text: str) -> Test:
        compare = _OPERATORS[word]
        if field.is_address:
            if compare not in (operator.eq, operator.ne):
                raise self._error(f"addresses have no order, so {name} {word} means nothing", "use == or !=")
            return _address(field, self._network(name, text), compare is operator.ne)
        try:
            value = float(text) if "." in text or ("e" in text.lower() and not text.lower().startswith("0x")) else int(text, 0)
        except ValueError:
            raise self._error(f"'{text}' is no number, as {name} needs", f"write {name} {word} 80") from None
        return _number(field, compare, value)

    def _network(self, name: str, text: str) -> Any:
        try:
            network = ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise self._error(f"'{text}' is no address", f"write {name} == 10.1.0.0/16 or 2001:db8::/32") from None
        if network.version != (6 if name.startswith("ipv6") else 4):
            raise self._error(f"'{text}' is no address of {name}", "ip.* is IPv4, ipv6.* is IPv6")
        return network


def _or(a: Test, b: Test) -> Test:
    return lambda packets: a(packets) | b(packets)


def _and(a: Test, b: Test) -> Test:
    return lambda packets: a(packets) & b(packets)


def _not(a: Test) -> Test:
    return lambda packets: ~a(packets)


def _number(field: Field, compare: Callable[[Any, Any], Any], value: float) -> Test:
    combine = np.logical_and if compare is operator.ne else np.logical_or

    def test(packets: Packets) -> Mask:
        # In 64 bits: numpy refuses to compare a small type with a number that it cannot hold.
        columns = [field.convert(getattr(packets, name)) for name in field.columns]
        wide = [column if column.dtype == np.float64 else column.astype(np.int64) for column in columns]
        limit = value if isinstance(value, float) else max(-(2**63), min(2**63 - 1, value))
        result: Mask = combine.reduce([compare(column, limit) for column in wide]) & field.has(packets)
        return result

    return test


def _address(field: Field, network: Any, differs: bool) -> Test:
    size = 128 if network.version == 6 else 32
    mask = (1 << 128) - 1 ^ (1 << size - network.prefixlen) - 1
    wanted = int(network.network_address) | (MAPPED if size == 32 else 0)
    halves = [(np.uint64(mask >> shift & 2**64 - 1), np.uint64(wanted >> shift & 2**64 - 1)) for shift in (64, 0)]

    def test(packets: Packets) -> Mask:
        found = np.zeros(len(packets), np.bool_)
        for end in field.columns:
            high, low = ((getattr(packets, f"{end}_{part}") & bits) == value
                         for part, (bits, value) in zip(("high", "low"), halves, strict=True))  # fmt: skip
            found |= high & low
        return (~found if differs else found) & field.has(packets)

    return test
