"""A balancer's access log, decided once more: the same requests at the same times go through the pure balance. It asks nobody.

Only for balancers without checks and with a seed: then nothing but the log's requests has a say in what is chosen.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from heapq import heappop, heappush
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

from nodes.balancer.balance import Balance, Member, Settings
from nodes.balancer.forwarding import UTILISATION, utilisation
from nodes.balancer.members import Members
from nodes.http.message import Fields

Record = Mapping[str, Any]
NEAR_S = 0.0005
"""Of two things so near each other a log does not tell which was first."""


@dataclass
class Replayed:
    """`wrong`: where the log and the balance differ, in words; `unclear`: how many requests came so near another's answer that
    they may. The rest is of the log: first choices by node, requests by reason, and how many were under way at most."""

    wrong: list[str] = field(default_factory=list)
    unclear: int = 0
    first: Counter[str] = field(default_factory=Counter)
    reasons: Counter[str] = field(default_factory=Counter)
    together: int = 0


def replayed(records: Iterable[Record], members: Members, settings: Settings, seed: int) -> Replayed:
    """The records of one balancer, in any order."""
    told, found = sorted(records, key=began_s), Replayed()
    balance = Balance(members, settings, Random(seed), began_s(told[0]))
    due: list[tuple[float, int, Callable[[], None]]] = []
    for number, record in enumerate(told):
        now_s = began_s(record)
        found.unclear += any(abs(at_s - now_s) < NEAR_S for at_s, *_ in due)
        while due and due[0][0] <= now_s:
            heappop(due)[2]()
        found.together = max(found.together, 1 + len(due) // 2)
        key, failures = record["target"], attempts(record)[: record["tries"] - int(record["status"] < 500)]
        placed = balance.place(key, now_s)
        for tried, name in enumerate(attempts(record)):
            chosen = placed.node.name if placed is not None else "nobody"
            if chosen != name:
                found.wrong.append(f"request {number}, try {tried + 1}: {name} where {chosen} is due")
            if not tried:
                found.first[name] += 1
            member = balance.by_name[name]
            balance.began(member)
            if tried < len(failures):
                balance.answered(member, now_s, 0.0, ok=False)
                balance.ended(member)
                if placed is not None and not tried:
                    placed = balance.elsewhere(key, now_s, placed)
                continue
            if placed is not None and placed.reason != record["reason"]:
                found.wrong.append(f"request {number}: because '{record['reason']}' where '{placed.reason}' is due")
            found.reasons[record["reason"]] += 1
            took_s = record["upstream_ms"] / 1e3
            ends_s = record["ts_ns"] / 1e9
            heads_s = now_s + took_s if not tried else ends_s  # when the second try began no log says
            heappush(due, (heads_s, 2 * number, answers(balance, member, heads_s, took_s, key)))
            heappush(due, (max(ends_s, heads_s), 2 * number + 1, lambda member=member: balance.ended(member)))
    return found


def answers(balance: Balance, member: Member, now_s: float, took_s: float, target: str) -> Callable[[], None]:
    """The head of an answer comes; what the node says of itself stands in the request's script (`header=NAME:VALUE`)."""
    said = [value.split(":", 1) for value in parse_qs(urlsplit(target).query).get("header", [])]
    reported = next((utilisation(Fields([(name, value)])) for name, value in said if name.lower() == UTILISATION), None)
    return lambda: balance.answered(member, now_s, took_s, ok=True, utilisation=reported)


def attempts(record: Record) -> list[str]:
    """The nodes that a request was sent to, in order."""
    failed = re.findall(r"(?:^|; )([\w.-]+): ", record.get("failed", ""))
    return failed if len(failed) == record["tries"] else [*failed, record["chosen_node"]]


def began_s(record: Record) -> float:
    """When its head was there, by the time of day."""
    return float(record["ts_ns"] / 1e9 - record["duration_ms"] / 1e3)
