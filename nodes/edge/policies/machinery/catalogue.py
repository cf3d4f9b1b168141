"""Policies and admission rules by name: the file `s3fifo.py` is the name `s3fifo`, `w_tinylfu.py` is `w-tinylfu`.

It has no list: it looks into the folders.
"""

from __future__ import annotations

from nodes import by_file
from nodes.edge import policies
from nodes.edge.policies import admission
from nodes.edge.policies.machinery.admission import Admission
from nodes.edge.policies.machinery.policy import Policy


def policy_names(*, offline: bool = True) -> list[str]:
    """All eviction policies; without those that must know the future when `offline` is false."""
    return [name for name in by_file.names(policies) if offline or not policy(name).offline]


def admission_names() -> list[str]:
    """All admission rules."""
    return by_file.names(admission)


def policy(name: str) -> type[Policy]:
    """The policy's class. Raises ValueError that names what there is."""
    found: type[Policy] = by_file.find(policies, name, Policy, "eviction policy")
    return found


def admission_rule(name: str) -> type[Admission]:
    """The admission rule's class. Raises ValueError that names what there is."""
    found: type[Admission] = by_file.find(admission, name, Admission, "admission rule")
    return found
