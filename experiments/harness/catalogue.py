"""What there is: topologies and experiments, found by the presence of their files. It keeps no list.

A file counts when it defines one class of the kind; its name on the command line is the file's, with `-` or `_`. A path to
a file that stands elsewhere does as well.
"""

from __future__ import annotations

import importlib.util
import pkgutil
import sys
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import TypeVar

import experiments
import topologies
from experiments.harness.blame import blamed
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
    world = world_of(kind.topology, {**kind.topology_settings, **{n: v for n, v in given.items() if n in shared}})
    with blamed(kind, "set up the experiment"):
        return kind(world, {n: v for n, v in given.items() if n in own})


def world_of(kind: type[Topology], given: Mapping[str, str]) -> Topology:
    """The topology with these settings. Raises SettingError, LinkError, and DefectError for what its own file does wrong."""
    with blamed(kind, "set up the topology"):
        return kind(**given)


def _load(package: ModuleType, name: str, base: type[Kind], what: str) -> type[Kind]:
    module = _from_path(Path(name), what) if name.endswith(".py") else _from_package(package, name, what)
    found = [one for one in vars(module).values() if isinstance(one, type) and issubclass(one, base)
             and one.__module__ == module.__name__]  # fmt: skip
    if len(found) != 1:
        raise UsageError(f"could not use {module.__file__}: it defines {len(found)} classes of {what}; define exactly one")
    return found[0]


def _from_package(package: ModuleType, name: str, what: str) -> ModuleType:
    file = name.replace("-", "_")
    known = names(package)
    if file not in known:
        shown = [one.replace("_", "-") if what == "experiment" else one for one in known]
        advice = nearest(name, shown)
        if what == "experiment" and file in names(topologies):
            advice = f"it is a topology, for verify, exec and shell; experiments are {', '.join(shown)}"
        elif what == "topology" and file in names(experiments):
            advice = f"it is an experiment, for run; topologies are {', '.join(shown)}"
        raise UsageError(f"could not find {what} '{name}': there is no such file in {package.__name__}/; {advice}")
    return importlib.import_module(f"{package.__name__}.{file}")


def _from_path(path: Path, what: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise UsageError(f"could not find {what} '{path}': there is no such file; give its path, or a name of `longhaul list`")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:  # whatever a stranger's file may raise
        raise UsageError(f"could not load {path}: {type(error).__name__}: {error}; mend the file") from error
    return module
