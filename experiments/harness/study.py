"""The base of studies: experiments whose answer somebody has published, judged against that.

It measures nothing. The published numbers are data in results/published/; what a formula says for the settings of the run, the
study works out itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, ClassVar

from experiments.harness.experiment import COLUMNS, Experiment
from experiments.harness.stage import Stage
from results import published
from results.published import Published, Value
from topologies.emulator import setting
from topologies.side_by_side import SideBySide

_MOST = "measured trials of an arm at most, where some do not count or a median is not known closely enough; 0: as repetitions"


class Study(Experiment):
    """A published claim, and how to see whether it holds here. Subclasses are one file each, as of any experiment."""

    claim: ClassVar[str]
    """What the paper says, in one sentence."""
    paper: ClassVar[str] = ""
    """The file of results/published/ with its numbers, without `.toml`; empty: there are none beside a formula."""
    source: ClassVar[str] = ""
    """Where the claim is from, where no file says it."""
    headline: ClassVar[str] = ""
    """The name of the claim that stands for all in a table; empty: the first of the paper's, or of all."""
    quick: ClassVar[Mapping[str, str]] = {}
    """Settings for `longhaul studies --quick`: fewer arms and repetitions, shorter trials."""
    quick_minutes: ClassVar[float]
    """How long it takes with those."""

    repetitions = setting.count("3", "measured trials of each arm", 1, 10_000)
    most_repetitions = setting.count("6", _MOST, 0, 10_000)
    warmup = setting.count("0", "trials of each arm before the measured ones, left out of the answer", 0, 100)

    @cached_property
    def published(self) -> Published:
        """The paper's numbers."""
        return published.read(self.paper) if self.paper else Published(self.source)

    def start(self, stage: Stage) -> None:
        """No daemons, where a study does not say otherwise."""

    def claims(self) -> list[dict[str, Any]]:
        """The laws' claims, and of the paper's values those about arms of this run; at other settings than the paper's they
        are shown and not judged."""
        arms = self.arms()
        found = [one for one in self.published.value
                 if all(dict(where) in arms for where in (one.where, one.over, one.minus) if where is not None)]  # fmt: skip
        return [*self.laws(), *(self._claim(one, one.incomparable or self.otherwise()) for one in found)]

    def laws(self) -> list[dict[str, Any]]:
        """Claims that a formula makes for the settings of this run; see `expected`."""
        return []

    def answer(self) -> dict[str, Any]:
        """The first of its columns, or the time of its fetch, arm by arm."""
        metric = next(iter(self.columns), "total_ms")
        values = {f"v{number}": {"metric": metric, "where": arm} for number, arm in enumerate(self.arms())}
        said = [f"{', '.join(arm.values())}: {{v{number}}}" for number, arm in enumerate(self.arms())]
        meaning = {**COLUMNS, **self.columns}[metric]
        return {"template": f"{meaning[0].upper()}{meaning[1:]}: {'; '.join(said)}.", "values": values}

    def otherwise(self) -> str:
        """Which settings of this run are not the paper's; empty where all are."""
        for name in ("changes", "schedule"):
            if self.world.texts[name] != self.full()[name] and name not in self.published.settings:
                return f"this run has {name} of links ({self.world.texts[name]}), of which the paper says nothing"
        for name, text in self.published.settings.items():
            for one in (self, self.world):
                known = one.settings().get(name)
                if known is not None and known.value(text) != known.value(one.texts[name]):
                    return f"it was published for {name} {text}, and this run has {one.texts[name]}"
        return ""

    @classmethod
    def full(cls) -> dict[str, str]:
        """Every setting as `longhaul run` has it, of the study and of its topology."""
        known = {**cls.topology.settings(), **cls.settings()}
        return {name: one.default for name, one in known.items()} | dict(cls.topology_settings)

    def mode(self) -> str:
        """`full` or `quick` where the settings are those; else `other`: its numbers then answer another question."""
        texts = {**self.world.texts, **self.texts}
        for mode, wanted in (("full", self.full()), ("quick", {**self.full(), **self.quick})):
            if all(texts[name] == text for name, text in wanted.items() if name != "seed"):
                return mode
        return "other"

    def about(self) -> dict[str, str]:
        """For the manifest: what the paper says, where, the claim that stands for all in a table, and the mode."""
        claims = self.claims()
        names = [one["name"] for one in claims]
        first = next(iter(names[len(self.laws()) :]), names[0])
        return {"claim": self.claim, "source": self.published.source, "mode": self.mode(),
                "headline": self.headline if self.headline in names else first}  # fmt: skip

    def _claim(self, value: Value, incomparable: str) -> dict[str, Any]:
        name = value.name or f"{value.metric.rpartition('_')[0].replace('_', ' ')}, {', '.join(value.where.values())}"
        return {"name": name, "metric": value.metric, "statistic": value.statistic, "where": dict(value.where),
                "over": value.over, "minus": value.minus, "predicted": value.paper, "low": value.low, "high": value.high,
                "basis": f"{self.published.source} ({value.how})", "tolerance": value.band,
                "incomparable": incomparable}  # fmt: skip


class StudySideBySide(Study):
    """A study over several equal paths at the same time, each a repetition with chances of its own."""

    topology = SideBySide
    repetitions = setting.count("1", "measured trials of each arm, each on as many paths as there are pairs", 1, 10_000)
    most_repetitions = setting.count("3", _MOST, 0, 10_000)

    @property
    def side_by_side(self) -> int:
        return int(self.world.pairs)


def expected(name: str, metric: str, where: Mapping[str, str], value: float, low: float | None, high: float | None, basis: str,
             band: str, **more: Any) -> dict[str, Any]:  # fmt: skip
    """The claim that a metric lies between two values around what a formula says. `band` says why just there; `more` is
    `statistic`, `over`, `minus` or `incomparable`."""
    return {"name": name, "metric": metric, "statistic": "median", "where": dict(where), "predicted": round(value, 6),
            "low": None if low is None else round(low, 6), "high": None if high is None else round(high, 6), "basis": basis,
            "tolerance": band, **more}  # fmt: skip
