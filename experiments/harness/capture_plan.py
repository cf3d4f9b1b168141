"""What a run captures: the points that its experiment asks for, those that its user adds, and how. It captures nothing."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

from experiments.harness.points import Point, points
from topologies.emulator.links.backend import UnsupportedError

if TYPE_CHECKING:
    from experiments.harness.experiment import Experiment

LEAST_SNAP_BYTES = 128
"""Ethernet with a tag, IPv6 and TCP with all its options: less would cut headers."""
WHOLE_BYTES = 262_144
"""tcpdump's own most: no packet is longer."""


@dataclass(frozen=True)
class Plan:
    """What every trial of a run captures. `own` are the points that the experiment itself asks for, the client's first."""

    points: tuple[Point, ...]
    own: frozenset[Point]
    snap_bytes: int = 160
    merged: bool = False
    relay: bool = False
    keys: bool = False


def plan(experiment: Experiment) -> Plan:
    """What an experiment and its user want captured. Raises SettingError, and UnsupportedError where a tool is missing."""
    own = points(experiment.world, experiment.captures())
    found = points(experiment.world, [*experiment.captures(), *experiment.capture__points])
    if found and not shutil.which("tcpdump"):
        raise UnsupportedError("could not capture: tcpdump was not found; run: sudo ./provision.sh")
    tool = shutil.which("mergecap")
    if experiment.capture__merged == "yes" and not tool:
        raise UnsupportedError("could not merge the captures: mergecap was not found; install wireshark-common, or leave "
                               "capture.merged out")  # fmt: skip
    merged = bool(tool) and experiment.capture__merged != "no" and len(found) + experiment.capture__relay > 1
    return Plan(found, frozenset(own), experiment.capture__snap or WHOLE_BYTES, merged, experiment.capture__relay,
                experiment.capture__keys)  # fmt: skip
