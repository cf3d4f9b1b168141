"""Which node a request goes to: a zone by the zone rule, then a node of it by the node rule, among those that are healthy.

It sends and asks nothing: results of checks and of requests are told to it. Time and chance are given to it. What it decides
depends on nothing else, so a replay of the same calls decides the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import NamedTuple

from nodes.balancer.catalogue import node_rule, zone_rule
from nodes.balancer.health import outliers
from nodes.balancer.health.checks import Checked
from nodes.balancer.health.outliers import Outliers
from nodes.balancer.health.slow_start import share
from nodes.balancer.members import Members, Node
from nodes.balancer.picks.machinery.node_state import NodeState
from nodes.balancer.picks.machinery.pick import Pick
from nodes.balancer.zones.machinery.zone_rule import ZoneState

ZONE_IN_TROUBLE = 2
"""So many failures in a row in one zone: a second try goes to another zone."""


@dataclass(frozen=True)
class Settings:
    """How the balance judges; see `longhaul node balancer --help`."""

    zone_rule: str = "nearest"
    node_rule: str = "round-robin"
    rise: int = 2
    fall: int = 3
    slow_start_s: float = 0.0
    outliers: outliers.Limits = field(default_factory=outliers.Limits)


class Member:
    """A node with what is known of it."""

    __slots__ = ("checked", "node", "state", "zone")

    def __init__(self, node: Node, state: NodeState, checked: Checked, zone: ZonePart) -> None:
        self.node, self.state, self.checked, self.zone = node, state, checked, zone


class ZonePart:
    """A zone, its members, and the node rule over those that may be used."""

    __slots__ = ("everyone", "failed", "members", "pick", "state")

    def __init__(self, state: ZoneState) -> None:
        self.state = state
        self.members: list[Member] = []
        self.pick: Pick | None = None
        """Over healthy nodes; None when there is none."""
        self.everyone: Pick | None = None
        """Over all that do not drain, for panic; made when it is first needed."""
        self.failed = 0
        """Failures in a row, of whichever node."""


class Placed(NamedTuple):
    """Where a request goes, and why: the zone rule's reason, then the node's, such as `nearest; round-robin`."""

    member: Member
    reason: str

    @property
    def node(self) -> Node:
        """The node itself."""
        return self.member.node


class Balance:
    """See the module. `now_s` is a clock that never goes back."""

    def __init__(self, members: Members, settings: Settings, random: Random, now_s: float) -> None:
        self.settings, self._random = settings, random
        self._zone_rule = zone_rule(settings.zone_rule)()
        self._make_pick = node_rule(settings.node_rule)
        self._outliers = Outliers(settings.outliers)
        self._slow: set[NodeState] = set()
        self._due_s = float("inf")
        self.by_name: dict[str, Member] = {}
        self._parts: dict[str, ZonePart] = {}
        self.members = members
        self._take(members, now_s, settle=False)

    def replace(self, members: Members, now_s: float) -> None:
        """New members; what is known of nodes whose address stays is kept."""
        self._take(members, now_s, settle=True)

    def place(self, key: str, now_s: float) -> Placed | None:
        """Where a request goes; None when every node drains."""
        if now_s >= self._due_s:
            self.wake(now_s)
        if not self._healthy:
            return self._at_random_health(key, now_s)
        zone, reason, panic = self._zone_rule.choose(self._seen, self._random)
        part = self._parts[zone.name]
        if panic or part.pick is None:
            return self._placed(self._everyone(part).pick(key, now_s), reason)
        state = part.pick.pick(key, now_s)
        if state in self._slow and self._random.random() >= share(now_s - state.since_s, self.settings.slow_start_s):
            other = part.pick.other(key, now_s, state)
            if other is not None:
                return self._placed(other, f"{reason}; slow-start")
        return self._placed(state, reason)

    def elsewhere(self, key: str, now_s: float, failed: Placed) -> Placed | None:
        """Where a request goes that could not be answered there: in the same zone, or in the nearest other when this one has
        nobody else or is in trouble itself. None when there is nowhere."""
        part, others = self._parts.get(failed.node.zone), sorted(
            (one for name, one in self._parts.items() if name != failed.node.zone and one.pick is not None),
            key=lambda one: one.state.distance_ms)  # fmt: skip
        state = part.pick.other(key, now_s, failed.member.state) if part is not None and part.pick is not None else None
        if others and (state is None or part is None or part.failed >= ZONE_IN_TROUBLE):
            assert others[0].pick is not None
            return self._placed(others[0].pick.pick(key, now_s), "retry in another zone")
        if state is None and part is not None and part.state.nodes > 1:
            state = self._everyone(part).other(key, now_s, failed.member.state)
        return None if state is None else self._placed(state, "retry")

    def began(self, member: Member) -> None:
        """A request is on its way there."""
        member.state.active += 1
        member.zone.state.active += 1

    def answered(self, member: Member, now_s: float, took_s: float, *, ok: bool, utilisation: float | None = None) -> None:
        """The head of its answer is there, or will never be."""
        state, part = member.state, member.zone
        if self.by_name.get(state.name) is not member:
            return  # it is no member any more
        if utilisation is not None:
            state.utilisation, state.utilisation_at_s = utilisation, now_s
        if part.pick is not None:
            part.pick.answered(state, now_s, took_s, ok)
        if ok:
            state.answers += 1
            part.failed = 0
            self._outliers.succeeded(state.name)
            return
        part.failed += 1
        if self._outliers.failed(state.name, now_s, len(self.by_name)) is not None:
            self._settle(part)
            self._plan()

    def ended(self, member: Member) -> None:
        """The request is over."""
        member.state.active -= 1
        member.zone.state.active -= 1

    def checked(self, name: str, now_s: float, *, ok: bool) -> bool:
        """A check's result; whether the node's health has changed."""
        member = self.by_name.get(name)
        if member is None or not member.checked.result(ok):
            return False
        if ok:
            self._fresh(member.state, now_s)
        self._settle(member.zone)
        return True

    def wake(self, now_s: float) -> None:
        """What is over by now ends: an ejected node returns, a slow start is over. Each request does it; who asks how nodes are
        without one does it before."""
        for name in self._outliers.returned(now_s):
            member = self.by_name[name]
            self._fresh(member.state, now_s)
            self._settle(member.zone)
        window_s = self.settings.slow_start_s
        self._slow = {state for state in self._slow if now_s - state.since_s < window_s}
        self._plan()

    @property
    def anyone(self) -> bool:
        """Whether some node is healthy."""
        return bool(self._healthy)

    def health(self, member: Member) -> str:
        """One word: draining, down, ejected, slow-start or up."""
        if member.node.drain:
            return "draining"
        if not member.checked.up:
            return "down"
        if self._outliers.is_out(member.state.name):
            return "ejected"
        return "slow-start" if member.state in self._slow else "up"

    def zones(self) -> Sequence[ZoneState]:
        """All zones with a node, as the zone rule sees them."""
        return [part.state for part in self._parts.values()]

    # -- inside ---------------------------------------------------------------------------------------------------
    def _take(self, members: Members, now_s: float, *, settle: bool) -> None:
        """`settle`: nodes that were not there before start slowly."""
        before, self.by_name, self.members = self.by_name, {}, members
        old_parts = self._parts
        self._parts = {}
        for node in members.nodes.values():
            part = self._parts.get(node.zone)
            if part is None:
                zone = members.zones[node.zone]
                part = self._parts[node.zone] = ZonePart(ZoneState(zone.name, distance_ms=zone.distance_ms))
                if node.zone in old_parts:
                    part.failed = old_parts[node.zone].failed
            known = before.get(node.name)
            if known is not None and known.node.address == node.address:
                member = known
                if known.node.drain and not node.drain:
                    self._fresh(known.state, now_s)
                member.node, member.zone = node, part
            else:
                self._outliers.forget(node.name)
                checked = Checked(self.settings.rise, self.settings.fall)
                member = Member(node, NodeState(node.name, since_s=now_s), checked, part)
                if settle:
                    self._fresh(member.state, now_s)
            member.state.weight = node.weight
            part.members.append(member)
            part.state.active += member.state.active
            self.by_name[node.name] = member
        for name in before.keys() - self.by_name.keys():
            self._outliers.forget(name)
        self._slow &= {member.state for member in self.by_name.values()}
        for name, part in self._parts.items():
            weights = sum(one.node.weight for one in part.members if not one.node.drain)
            part.state.capacity = members.zones[name].capacity or weights or 1.0
        self._zone_rule = zone_rule(self.settings.zone_rule)()
        for part in self._parts.values():
            self._settle(part)
        self._plan()

    def _settle(self, part: ZonePart) -> None:
        """Health or members of a zone have changed."""
        taking = [member for member in part.members if not member.node.drain]
        healthy = [one for one in taking if one.checked.up and not self._outliers.is_out(one.state.name)]
        part.state.nodes, part.state.healthy = len(taking), len(healthy)
        part.pick = self._make_pick([one.state for one in healthy], self._random) if healthy else None
        part.everyone = part.pick if len(healthy) == len(taking) else None
        parts = [one for one in self._parts.values() if one.state.nodes]
        self._healthy = [one.state for one in parts if one.state.healthy]
        self._seen = [one.state for one in parts] if self._zone_rule.sees_all else self._healthy

    def _everyone(self, part: ZonePart) -> Pick:
        if part.everyone is None:
            states = [member.state for member in part.members if not member.node.drain]
            part.everyone = self._make_pick(states, self._random)
        return part.everyone

    def _at_random_health(self, key: str, now_s: float) -> Placed | None:
        """Nobody is healthy: better to ask one that may be than to refuse all, as if all were healthy."""
        parts = [part for part in self._parts.values() if part.state.nodes]
        if not parts:
            return None
        as_if = [ZoneState(part.state.name, distance_ms=part.state.distance_ms, capacity=part.state.capacity,
                           nodes=part.state.nodes, healthy=part.state.nodes, active=part.state.active)
                 for part in parts]  # fmt: skip
        zone = self._zone_rule.choose(as_if, self._random).zone
        return self._placed(self._everyone(self._parts[zone.name]).pick(key, now_s), "all down")

    def _placed(self, state: NodeState, reason: str) -> Placed:
        return Placed(self.by_name[state.name], reason)

    def _fresh(self, state: NodeState, now_s: float) -> None:
        """A node begins, or begins again."""
        state.since_s, state.answers = now_s, 0
        state.failures = 0.0
        if self.settings.slow_start_s > 0:
            self._slow.add(state)
            self._plan()

    def _plan(self) -> None:
        ends = [state.since_s + self.settings.slow_start_s for state in self._slow]
        self._due_s = min([self._outliers.next_s(), *ends])
