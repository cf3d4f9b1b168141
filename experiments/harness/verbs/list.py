"""Topologies and experiments, one line each, with their settings on request."""

from __future__ import annotations

import argparse
import json
from typing import Any

import experiments
import topologies
from experiments.harness import catalogue, options

EXAMPLE = "longhaul list --settings"


def arguments(parser: argparse.ArgumentParser) -> None:
    """Options of the verb."""
    parser.add_argument("--settings", action="store_true", help="show the settings of each, with their defaults")
    options.json(parser)


def main(given: argparse.Namespace) -> int:
    """Always 0."""
    found: dict[str, list[dict[str, Any]]] = {
        "topologies": [{"name": name, **_about(catalogue.topology(name))} for name in catalogue.names(topologies)],
        "experiments": [{"name": name.replace("_", "-"), "minutes": catalogue.experiment(name).minutes,
                         "topology": catalogue.experiment(name).topology.__module__.rpartition(".")[2],
                         **_about(catalogue.experiment(name))} for name in catalogue.names(experiments)],
    }  # fmt: skip
    if given.json:
        print(json.dumps(found))
        return 0
    for kind, entries in found.items():
        print(f"{kind}:")
        for entry in entries:
            minutes = f"{entry['minutes']:g} min" if "minutes" in entry else ""
            print(f"  {entry['name']:<24} {minutes:>8}  {entry['about']}")
            for setting in entry["settings"] if given.settings else []:
                print(f"      {setting['name']} = {setting['default'] or '(nothing)'}: {setting['about']}")
    return 0


def _about(kind: Any) -> dict[str, Any]:
    return {"about": catalogue.summary(kind),
            "settings": [{"name": name, "default": one.default, "about": one.about}
                         for name, one in kind.settings().items()]}  # fmt: skip
