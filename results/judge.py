"""Claims against trials: what was measured, whether it lies in the band, and the verdict. It reads no file.

Order of outcomes: `unsupported` (this machine cannot), then `invalid` (the instrument is not to be trusted), then
`fails`, then `holds`. An invalid run is never called a failed one: nothing was learnt about the question.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from results.manifest import Claim
from results.rundir import Run
from results.statistics import Estimate, estimate, ratio
from results.wording import between, show, show_change


@dataclass(frozen=True)
class ClaimResult:
    """A claim and what became of it. `outcome`: `inside`, `below`, `above`, `no data`, or `not comparable`; `words` for
    people."""

    claim: Claim
    measured: Estimate | None
    outcome: str
    words: str

    @property
    def doubtful(self) -> bool:
        """Whether the interval reaches beyond the band, so that other trials might lie outside; one statistic is judged."""
        if self.measured is None or self.measured.note:
            return False
        low, high = self.claim.low, self.claim.high
        return (low is not None and self.measured.low < low) or (high is not None and self.measured.high > high)


@dataclass(frozen=True)
class Verdict:
    """The outcome of a run (`holds`, `fails`, `invalid`, `unsupported`) with every reason, and its claims."""

    outcome: str
    reasons: list[str]
    claims: list[ClaimResult]

    def as_dict(self) -> dict[str, Any]:
        """For `manifest.json`: outcome, reasons, and per claim what was measured."""
        return {"outcome": self.outcome, "reasons": self.reasons,
                "claims": [{"name": claim.claim.name, "outcome": claim.outcome,
                            "measured": asdict(claim.measured) if claim.measured else None}
                           for claim in self.claims]}  # fmt: skip


def judge(run: Run) -> Verdict:
    """The verdict of a run from its files alone. Raises RunError for trials that cannot be read."""
    results = [_result(run, claim) for claim in run.manifest.claims]
    invalid = distrust(run)
    if run.manifest.unsupported:
        return Verdict("unsupported", list(run.manifest.unsupported), results)
    if invalid:
        return Verdict("invalid", invalid, results)
    judged = [one for one in results if not one.claim.incomparable]
    outside = [one.words for one in judged if one.outcome != "inside"]
    apart = [one.words for one in results if one.outcome == "not comparable"]
    if outside:
        return Verdict("fails", [*outside, *apart], results)
    if not judged:
        nothing = "the trials are valid; nothing was predicted, so there was no claim to judge"
        return Verdict("holds", [nothing, *apart], results)
    together = f"all {len(judged)} claims lie within their bands"
    doubtful = [one.claim.name for one in judged if one.doubtful]
    but = ([f"but the 95 % interval of {len(doubtful)} reaches beyond its band, so more trials may say otherwise: "
            f"{', '.join(doubtful[:5])}{' and others' if len(doubtful) > 5 else ''}"] if doubtful else [])  # fmt: skip
    return Verdict("holds", [together if len(judged) > 1 else judged[0].words, *but, *apart], results)


def distrust(run: Run) -> list[str]:
    """Why the run cannot be trusted, in words; empty when it can."""
    manifest = run.manifest
    reasons = list(manifest.invalid)
    measured = [trial for trial in run.trials if trial.measured]
    if manifest.raw.get("started") and not manifest.raw.get("ended"):
        reasons.append("the run was cut off before it ended")
    if manifest.interrupted:
        reasons.append(f"the run was interrupted after {len(measured)} measured trials")
    for link in run.links:
        if not link.ok and not any(link.name in reason for reason in manifest.invalid):
            reasons.append(f"link {link.name}: {'; '.join(link.reasons) or 'not as specified'}")
    wrong = [trial for trial in measured if trial.flag("ok") and trial.denies("digest_ok")]
    if wrong:
        reasons.append(f"{len(wrong)} of {len(measured)} transfers delivered other bytes than the origin holds (first: "
                       f"trial {wrong[0].text('trial')})")  # fmt: skip
    if not measured:
        reasons.append("no trial was measured")
    for arm in run.arms() if measured else []:
        tried = [trial for trial in measured if trial.matches(arm)]
        good = sum(trial.counts for trial in tried)
        if good < manifest.needed:
            spoilt = sorted({trial.text("reason") or trial.text("error") for trial in tried if not trial.counts} - {""})
            arm_name, why = manifest.arm_name(arm) or "the only arm", f" ({'; '.join(spoilt[:3])})" if spoilt else ""
            reasons.append(
                f"{arm_name}: {good} valid {'trial' if good == 1 else 'trials'} where "
                f"{manifest.needed} {'is' if manifest.needed == 1 else 'are'} needed{why}"
            )
    return reasons


def measure(run: Run, claim: Claim) -> Estimate | None:
    """What the trials say about a claim's quantity; None without samples."""
    if claim.minus is not None:
        differences = run.differences(claim.metric, claim.where, claim.minus)
        return estimate(differences, claim.statistic) if differences else None
    above = run.sample(claim.metric, claim.where)
    if claim.over is None:
        return estimate(above, claim.statistic) if above else None
    below = run.sample(claim.metric, claim.over)
    return ratio(above, below, claim.statistic) if above and any(below) else None


def _result(run: Run, claim: Claim) -> ClaimResult:
    measured = measure(run, claim)
    if claim.incomparable:
        ours = show(measured.value, claim.unit) if measured else "not measured"
        words = f"{claim.name}: {ours}; not comparable: {claim.incomparable}"
        return ClaimResult(claim, measured, "not comparable", words)
    if measured is None:
        return ClaimResult(claim, None, "no data", f"{claim.name}: no valid trial measured it")
    unit = claim.unit
    value, low, high = measured.value, claim.low, claim.high
    outcome, words = "inside", f"lies within {band(claim)}"
    if low is not None and value < low:
        outcome, words = "below", f"is {show_change(low - value, unit)} below {show(low, unit)}"
    if high is not None and value > high:
        outcome, words = "above", f"is {show_change(value - high, unit)} above {show(high, unit)}"
    return ClaimResult(claim, measured, outcome, f"{claim.name}: {show(value, unit)} {words}")


def band(claim: Claim) -> str:
    """The band of a claim for people."""
    unit = claim.unit
    if claim.incomparable:
        return "not judged"
    if claim.low is None:
        return f"at most {show(claim.high or 0.0, unit)}"
    if claim.high is None:
        return f"at least {show(claim.low, unit)}"
    return between(claim.low, claim.high, unit)
