"""The configuration of fill: sites with their edges, windows and limits, and the catalogue. Checked whole before anything runs.

It reads no file; TOML comes as text. `example.toml` is the one to copy.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from nodes.http.origin_address import parse_origin
from nodes.steering.fill.errors import FillError
from nodes.steering.fill.night import FillSite
from nodes.steering.fill.placement import Edge
from nodes.steering.fill.plan import Limits
from nodes.steering.fill.sources import Site
from nodes.steering.fill.window import Days, Window
from units import UnitError, bits_per_second, byte_count, milliseconds

MOST_HOURS = 24.0


class ConfigError(ValueError):
    """A configuration that cannot be; the message names the place and what is allowed there."""


@dataclass(frozen=True)
class EdgeAt:
    """Where an edge is reached, and where it writes what it served (empty: nowhere that we can read)."""

    url: str
    log: str


@dataclass(frozen=True)
class Config:
    """Everything that fill is told."""

    origin: str
    steering: str
    days: Days
    half_life_days: float
    plays_per_replica: float
    sites: Mapping[str, FillSite]
    windows: Mapping[str, Window]
    edges: Mapping[str, EdgeAt]
    sizes_bytes: Mapping[str, int]


def parse(text: str, now_s: float) -> Config:
    """A configuration from TOML; its days begin at `now_s` unless it says otherwise. Raises ConfigError."""
    try:
        top = _Part(tomllib.loads(text), "the configuration")
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"it is not TOML: {error}") from error
    top.only("origin", "steering", "day", "midnight", "half_life_days", "plays_per_replica", "site", "file", "files")
    sizes = _catalogue(top)
    days_s = top.value("day", lambda text: milliseconds(text) / 1e3, "24h")
    midnight_s = now_s if top.given("midnight") == "now" else top.number("midnight", 0.0)
    sites, windows, edges = dict[str, FillSite](), dict[str, Window](), dict[str, EdgeAt]()
    for part in top.parts("site"):
        name = part.text("name")
        if name in sites:
            raise ConfigError(f"there are two sites called {name}")
        sites[name], windows[name] = _site(part, name, Days(days_s), edges), _window(part)
    if not sites:
        raise ConfigError("there is no [[site]]; fill at least one")
    for name, one in sites.items():
        if unknown := [tier for tier in one.site.tiers if tier not in sites]:
            raise ConfigError(f"the site {name} has the tier {unknown[0]}, which is no site")
    return Config(top.value("origin", _url), top.value("steering", _url, ""), Days(days_s, midnight_s),
                  top.number("half_life_days", 2.0), top.number("plays_per_replica", math.inf), sites, windows, edges,
                  sizes)  # fmt: skip


def _catalogue(top: _Part) -> dict[str, int]:
    """Sizes by path: `files` is a table of them, `[[file]]` has `path` and `size`."""
    sizes = dict[str, int]()
    for path, size in {**top.table("files")}.items():
        sizes[path] = _size(f"files.{path}", size)
    for part in top.parts("file"):
        sizes[part.text("path")] = part.value("size", _above_zero(byte_count))
    if wrong := [path for path, size in sizes.items() if not path.startswith("/") or size <= 0]:
        raise ConfigError(f"the file {wrong[0]!r} is no path with a size above zero; write for example /objects/64KiB/a")
    return sizes


def _site(part: _Part, name: str, days: Days, edges: dict[str, EdgeAt]) -> FillSite:
    part.only("name", "region", "tiers", "utc_offset", "window", "disk", "rate", "edge")
    found = []
    for one in part.parts("edge"):
        one.only("name", "url", "log", "throughput", "disk")
        edge = one.text("name")
        if edge in edges:
            raise ConfigError(f"there are two edges called {edge}")
        edges[edge] = EdgeAt(one.value("url", _url), one.text("log", ""))
        throughput = one.value("throughput", _above_zero(bits_per_second), "1gbit")
        found.append(Edge(edge, throughput, one.value("disk", _above_zero(byte_count))))
    if not found:
        raise ConfigError(f"the site {name} has no [[site.edge]]")
    disk = sum(int(edge.storage_bytes) for edge in found)
    if part.given("disk"):
        disk = part.value("disk", _above_zero(byte_count))
    limits = Limits(disk, part.value("rate", _above_zero(bits_per_second)), days.seconds(_window(part).length_h))
    tiers = part.given("tiers") or []
    if not isinstance(tiers, list) or not all(isinstance(tier, str) for tier in tiers):
        raise ConfigError(f"{part.where('tiers')} {tiers!r} is not a list of sites")
    return FillSite(Site(name, part.text("region"), tuple(tiers)), tuple(found), limits)


def _window(part: _Part) -> Window:
    ends = part.given("window") or ["02:00", "06:00"]
    if not isinstance(ends, list) or len(ends) != 2:
        raise ConfigError(f'{part.where("window")} {ends!r} is not two times; write for example ["02:00", "06:00"]')
    try:
        return Window(_clock(ends[0]), _clock(ends[1]), _offset(part.given("utc_offset") or "+00:00"))
    except (ValueError, FillError) as error:
        raise ConfigError(f"{part.where('window')}: {error}") from error


def _clock(text: object) -> float:
    hours, colon, minutes = str(text).partition(":")
    if not colon or not (hours.isdecimal() and minutes.isdecimal()) or int(hours) > 23 or int(minutes) > 59:
        raise ValueError(f"'{text}' is not a time of day; write for example 02:30")
    return int(hours) + int(minutes) / 60


def _offset(text: object) -> float:
    said = str(text)
    if said[:1] not in ("+", "-"):
        raise ValueError(f"'{text}' is not an offset from UTC; write for example +05:30")
    return _clock(said[1:]) * (-1 if said[0] == "-" else 1)


def _above_zero(convert: Callable[[str], float]) -> Callable[[str], float]:
    def checked(text: str) -> float:
        value = convert(text)
        if value <= 0:
            raise ValueError(f"'{text}' is not above zero")
        return value

    return checked


def _url(text: str) -> str:
    parse_origin(text)
    return text.rstrip("/")


def _size(where: str, value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    try:
        return byte_count(str(value))
    except UnitError as error:
        raise ConfigError(f"{where}: {error}") from error


class _Part:
    """A table of the configuration, and what it is called in errors."""

    def __init__(self, values: Mapping[str, Any], name: str) -> None:
        self._values, self._name = values, name

    def where(self, key: str) -> str:
        """How a key is called."""
        return f"{key} of {self._name}"

    def only(self, *keys: str) -> None:
        """Raises ConfigError for other keys."""
        if unknown := sorted(set(self._values) - set(keys)):
            raise ConfigError(f"{self.where(unknown[0])} is unknown; there are {', '.join(keys)}")

    def given(self, key: str) -> Any:
        """The value, or None."""
        return self._values.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        """A text. Raises ConfigError."""
        value = self._values.get(key, default)
        if not isinstance(value, str) or (not value and default is None):
            raise ConfigError(f"{self.where(key)} {value!r} is not a text")
        return value

    def value(self, key: str, convert: Callable[[str], Any], default: str | None = None) -> Any:
        """A text converted. Raises ConfigError."""
        text = self.text(key, default)
        if text == default == "":
            return ""
        try:
            return convert(text)
        except (UnitError, ValueError) as error:
            raise ConfigError(f"{self.where(key)}: {error}") from error

    def number(self, key: str, default: float) -> float:
        """A number. Raises ConfigError."""
        value = self._values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0 or math.isnan(value):
            raise ConfigError(f"{self.where(key)} {value!r} is not a number from 0 on")
        return float(value)

    def table(self, key: str) -> Mapping[str, Any]:
        """A table, empty when it is not there. Raises ConfigError."""
        value = self._values.get(key, {})
        if not isinstance(value, dict):
            raise ConfigError(f"{self.where(key)} is not a table")
        return value

    def parts(self, key: str) -> list[_Part]:
        """Tables in a list. Raises ConfigError."""
        value = self._values.get(key, [])
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            raise ConfigError(f"{self.where(key)} is not a list of tables; write [[{key}]]")
        return [_Part(one, f"{key} {one.get('name', number)}") for number, one in enumerate(value, start=1)]
