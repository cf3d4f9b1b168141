"""Who may be chosen: zones with their distance, nodes with zone, address, weight and drain. One immutable value.

It knows nothing of health. It is read from TOML or JSON (as data), and changed only by making another one: a change is
merged into the whole (RFC 7396), the whole is checked, and then it replaces the old one or does not.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from nodes.http.origin_address import Origin, parse_origin
from units import UnitError, milliseconds

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}", re.ASCII)
"""Of zones and nodes: it stands in fields and logs as it is."""

MOST_NODES = 10_000


class MembersError(ValueError):
    """What is wrong, where, and what is allowed."""


@dataclass(frozen=True)
class Zone:
    """`capacity` None: the sum of its nodes' weights."""

    name: str
    distance_ms: float = 0.0
    capacity: float | None = None


@dataclass(frozen=True)
class Node:
    """A node that `drain`s takes no new requests."""

    name: str
    zone: str
    address: Origin
    weight: float = 1.0
    drain: bool = False

    @property
    def url(self) -> str:
        """As it is written."""
        return f"{self.address.scheme}://{self.address.where}"


@dataclass(frozen=True)
class Members:
    """Zones and nodes by name, in the order in which they were written."""

    zones: Mapping[str, Zone]
    nodes: Mapping[str, Node]

    def data(self) -> dict[str, Any]:
        """As JSON has it; `parse` of it gives an equal value."""
        zones: dict[str, dict[str, Any]] = {}
        for zone in self.zones.values():
            zones[zone.name] = {"distance": f"{zone.distance_ms:g}ms"}
            if zone.capacity is not None:
                zones[zone.name]["capacity"] = zone.capacity
        nodes = {
            node.name: {"zone": node.zone, "url": node.url, "weight": node.weight, "drain": node.drain}
            for node in self.nodes.values()
        }  # fmt: skip
        return {"zones": zones, "nodes": nodes}


def from_toml(text: str) -> Members:
    """Raises MembersError."""
    try:
        return parse(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise MembersError(f"it is not TOML: {error}") from error


def from_json(text: str) -> Members:
    """Raises MembersError."""
    return parse(json_data(text))


def merged(members: Members, change: Any) -> Members:
    """With a change as RFC 7396 has it: what it names is replaced, what it sets to null is gone. Raises MembersError."""
    if not isinstance(change, dict):
        raise MembersError("a change is an object such as {\"nodes\": {\"edge1\": {\"drain\": true}}}")
    for name, one in _object(change.get("nodes", {}), "nodes").items():
        if name not in members.nodes and isinstance(one, dict) and "url" not in one:
            raise MembersError(f"there is no node '{name}' to change; there are {_some(members.nodes)}")
    return parse(_merge(members.data(), change))


def json_data(text: str) -> Any:
    """JSON in which no name stands twice. Raises MembersError."""

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        if len(found) < len(items):
            names = [name for name, _ in items]
            twice = next(name for name in names if names.count(name) > 1)
            raise MembersError(f"'{twice}' stands twice; each name stands once")
        return found

    try:
        return json.loads(text, object_pairs_hook=pairs)
    except (json.JSONDecodeError, RecursionError) as error:
        raise MembersError(f"it is not JSON: {error}") from error


def parse(data: Any) -> Members:
    """Checks everything. Raises MembersError."""
    whole = _object(data, "the members", ("zones", "nodes"))
    zones = {name: _zone(name, one) for name, one in _object(whole.get("zones", {}), "zones").items()}
    nodes = {name: _node(name, one) for name, one in _object(whole.get("nodes", {}), "nodes").items()}
    if not nodes:
        raise MembersError("there is no node; write at least one, such as [nodes.edge1] with zone and url")
    if len(nodes) > MOST_NODES:
        raise MembersError(f"there are {len(nodes)} nodes; {MOST_NODES} are allowed")
    at: dict[Origin, str] = {}
    for node in nodes.values():
        if node.zone not in zones:
            raise MembersError(f"node '{node.name}' is in zone '{node.zone}', which is not there; zones are {_some(zones)}")
        if node.address in at:
            raise MembersError(f"nodes '{at[node.address]}' and '{node.name}' are both at {node.url}; give each its own")
        at[node.address] = node.name
    return Members(MappingProxyType(zones), MappingProxyType(nodes))


def _zone(name: str, data: Any) -> Zone:
    where = f"zone '{_name(name)}'"
    one = _object(data, where, ("distance", "capacity"))
    distance_ms = _value(where, "distance", one.get("distance", "0ms"), _duration)
    capacity = one.get("capacity")
    return Zone(name, distance_ms, None if capacity is None else _value(where, "capacity", capacity, _above_zero))


def _node(name: str, data: Any) -> Node:
    where = f"node '{_name(name)}'"
    one = _object(data, where, ("zone", "url", "weight", "drain"))
    for needed in ("zone", "url"):
        if not isinstance(one.get(needed), str):
            raise MembersError(f"{where} has no {needed}; write one, such as zone = \"az1\" and url = \"http://10.0.0.1:80\"")
    drain = one.get("drain", False)
    if not isinstance(drain, bool):
        raise MembersError(f"{where} has drain {drain!r}; true and false are allowed")
    return Node(name, one["zone"], _value(where, "url", one["url"], parse_origin),
                _value(where, "weight", one.get("weight", 1.0), _above_zero), drain)  # fmt: skip


def _value(where: str, name: str, value: Any, parse: Callable[[Any], Any]) -> Any:
    try:
        return parse(value)
    except (ValueError, UnitError) as error:
        raise MembersError(f"{where} has {name} {value!r}: {error}") from error


def _above_zero(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise ValueError("a number above zero is allowed; a node that is to have no traffic drains")
    return float(value)


def _duration(value: Any) -> float:
    if not isinstance(value, str):
        raise ValueError("a text with a unit is allowed, such as 2ms")
    found = milliseconds(value)
    if found < 0:
        raise ValueError("it is below zero")
    return found


def _object(data: Any, what: str, allowed: tuple[str, ...] = ()) -> dict[str, Any]:
    if not isinstance(data, dict):
        raise MembersError(f"{what}: {data!r} is not a table of names")
    for name in data:
        if allowed and name not in allowed:
            raise MembersError(f"{what}: '{name}' is not known; {', '.join(allowed)} are")
    return data


def _name(name: str) -> str:
    if not NAME.fullmatch(name):
        raise MembersError(f"'{name}' is not a name; letters, digits and . _ - are, at most 100")
    return name


def _merge(old: Any, change: Any) -> Any:
    if not isinstance(change, dict):
        return change
    found = dict(old) if isinstance(old, dict) else {}
    for name, value in change.items():
        if value is None:
            found.pop(name, None)
        else:
            found[name] = _merge(found.get(name), value)
    return found


def _some(names: Mapping[str, Any]) -> str:
    shown = list(names)[:8]
    return ", ".join(shown) + (", ..." if len(names) > len(shown) else "") if shown else "none"
