"""Places and the round-trip times between them, as published; a pair that the table lacks is an estimate and says so.

It is data with its sources (see ../data/README.md), not a model of the Internet: the estimate is the great circle in
fibre times the median stretch of the network's published paths.
"""

from __future__ import annotations

import csv
import functools
import math
import statistics
from dataclasses import dataclass
from pathlib import Path

from topologies.emulator.setting import nearest

DATA = Path(__file__).parent.parent / "data"
EARTH_RADIUS_KM = 6371.0
FIBRE_KM_PER_MS = 299.792458 * 2 / 3
"""Light in fibre at two thirds of its speed in vacuum (refractive index 1.5), as ../data/README.md counts it."""


class PlaceError(ValueError):
    """A place or a network that the tables do not know; the message names the nearest."""


@dataclass(frozen=True)
class Place:
    """A city or cloud region. Coordinates are degrees north and east."""

    name: str
    country: str
    latitude: float
    longitude: float

    @property
    def slug(self) -> str:
        """The name as a part of a host name: `hong-kong`."""
        return self.name.lower().replace(" ", "-")


@dataclass(frozen=True)
class Rtt:
    """A round-trip time and where it is from."""

    ms: float
    source: str
    estimate: bool


@functools.cache
def places() -> dict[str, Place]:
    """All places by slug."""
    with (DATA / "places.csv").open(encoding="utf-8") as file:
        rows = [Place(r["place"], r["country"], float(r["latitude"]), float(r["longitude"]))
                for r in csv.DictReader(file)]  # fmt: skip
    return {place.slug: place for place in rows}


@functools.cache
def _table() -> dict[str, dict[frozenset[str], tuple[float, str]]]:
    networks: dict[str, dict[frozenset[str], tuple[float, str]]] = {}
    with (DATA / "rtt_ms.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            pairs = networks.setdefault(row["network"], {})
            pairs[frozenset((row["a"], row["b"]))] = (float(row["rtt_ms"]), row["date"])
    return networks


def find(name: str) -> Place:
    """The place of that name; case, spaces and hyphens do not matter. Raises PlaceError."""
    slug = "-".join(name.strip().lower().replace("-", " ").split())
    if slug not in places():
        names = [place.name for place in places().values()]
        raise PlaceError(f"there is no place '{name}' in the table; {nearest(name, names)}")
    return places()[slug]


def networks() -> list[str]:
    """The networks whose figures the table holds."""
    return sorted(_table())


def great_circle_km(a: Place, b: Place) -> float:
    """Distance on a sphere of the Earth's mean radius (haversine)."""
    lat_a, lat_b = math.radians(a.latitude), math.radians(b.latitude)
    half_lat, half_lon = (lat_b - lat_a) / 2, math.radians(b.longitude - a.longitude) / 2
    h = math.sin(half_lat) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(half_lon) ** 2
    return 2 * EARTH_RADIUS_KM * math.asin(math.sqrt(h))


def light_rtt_ms(a: Place, b: Place) -> float:
    """The least round-trip time that physics allows a fibre on the great circle."""
    return 2 * great_circle_km(a, b) / FIBRE_KM_PER_MS


@functools.cache
def median_stretch(network: str) -> float:
    """Median over the network's pairs of published RTT over light in fibre."""
    by_name = {place.name: place for place in places().values()}
    pairs = _table()[network].items()
    return statistics.median(ms / light_rtt_ms(*(by_name[name] for name in pair)) for pair, (ms, _) in pairs)


def rtt(a: Place, b: Place, network: str) -> Rtt:
    """Published RTT of a pair in a network, else an estimate. Raises PlaceError for an unknown network."""
    if network not in _table():
        raise PlaceError(f"there is no network '{network}' in the table; {nearest(network, networks())}")
    published = _table()[network].get(frozenset((a.name, b.name)))
    if published:
        return Rtt(published[0], f"{network} {published[1]}", estimate=False)
    stretch = median_stretch(network)
    kilometres = great_circle_km(a, b)
    ms = round(light_rtt_ms(a, b) * stretch, 1)
    source = f"estimate: {kilometres:,.0f} km of fibre x {stretch:.2f}, the median stretch of {network}"
    return Rtt(ms, source, estimate=True)


def too_fast(a: Place, b: Place, rtt_ms: float) -> str:
    """A warning when an RTT beats light in fibre over the great circle; else empty."""
    least = light_rtt_ms(a, b)
    if rtt_ms >= least:
        return ""
    distance = f"{great_circle_km(a, b):,.0f} km"
    return (f"{a.name} - {b.name}: {rtt_ms:.4g} ms is below the {least:.4g} ms that light in fibre needs for {distance} "
            "and back; the link is built, but these are not those places")  # fmt: skip
