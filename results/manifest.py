"""`manifest.json` checked and given types: what was asked, claimed and used. It reads no file and judges nothing.

The schema is in `results/README.md`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from results.statistics import STATISTICS

FORMAT = "longhaul-run/1"

Where = Mapping[str, str]


class ManifestError(ValueError):
    """A manifest that is not as the schema says; the message names the field and what it holds."""


@dataclass(frozen=True)
class Claim:
    """A statistic of a metric in one arm lies within [low, high]: divided by that of the arm `over` when given, or of the
    paired differences to the arm `minus`, repetition by repetition.

    Units are the metric's own. An end that is None is open. `incomparable` says why a value is shown and not judged.
    """

    name: str
    metric: str
    statistic: str
    where: Where
    over: Where | None
    minus: Where | None
    predicted: float | None
    low: float | None
    high: float | None
    basis: str
    tolerance: str
    incomparable: str = ""

    @property
    def unit(self) -> str:
        """The column whose unit the value has; empty for a ratio."""
        return "" if self.over is not None else self.metric


@dataclass(frozen=True)
class Quantity:
    """A number of the answer: a statistic of an arm, or (`ratio`) one named number divided by another."""

    metric: str = ""
    where: Where = field(default_factory=dict)
    statistic: str = "median"
    ratio: tuple[str, str] | None = None


@dataclass(frozen=True)
class Manifest:
    """The checked manifest. `raw` is the whole of it, for what is only shown."""

    raw: Mapping[str, Any]
    run_id: str
    name: str
    question: str
    summary: str
    repetitions: int
    needed: int
    interrupted: bool
    columns: Mapping[str, str]
    factors: tuple[str, ...]
    levels: Mapping[str, tuple[str, ...]]
    labels: Mapping[str, Mapping[str, str]]
    claims: tuple[Claim, ...]
    template: str
    values: Mapping[str, Quantity]
    figures: tuple[Mapping[str, Any], ...]
    nodes: tuple[Mapping[str, Any], ...]
    invalid: tuple[str, ...]
    unsupported: tuple[str, ...]

    def label(self, factor: str, level: str) -> str:
        """The wording for people of one level of one factor."""
        return self.labels.get(factor, {}).get(level, level)

    def arm_name(self, where: Where) -> str:
        """The arm in short words: its levels in the order of the factors."""
        return " · ".join(where[factor] for factor in self.factors if factor in where)


def parse(raw: object) -> Manifest:
    """A manifest from the content of its JSON file. Raises ManifestError."""
    top = _mapping(raw, "the manifest")
    if top.get("format") != FORMAT:
        raise ManifestError(f"its format is {top.get('format')!r} and this version reads '{FORMAT}'")
    experiment = _mapping(top.get("experiment"), "experiment")
    factors = tuple(_text(one, "factors") for one in _list(top.get("factors"), "factors"))
    levels = {name: tuple(_text(one, f"levels.{name}") for one in _list(found, f"levels.{name}"))
              for name, found in _mapping(top.get("levels", {}), "levels").items()}  # fmt: skip
    answer = _mapping(top.get("answer", {}), "answer")
    for name in ("settings", "topology", "code", "machine", "sysctls", "tools", "verdict"):
        _mapping({} if top.get(name) is None else top[name], name)
    _mapping((top.get("topology") or {}).get("settings") or {}, "topology.settings")
    repetitions = _whole(top.get("repetitions"), "repetitions")
    return Manifest(
        raw=top,
        run_id=_text(top.get("run_id"), "run_id"),
        name=_text(experiment.get("name"), "experiment.name"),
        question=_text(experiment.get("question"), "experiment.question"),
        summary=_text(experiment.get("summary", ""), "experiment.summary"),
        repetitions=repetitions,
        needed=_whole(top.get("needed", default_needed(repetitions)), "needed"),
        interrupted=top.get("interrupted") is True,
        columns={name: _text(text, f"columns.{name}")
                 for name, text in _mapping(top.get("columns", {}), "columns").items()},
        factors=factors,
        levels=levels,
        labels={name: {key: _text(text, f"labels.{name}") for key, text in _mapping(found, f"labels.{name}").items()}
                for name, found in _mapping(top.get("labels", {}), "labels").items()},
        claims=tuple(_claim(one, index) for index, one in enumerate(_list(top.get("claims", []), "claims"))),
        template=_text(answer.get("template", ""), "answer.template"),
        values=_quantities(_mapping(answer.get("values", {}), "answer.values")),
        figures=tuple(_mapping(one, "figures") for one in _list(top.get("figures", []), "figures")),
        nodes=_nodes(top),
        invalid=tuple(_text(one, "invalid") for one in _list(top.get("invalid", []), "invalid")),
        unsupported=tuple(_text(one, "unsupported") for one in _list(top.get("unsupported", []), "unsupported")),
    )  # fmt: skip


def default_needed(repetitions: int) -> int:
    """Valid trials an arm needs when the manifest does not say: four of five, so one spoilt capture in ten is borne."""
    return max(1, math.ceil(0.8 * repetitions))


def _claim(raw: object, index: int) -> Claim:
    at = f"claims[{index}]"
    found = _mapping(raw, at)
    low, high = (_number(found.get(end), f"{at}.{end}") for end in ("low", "high"))
    incomparable = _text(found.get("incomparable", ""), f"{at}.incomparable")
    if low is None and high is None and not incomparable:
        raise ManifestError(f"{at} has neither low nor high: nothing could contradict it")
    if low is not None and high is not None and low > high:
        raise ManifestError(f"{at} has low {low} above high {high}")
    over, minus = (None if found.get(name) is None else _where(found[name], f"{at}.{name}") for name in ("over", "minus"))
    if over is not None and minus is not None:
        raise ManifestError(f"{at} has both over and minus")
    return Claim(
        name=_text(found.get("name"), f"{at}.name"),
        metric=_text(found.get("metric"), f"{at}.metric"),
        statistic=_statistic(found.get("statistic", "median"), at),
        where=_where(found.get("where", {}), at),
        over=over,
        minus=minus,
        predicted=_number(found.get("predicted"), f"{at}.predicted"),
        low=low,
        high=high,
        basis=_text(found.get("basis", ""), f"{at}.basis"),
        tolerance=_text(found.get("tolerance", ""), f"{at}.tolerance"),
        incomparable=incomparable,
    )


def _quantities(raw: Mapping[str, Any]) -> dict[str, Quantity]:
    plain: dict[str, Quantity] = {}
    for name, one in raw.items():
        at = f"answer.values.{name}"
        found = _mapping(one, at)
        if "ratio" in found:
            parts = [_text(part, f"{at}.ratio") for part in _list(found["ratio"], f"{at}.ratio")]
            if len(parts) != 2 or any("ratio" in _mapping(raw.get(part, {"ratio": 0}), at) for part in parts):
                raise ManifestError(f"{at}.ratio is {parts}, not the names of two other values that are no ratios")
            plain[name] = Quantity(ratio=(parts[0], parts[1]))
        else:
            plain[name] = Quantity(_text(found.get("metric"), f"{at}.metric"), _where(found.get("where", {}), at),
                                   _statistic(found.get("statistic", "median"), at))  # fmt: skip
    return plain


def _nodes(top: Mapping[str, Any]) -> tuple[Mapping[str, Any], ...]:
    nodes = _list((top.get("topology") or {}).get("nodes", []), "topology.nodes")
    for index, one in enumerate(nodes):
        at = f"topology.nodes[{index}]"
        _text(_mapping(one, at).get("name"), f"{at}.name")
        for key in ("latitude", "longitude"):
            _number(one.get(key), f"{at}.{key}")
    return tuple(nodes)


def _where(raw: object, at: str) -> Where:
    return {name: _text(level, f"{at}.where.{name}") for name, level in _mapping(raw, f"{at}.where").items()}


def _statistic(raw: object, at: str) -> str:
    if raw not in STATISTICS:
        raise ManifestError(f"{at}.statistic is {raw!r}, not one of {', '.join(STATISTICS)}")
    return str(raw)


def _mapping(raw: object, at: str) -> dict[str, Any]:
    if not isinstance(raw, dict):
        raise ManifestError(f"{at} is {_said(raw)}, not an object")
    return raw


def _list(raw: object, at: str) -> list[Any]:
    if not isinstance(raw, list):
        raise ManifestError(f"{at} is {_said(raw)}, not a list")
    return raw


def _text(raw: object, at: str) -> str:
    if not isinstance(raw, str):
        raise ManifestError(f"{at} is {_said(raw)}, not text")
    return raw


def _whole(raw: object, at: str) -> int:
    if not isinstance(raw, int) or isinstance(raw, bool) or raw < 0:
        raise ManifestError(f"{at} is {_said(raw)}, not a whole number of zero or more")
    return raw


def _number(raw: object, at: str) -> float | None:
    if raw is None:
        return None
    if not isinstance(raw, (int, float)) or isinstance(raw, bool) or not math.isfinite(raw):
        raise ManifestError(f"{at} is {_said(raw)}, not a finite number")
    return float(raw)


def _said(raw: object) -> str:
    return "missing" if raw is None else repr(raw)[:60]
