"""Network graphs of the Shadow simulator (GML), read and checked. It builds nothing.

A node is a place where hosts attach, with the bandwidth of each of them; an edge has latency and loss, and no bandwidth. See
Shadow's "Network Graph Specification". Units may be spelled out as Shadow allows (`10 milliseconds`, `1 gigabit`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import units
from topologies.emulator.setting import SettingError

NODE = {"id", "label", "host_bandwidth_up", "host_bandwidth_down"}
EDGE = {"source", "target", "label", "latency", "jitter", "packet_loss"}
SPELLED = {
    r"nanosec(ond)?s?": "ns", r"microsec(ond)?s?": "us", r"millisec(ond)?s?": "ms", r"sec(ond)?s?": "s", r"minutes?": "min",
    r"kilobits?": "kbit", r"megabits?": "mbit", r"gigabits?": "gbit", r"terabits?": "tbit",
}  # fmt: skip


@dataclass(frozen=True)
class Place:
    """A node: what every host at it may send and receive, in bit/s."""

    name: str
    up_bps: int
    down_bps: int


@dataclass(frozen=True)
class Way:
    """One direction of an edge: one-way latency, half width of its jitter, and loss as a fraction."""

    latency_ms: float
    jitter_ms: float
    loss: float


@dataclass(frozen=True)
class Graph:
    """Places by id, and edges by (source, target): each pair in both directions, a place with itself where hosts share one."""

    places: Mapping[int, Place]
    ways: Mapping[tuple[int, int], Way]

    def longest_ms(self) -> float:
        """The longest one-way latency between two places, along shortest paths."""
        from networkx import DiGraph, all_pairs_dijkstra_path_length

        graph = DiGraph()
        graph.add_weighted_edges_from((*ends, way.latency_ms) for ends, way in self.ways.items())
        return max((float(ms) for _, found in all_pairs_dijkstra_path_length(graph) for ms in found.values()), default=0.0)


def read(path: Path) -> Graph:
    """A graph from a file. Raises SettingError, which names the file, the entry and what is allowed."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingError(f"could not read the graph {path}: {error.strerror}; give a GML file of Shadow's") from None
    except UnicodeDecodeError:
        raise SettingError(f"could not read the graph {path}: it is not text; give a GML file of Shadow's") from None
    except ValueError as error:
        raise SettingError(f"could not use the graph {path}: {error}; see Shadow's network graph specification") from None


def parse(text: str) -> Graph:
    """A graph from the text of a file. Raises ValueError."""
    import networkx

    try:
        found = networkx.parse_gml(text, label="id")
    except (networkx.NetworkXException, TypeError, RecursionError) as error:
        raise ValueError(f"it is no GML ({error})") from None
    places = {name: _place(name, values) for name, values in found.nodes(data=True)}
    if not places:
        raise ValueError("it has no node")
    ways: dict[tuple[int, int], Way] = {}
    for source, target, values in found.edges(data=True):
        ways[source, target] = _way(f"edge {source} - {target}", values)
        if not found.is_directed():
            ways[target, source] = ways[source, target]
    for source, target in ways:
        if (target, source) not in ways:
            raise ValueError(f"edge {source} - {target} has no edge back, and a link has two directions; add it")
    if not networkx.is_connected(found.to_undirected()):
        raise ValueError("not every node can reach every other")
    return Graph(places, ways)


def _place(name: int, values: Mapping[str, Any]) -> Place:
    at = f"node {name}"
    _known(at, values, NODE)
    up, down = (_quantity(at, values, f"host_bandwidth_{way}", units.bits_per_second, None) for way in ("up", "down"))
    if not (up > 0 and down > 0):
        raise ValueError(f"{at} has a bandwidth of nothing")
    return Place(str(name), int(up), int(down))


def _way(at: str, values: Mapping[str, Any]) -> Way:
    _known(at, values, EDGE)
    loss = values.get("packet_loss", 0.0)
    if not isinstance(loss, int | float) or not 0 <= loss < 1:
        raise ValueError(f"{at} has packet_loss {loss!r}, which is no number from 0 to below 1")
    latency_ms = _quantity(at, values, "latency", units.milliseconds, None)
    if latency_ms <= 0:
        raise ValueError(f"{at} has a latency of nothing")
    return Way(latency_ms, _quantity(at, values, "jitter", units.milliseconds, 0.0), float(loss))


def _known(at: str, values: Mapping[str, Any], allowed: set[str]) -> None:
    if unknown := sorted(set(values) - allowed):
        raise ValueError(f"{at} has {unknown[0]}, of which nothing would come; leave it out")


def _quantity(at: str, values: Mapping[str, Any], name: str, convert: Callable[[str], float], default: float | None) -> float:
    if name not in values:
        if default is None:
            raise ValueError(f"{at} has no {name}")
        return default
    text = str(values[name])
    for spelled, short in SPELLED.items():
        text = re.sub(rf"(?i)(?<=[\d\s]){spelled}\s*$", short, text)
    try:
        return convert(text)
    except units.UnitError as error:
        raise ValueError(f"{at}, {name}: {error}") from None
