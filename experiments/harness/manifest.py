"""The manifest of a run: everything that its report and its verdict need, written before the first trial.

It is pure: it turns an experiment and a topology into the document that results/README.md describes.
"""

from __future__ import annotations

from typing import Any

from experiments.harness.experiment import COLUMNS, Experiment
from topologies.emulator.topology import Topology

FORMAT = "longhaul-run/1"


def manifest(experiment: Experiment, seed: int, command: str) -> dict[str, Any]:
    """The manifest as far as it is known before the run; `ended` is null until the run is over.

    Raises LinkError or SettingError for an experiment that its topology cannot serve.
    """
    topology = experiment.world
    arms = experiment.arms()
    levels = {factor: list(dict.fromkeys(arm[factor] for arm in arms)) for factor in arms[0]}
    return {
        "format": FORMAT,
        "experiment": {"name": name_of(type(experiment)), "question": experiment.question(),
                       "summary": " ".join((experiment.__doc__ or "").split())},
        "command": command,
        "settings": experiment.texts,
        "seed": seed,
        "repetitions": experiment.repetitions,
        "warmup": experiment.warmup,
        "topology": {"name": topology.__class__.__module__.rpartition(".")[2], "settings": topology.texts,
                     "warnings": topology.warnings, "nodes": _nodes(topology)},
        "columns": COLUMNS,
        "factors": list(arms[0]),
        "levels": levels,
        "labels": experiment.labels(),
        "claims": experiment.claims(),
        "answer": experiment.answer(),
        "figures": [dict(figure) for figure in experiment.figures()],
        "interrupted": False,
        "invalid": [],
        "ended": None,
    }  # fmt: skip


def name_of(experiment: type[Experiment]) -> str:
    """What the command line calls it: its file's name, with hyphens."""
    return experiment.__module__.rpartition(".")[2].replace("_", "-")


def _nodes(topology: Topology) -> list[dict[str, Any]]:
    return [
        {"name": node.name, "role": node.role, "address": topology.plans[node.name].address}
        | ({"place": node.place.name, "latitude": node.place.latitude, "longitude": node.place.longitude}
           if node.place else {})
        for node in topology.nodes_info
    ]  # fmt: skip
