"""Policies and admission rules by name: the file `s3fifo.py` is the name `s3fifo`, `w_tinylfu.py` is `w-tinylfu`.

It has no list: it looks into the folders.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

from nodes.edge import policies
from nodes.edge.policies import admission
from nodes.edge.policies.machinery.admission import Admission
from nodes.edge.policies.machinery.policy import Policy


def policy_names(*, offline: bool = True) -> list[str]:
    """All eviction policies; without those that must know the future when `offline` is false."""
    return [name for name in _names(policies) if offline or not policy(name).offline]


def admission_names() -> list[str]:
    """All admission rules."""
    return _names(admission)


def policy(name: str) -> type[Policy]:
    """The policy's class. Raises ValueError that names what there is."""
    found: type[Policy] = _class(policies, name, Policy, "eviction policy")
    return found


def admission_rule(name: str) -> type[Admission]:
    """The admission rule's class. Raises ValueError that names what there is."""
    found: type[Admission] = _class(admission, name, Admission, "admission rule")
    return found


def _names(folder: ModuleType) -> list[str]:
    return [found.name.replace("_", "-") for found in pkgutil.iter_modules(folder.__path__) if not found.ispkg]


def _class(folder: ModuleType, name: str, base: type, kind: str) -> Any:
    if name not in _names(folder):
        raise ValueError(f"there is no {kind} '{name}'; choose one of {', '.join(_names(folder))}")
    module = importlib.import_module(f"{folder.__name__}.{name.replace('-', '_')}")
    return next(value for value in vars(module).values()
                if inspect.isclass(value) and issubclass(value, base) and value.__module__ == module.__name__)  # fmt: skip
