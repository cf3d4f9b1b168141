"""Zone rules and node rules by name: the file `zones/zone_avoidance.py` is the rule `zone-avoidance`.

It has no list: it looks into the folders.
"""

from __future__ import annotations

from nodes import by_file
from nodes.balancer import picks, zones
from nodes.balancer.picks.machinery.pick import Pick
from nodes.balancer.zones.machinery.zone_rule import ZoneRule


def zone_rule_names() -> list[str]:
    """All zone rules."""
    return by_file.names(zones)


def node_rule_names() -> list[str]:
    """All node rules."""
    return by_file.names(picks)


def zone_rule(name: str) -> type[ZoneRule]:
    """The zone rule's class. Raises ValueError that names what there is."""
    found: type[ZoneRule] = by_file.find(zones, name, ZoneRule, "zone rule")
    return found


def node_rule(name: str) -> type[Pick]:
    """The node rule's class. Raises ValueError that names what there is."""
    found: type[Pick] = by_file.find(picks, name, Pick, "node rule")
    return found
