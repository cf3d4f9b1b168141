"""Figures from papers as data: one TOML file each, with its source and the bands to judge by. It judges nothing.

The schema is in README.md beside this file.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOW = ("read", "drawn", "computed")


class PublishedError(ValueError):
    """A file of published figures that is not as the schema says; the message names the file and the field."""


@dataclass(frozen=True)
class Value:
    """One published number, `paper`, of a metric in an arm (divided by, or less, another's), and the band to judge ours by.

    `how`: `read` (it stands in the source), `drawn` (read off its figure, about 2 %) or `computed` (from its formula).
    `incomparable` says why ours is not judged by it.
    """

    where: Mapping[str, str]
    metric: str
    paper: float | None = None
    low: float | None = None
    high: float | None = None
    band: str = ""
    how: str = "read"
    statistic: str = "median"
    name: str = ""
    over: Mapping[str, str] | None = None
    minus: Mapping[str, str] | None = None
    incomparable: str = ""


@dataclass(frozen=True)
class Published:
    """What a paper reports: its source, the settings for which it does, and its values."""

    source: str
    settings: Mapping[str, str] = field(default_factory=dict)
    value: tuple[Value, ...] = ()

    def points(self, metric: str, x: str, **where: str) -> list[tuple[str, float]]:
        """The paper's numbers of a metric by the level of the factor `x`, where the other factors have these levels."""
        return [(one.where[x], one.paper) for one in self.value
                if one.metric == metric and one.paper is not None and one.over is None and one.minus is None
                and dict(one.where) == {**where, x: one.where.get(x, "")}]  # fmt: skip


def read(name: str, folder: Path = Path(__file__).parent) -> Published:
    """The figures of the file NAME.toml. Raises PublishedError."""
    path = folder / f"{name}.toml"
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
        values = tuple(_value(one) for one in raw.pop("value", []))
        return Published(**raw, value=values)
    except (OSError, tomllib.TOMLDecodeError, TypeError, ValueError) as error:
        raise PublishedError(f"could not read {path.name}: {error}; see results/published/README.md") from None


def _value(raw: Mapping[str, Any]) -> Value:
    value = Value(**raw)
    if value.how not in HOW:
        raise ValueError(f"how is {value.how!r}, not one of {', '.join(HOW)}")
    if (value.low is None and value.high is None) != bool(value.incomparable):
        raise ValueError(f"the value of {dict(value.where)} is to have either a band (low, high) or a reason in incomparable")
    if not value.incomparable and not value.band:
        raise ValueError(f"the value of {dict(value.where)} does not say where its band is from (band)")
    return value
