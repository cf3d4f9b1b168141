"""The manifest of a run: everything that its report and its verdict need, written before the first trial.

It is pure: it turns an experiment and a topology into the document that results/README.md describes.
"""

from __future__ import annotations

import string
from typing import Any

from experiments.harness.experiment import COLUMNS, Experiment
from experiments.harness.points import points
from experiments.harness.study import Study
from experiments.harness.trial import columns as trial_columns
from topologies.emulator.setting import SettingError, nearest
from topologies.emulator.topology import Topology

FORMAT = "longhaul-run/1"


def manifest(experiment: Experiment, seed: int, command: str) -> dict[str, Any]:
    """The manifest as far as it is known before the run; `ended` is null until the run is over.

    Raises LinkError or SettingError for an experiment that its topology cannot serve.
    """
    topology = experiment.world
    arms, claims = experiment.arms(), experiment.claims()
    if not claims:
        raise SettingError("could not use this experiment: it claims nothing, so nothing could contradict it; give it claims")
    if not experiment.question().rstrip().endswith("?"):
        raise SettingError(f"could not ask '{experiment.question()}': it has no question mark; write a question")
    _check(experiment, claims, experiment.answer(), list(arms[0]))
    levels = {factor: list(dict.fromkeys(arm[factor] for arm in arms)) for factor in arms[0]}
    return {
        "format": FORMAT,
        "experiment": {"name": name_of(type(experiment)), "question": experiment.question(),
                       "summary": " ".join((experiment.__doc__ or "").split())},
        "study": experiment.about() if isinstance(experiment, Study) else None,
        "command": command,
        "settings": experiment.texts,
        "seed": seed,
        "repetitions": experiment.repetitions * experiment.side_by_side,
        "warmup": experiment.warmup,
        "topology": {"name": topology.__class__.__module__.rpartition(".")[2], "settings": topology.texts,
                     "warnings": topology.warnings, "nodes": _nodes(topology)},
        "captures": [point.name for point in points(topology, [*experiment.captures(), *experiment.capture__points])],
        "bears_ms": experiment.bears_ms,
        "columns": {**COLUMNS, **experiment.columns},
        "factors": list(arms[0]),
        "levels": levels,
        "labels": experiment.labels(),
        "claims": claims,
        "answer": experiment.answer(),
        "figures": [dict(figure) for figure in experiment.figures()],
        "interrupted": False,
        "invalid": [],
        "ended": None,
    }  # fmt: skip


def _check(experiment: Experiment, claims: list[dict[str, Any]], answer: dict[str, Any], factors: list[str]) -> None:
    """Refuse before the first trial what would only be noticed after the last."""
    world, columns = experiment.world, trial_columns(factors, experiment.columns)
    if twice := sorted(name for name in {*columns} if columns.count(name) > 1):
        raise SettingError(f"could not use the column {twice[0]}: trials.csv has one of that name already; name it differently")
    points(world, [*experiment.captures(), *experiment.capture__points])
    values = answer.get("values", {})
    for metric in [claim["metric"] for claim in claims] + [value["metric"] for value in values.values() if "metric" in value]:
        if metric not in columns:
            raise SettingError(f"could not use the metric {metric}: trials.csv has no such column; {nearest(metric, columns)}")
    for _, name, _, _ in string.Formatter().parse(answer.get("template", "")):
        if name is not None and name not in values:
            raise SettingError(f"could not fill {{{name}}} in the answer: it has no such value; {nearest(name, values)}")


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
