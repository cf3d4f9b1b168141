"""What there is: topologies and experiments, found by the presence of their files. It keeps no list.

A file counts when it defines one class of the kind; its name on the command line is the file's, with `-` or `_`.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from types import ModuleType
from typing import TypeVar

import experiments
import topologies
from experiments.harness.experiment import Experiment
from experiments.harness.status import UsageError
from topologies.emulator.setting import SettingError, nearest
from topologies.emulator.topology import Topology

Kind = TypeVar("Kind", Topology, Experiment)


def names(package: ModuleType) -> list[str]:
    """Names of the files in a package's folder that are not folders themselves."""
    return sorted(module.name for module in pkgutil.iter_modules(package.__path__) if not module.ispkg)


def topology(name: str) -> type[Topology]:
    """The topology of that name. Raises UsageError."""
    return _load(topologies, name, Topology, "topology")


def experiment(name: str) -> type[Experiment]:
    """The experiment of that name. Raises UsageError."""
    return _load(experiments, name, Experiment, "experiment")


def summary(kind: type) -> str:
    """The first line of the docstring of a class's file."""
    return (importlib.import_module(kind.__module__).__doc__ or "").strip().splitlines()[0]


def parse_settings(given: list[str]) -> dict[str, str]:
    """`NAME=VALUE` texts as a mapping. Raises UsageError."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"could not set '{text}': it is not NAME=VALUE; write for example --set rtt=76ms")
        if name in found:
            raise UsageError(f"could not set {name}: it is given twice; give it once")
        found[name] = value
    return found


def build(kind: type[Experiment], given: Mapping[str, str]) -> Experiment:
    """An experiment with its topology, settings shared out between the two. Raises SettingError."""
    own, shared = kind.settings(), kind.topology.settings()
    for name in given:
        if name not in own and name not in shared:
            raise SettingError(f"could not set {name}: neither the experiment nor its topology has such a setting; "
                               f"{nearest(name, [*own, *shared])}")  # fmt: skip
    world = kind.topology(**{**kind.topology_settings, **{n: v for n, v in given.items() if n in shared}})
    return kind(world, {n: v for n, v in given.items() if n in own})


def _load(package: ModuleType, name: str, base: type[Kind], what: str) -> type[Kind]:
    known = [found.replace("_", "-") if what == "experiment" else found for found in names(package)]
    file = name.replace("-", "_")
    if file not in names(package):
        raise UsageError(f"could not find {what} '{name}': there is no such file in {package.__name__}/; "
                         f"{nearest(name, known)}")  # fmt: skip
    module = importlib.import_module(f"{package.__name__}.{file}")
    found = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, base)
             and one.__module__ == module.__name__]  # fmt: skip
    if len(found) != 1:
        raise UsageError(f"could not use {package.__name__}/{file}.py: it defines {len(found)} classes of {what}; "
                         "define exactly one")  # fmt: skip
    return found[0]
