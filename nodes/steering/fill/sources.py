"""From where each file comes to each site: one copy crosses to a region, and its sites copy it from each other.

It orders copies; it makes none. Sources in order: a peer in the region, the region's tier (a larger cache), the origin.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

from nodes.steering.fill.errors import FillError

Kind = Literal["peer", "tier", "origin"]


@dataclass(frozen=True)
class Site:
    """A site of a region; `tiers` are the sites it may fetch from when no peer has a file, nearest first."""

    name: str
    region: str
    tiers: tuple[str, ...] = ()


@dataclass(frozen=True)
class Copy:
    """`after_master`: the source gets the file in this very fill, so the copy waits for that."""

    title: str
    site: str
    source: str
    kind: Kind
    after_master: bool = False


def master(title: str, sites: Collection[str]) -> str:
    """The site among these that fetches a file for all: rendezvous hashing (Thaler and Ravishankar, 1998), so that the work is
    spread, every site elects the same, and a site that goes leaves the elections of others as they are."""
    return max(sites, key=lambda site: (hashlib.blake2b(f"{title}\0{site}".encode(), digest_size=8).digest(), site))


def copies(wanted: Mapping[str, Collection[str]], holders: Mapping[str, Collection[str]], sites: Mapping[str, Site],
           origin: str, catalogue: Collection[str]) -> list[Copy]:  # fmt: skip
    """Every copy of a night, masters' before those that wait for them. `wanted`: titles by site; `holders`: sites by title;
    `catalogue`: what the origin has. Raises FillError for a site or a file that no one has."""
    regions: dict[str, dict[str, list[str]]] = {}
    for name, titles in wanted.items():
        if name not in sites:
            raise FillError(f"could not fill {name}: there is no such site")
        for title in titles:
            if name not in holders.get(title, ()):
                regions.setdefault(sites[name].region, {}).setdefault(title, []).append(name)
    first, then = list[Copy](), list[Copy]()
    for region, titles_of in regions.items():
        for title, names in titles_of.items():
            peers = sorted(one for one in holders.get(title, ()) if one in sites and sites[one].region == region)
            if peers:
                first += [Copy(title, name, master(f"{title}\0{name}", peers), "peer") for name in names]
                continue
            elected = master(title, names)
            first.append(_from_afar(title, sites[elected], holders, origin, catalogue))
            then += [Copy(title, name, elected, "peer", after_master=True) for name in names if name != elected]
    return first + then


def _from_afar(title: str, site: Site, holders: Mapping[str, Collection[str]], origin: str,
               catalogue: Collection[str]) -> Copy:  # fmt: skip
    for tier in site.tiers:
        if tier in holders.get(title, ()):
            return Copy(title, site.name, tier, "tier")
    if title not in catalogue:
        raise FillError(f"could not fill {site.name} with {title}: no peer, tier or origin has it; take it off the manifest")
    return Copy(title, site.name, origin, "origin")
