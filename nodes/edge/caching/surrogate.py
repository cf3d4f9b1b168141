"""Surrogate-Control (Edge Architecture Specification, W3C Note of 2001): what an origin tells reverse proxies alone.

It ranks behind CDN-Cache-Control, which took its place (RFC 9213), and before Cache-Control. Not here: its `content`
directive, which is about processing.
"""

from __future__ import annotations

import re

from nodes.edge.caching.directives import Directives, split_list

DEVICE = "longhaul"
"""What an origin calls this edge when it speaks to it alone: `max-age=60;longhaul`."""

CAPABILITY = f'{DEVICE}="Surrogate/1.0"'
"""Sent in Surrogate-Capability, so that an origin knows that somebody obeys Surrogate-Control (section 2.2)."""

_MAX_AGE = re.compile(r"max-age=(\d{1,18})(?:\+(\d{1,18}))?", re.ASCII | re.IGNORECASE)


def directives_of(value: str) -> Directives | None:
    """Its directives; None when none is for this edge or none is known. Those for this edge alone go before those for all.

    In `max-age=60+30` the second number is how long it may be used while it is validated (section 2.3).
    """
    found: dict[str, tuple[str | None, ...]] = {}
    for own in (False, True):
        for member in split_list(value):
            directive, *targets = member.split(";")
            if own != any(target.strip().lower() == DEVICE for target in targets) or (targets and not own):
                continue
            if directive.lower() == "no-store":
                found = {"no-store": (None,)}
            elif match := _MAX_AGE.fullmatch(directive):
                found.pop("no-store", None)
                found["max-age"] = (match[1],)
                if match[2]:
                    found["stale-while-revalidate"] = (match[2],)
    return Directives(found) if found else None
