"""The panel of proof: every link, the worst first, and the machine, each number beside its bound. It is no HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from results import bounds
from results.bounds import Bound
from results.effects import drained, impairments, spaced
from results.links import Link
from results.proof import BOTH, MISSING, Judged, Row, groups
from results.rundir import Run
from units import show_ms

OPEN_AT_MOST, SHOWN_AT_MOST = 2, 8
"""So many links are unfolded at most, of more links only wrong ones; and so many stand outside the fold at the end."""


@dataclass(frozen=True)
class Card:
    """One link: what it was asked to be in a few words, its rows by direction, and by which rules it was made. It is `ok` when
    the run took it as specified and no row is outside."""

    name: str
    asked: str
    ends: str
    closest: str
    status: str
    ok: bool
    open: bool
    reasons: Sequence[str]
    groups: Sequence[tuple[str, Sequence[Row]]]
    rules: Sequence[str]
    share: float


def cards(run: Run) -> list[Card]:
    """Each shaped link, and each that is wrong; the worst first."""
    found = [card(run, link) for link in run.links if not link.plain]
    found.sort(key=lambda one: (one.ok, -one.share))
    folded = len(found) > OPEN_AT_MOST
    return [replace(one, open=place < OPEN_AT_MOST and not (folded and one.ok)) for place, one in enumerate(found)]


def card(run: Run, link: Link) -> Card:
    """One link, with the reasons of the run that speak of it."""
    reasons = [*link.reasons, *_of_the_run(run, link)]
    accepted = link.ok and not reasons
    found = groups(link, accepted=accepted)
    rows = [(row, heading) for heading, rows in found for row in rows if row.judged.word]
    worst, where = max(rows, key=lambda one: one[0].judged.share, default=(Row(""), BOTH))
    outside = [_at(row, heading) for row, heading in rows if row.judged.word == "outside"]
    used = f"{100 * worst.judged.share:.0f} % of what is allowed"
    closest = f"closest to its bound: {_at(worst, where)}, {used}" if worst.what else ""
    if outside:
        closest = f"outside: {'; '.join(outside[:3])}" + (f" and {len(outside) - 3} more" if len(outside) > 3 else "")
    status = "not as specified" if not accepted else "outside below" if outside else "as specified"
    times = ("≈ " if link.estimate else "") + (show_ms(link.rtt_ms) if link.rtt_ms else "no delay")
    one, other = (drained(way.asked) for way in link.ways)
    asked = " · ".join((times, one if one == other else f"{one} / {other}", *impairments(link)))
    return Card(link.name, asked, f"{link.a} ↔ {link.b}, {link.backend or 'backend unknown'}", closest, status,
                status == "as specified", True, reasons, found, _rules(link), worst.judged.share)  # fmt: skip


def cables(run: Run) -> str:
    """The links without delay or rate that are as they should be, in one sentence; empty when there are none."""
    found = [link for link in run.links if link.plain]
    medians = [rtt.median_ms for link in found for rtt in (link.rtt_before, link.rtt_after) if rtt]
    slowest = max((median for median in medians if median is not None), default=None)
    if not found:
        return ""
    many = f"{len(found)} links inside places are plain cables" if len(found) > 1 else f"{found[0].name} is a plain cable"
    return f"{many}, without delay or rate" + (
        "." if slowest is None else f"; the largest median round trip there is {slowest:.2f} ms."
    )


def machine(run: Run) -> list[Row]:
    """The machine while the run went on."""
    raw = run.manifest.raw.get("machine") or {}
    steal, drops = _number(raw, "steal_fraction"), _number(raw, "capture_drops")
    pressure, captured = _number(raw, "pressure_fraction"), _number(raw, "captured_packets")
    capturing = _number(raw, "capture_cpu_fraction")
    source = f" ({raw['pressure_source']})" if raw.get("pressure_source") else ""
    waited = MISSING if pressure is None else f"{100 * pressure:.2f} % of the time"
    return [
        Row("CPU time that the hypervisor gave to others (steal)", during=MISSING if steal is None else f"{100 * steal:.2f} %",
            judged=_held(Bound(None, bounds.MOST_STEAL), steal, f"at most {100 * bounds.MOST_STEAL:.0f} %")),
        Row("run-queue pressure: somebody waited for a processor", during=waited + source),
        Row("packets captured", during=MISSING if captured is None else f"{captured:,.0f}"),
        Row("processor time of the capturing programs",
            during=MISSING if capturing is None else f"{100 * capturing:.2f} % of one processor"),
        Row("packets that captures dropped", during=MISSING if drops is None else f"{drops:,.0f}",
            judged=_held(Bound(0.0, 0.0), drops, "0; a trial that loses one is set aside")),
    ]  # fmt: skip


def _held(bound: Bound, value: float | None, words: str) -> Judged:
    return Judged(words, "" if value is None else "inside" if bound.holds(value) else "outside")


def _of_the_run(run: Run, link: Link) -> list[str]:
    """Reasons of the manifest that speak of this link and that the link itself does not have."""
    named = [reason for reason in run.manifest.invalid if reason.startswith((f"link {link.name}:", f"link {link.name} "))]
    return [reason for reason in named if not any(own in reason for own in link.reasons)]


def _at(row: Row, heading: str) -> str:
    return row.what if heading == BOTH else f"{row.what} {heading.rpartition(' (')[0]}"


def _rules(link: Link) -> list[str]:
    found = [("Round trip", link.note), ("Queue", link.queue_rule), ("Segments", link.segments),
             ("Attempts until it was judged", f"{link.attempts:.0f}" if (link.attempts or 0) > 1 else "")]  # fmt: skip
    return [spaced(f"{name}: {text}.") for name, text in found if text]


def _number(raw: Mapping[str, Any], key: str) -> float | None:
    value = raw.get(key)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
