"""The proof of one link as rows of text: what was asked, measured and counted, each beside its bound. It is no HTML.

A word stands only where something was recorded. Where `bounds.py` restates no bound, the word is the run's own judgement.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from results import bounds
from results.bounds import Bound
from results.effects import NONE, drained, effects, queue, spaced
from results.links import WAYS, Link, Passed, Rtt, Seen, Way
from results.wording import between, show
from units import show_bps, show_bytes, show_ms

MISSING, BOTH = "not recorded", "both ways"
OWN_RULE = "what chance does, by the run's own rule"


@dataclass(frozen=True)
class Judged:
    """The bound in words, `inside`, `outside` or empty, and how much of the bound is used."""

    bound: str = "no bound"
    word: str = ""
    share: float = 0.0


@dataclass(frozen=True)
class Row:
    """One quantity: as asked, before and after the run, or (`during`) while it went on."""

    what: str
    asked: str = ""
    measured: tuple[str, str] | None = None
    during: str = ""
    judged: Judged = Judged()


def groups(link: Link, *, accepted: bool) -> list[tuple[str, list[Row]]]:
    """Rows under the heading of their direction. `accepted`: the run found nothing wrong with the link."""
    ways = [(f"{way.source} → {way.target} ({name})", _way_rows(link, way, accepted))
            for name, way in zip(WAYS, link.ways, strict=True)]  # fmt: skip
    return [(BOTH, [_rtt_row(link, accepted)]), *ways]


def _within(pairs: Sequence[tuple[float, Bound | None]], metric: str, accepted: bool) -> Judged:
    """Values, and what each may be."""
    stated = [(value, bound) for value, bound in pairs if bound is not None]
    if not stated:
        return Judged(OWN_RULE, "inside" if accepted else "") if pairs else Judged()
    widest = max((bound for _, bound in stated), key=lambda one: (one.high or math.inf) - (one.low or 0.0))
    inside = all(bound.holds(value) for value, bound in stated)
    share = max(bound.share(value) for value, bound in stated)
    return Judged(said(widest, metric), "inside" if inside else "outside", share)


def _plainly(bound: str, known: Sequence[object], right: bool) -> Judged:
    """What is right or wrong without a margin; without a word where nothing is known."""
    if not known:
        return Judged(bound)
    return Judged(bound, "inside") if right else Judged(bound, "outside", math.inf)


def said(bound: Bound, metric: str) -> str:
    """`95 to 105 Mbit/s`, `at most 5 %`, `at least 95 Mbit/s`."""
    if bound.low is not None and bound.high is not None:
        return between(bound.low, bound.high, metric)
    return f"at most {show(bound.high or 0.0, metric)}" if bound.low is None else f"at least {show(bound.low, metric)}"


def _rtt_row(link: Link, accepted: bool) -> Row:
    before, after = link.rtt_before, link.rtt_after
    row = Row("round trip", ("≈ " if link.estimate else "") + (show_ms(link.rtt_ms) if link.rtt_ms else NONE),
              (_rtt(before), _rtt(after)))  # fmt: skip
    seen = [rtt for rtt in (before, after) if rtt]
    if not all(way.asked.up for way in link.ways):
        return replace(row, judged=_plainly("none comes back", seen, not any(rtt.samples for rtt in seen)))
    if any(rtt.median_ms is None for rtt in seen):
        return replace(row, judged=_plainly("some come back", seen, right=False))
    known = [(found, bounds.rtt(link, rtt)) for rtt in seen if (found := level(rtt)) is not None]
    return replace(row, judged=_within(known, "_ms", accepted))


def _way_rows(link: Link, way: Way, accepted: bool) -> list[Row]:
    words = effects(way.asked)
    return [_delay_row(link, way, accepted), *_spread_rows(link, way, accepted), _rate_row(way, accepted),
            _queue_row(link, way), *_codel_rows(way), _loss_row(way, accepted),
            *([Row("effects", words, judged=Judged(""))] if words != NONE else []),
            *([Row("schedule", spaced(way.schedule), judged=Judged(""))] if way.schedule else []),
            *_during_rows(link, way)]  # fmt: skip


def _delay_row(link: Link, way: Way, accepted: bool) -> Row:
    row = Row("one way", show_ms(way.asked.delay_ms) if way.asked.delay_ms else NONE, (_delay(way.before), _delay(way.after)))
    known = [(one.delay_ms, bounds.delay(way.asked, link, one)) for one in (way.before, way.after)
             if one and one.delay_ms is not None]  # fmt: skip
    return replace(row, judged=_within(known, "_ms", accepted))


def _spread_rows(link: Link, way: Way, accepted: bool) -> list[Row]:
    """Of the one-way times; none where it was neither asked for nor measured."""
    jitter = way.asked.effects.get("jitter", "")
    known = [(one.spread_ms, bounds.spread(way.asked, link, one)) for one in (way.before, way.after)
             if one and one.spread_ms is not None]  # fmt: skip
    if not jitter and not known:
        return []
    return [Row("spread of it", f"jitter {spaced(jitter)}" if jitter else NONE, (_spread(way.before), _spread(way.after)),
                judged=_within(known, "_ms", accepted))]  # fmt: skip


def _codel_rows(way: Way) -> list[Row]:
    """Where CoDel was asked for: that it was not verified, and why."""
    if not way.asked.codel:
        return []
    one, other = ((f"not verified: {seen.codel_note}" if seen.codel_note else MISSING) if seen else MISSING
                  for seen in (way.before, way.after))  # fmt: skip
    return [Row("CoDel", way.asked.codel, (one, other))]


def _rate_row(way: Way, accepted: bool) -> Row:
    seen = [one for one in (way.before, way.after) if one and one.rate_bps is not None]
    limited = way.asked.rate_bps is not None or way.asked.trace is not None
    judged = _within([(one.rate_bps or 0.0, bounds.rate(way.asked, one)) for one in seen], "_bps", accepted)
    return Row("rate", drained(way.asked), (_rate(way.before), _rate(way.after)), judged=judged if limited else Judged())


def _queue_row(link: Link, way: Way) -> Row:
    allowed = bounds.queue(way.asked, link)
    known = [one.queue_bytes for one in (way.before, way.after) if one and one.queue_bytes is not None]
    judged = _within([(value, allowed) for value in known] if allowed else [], "_bytes", accepted=True)
    return Row("queue ceiling", queue(way.asked), (_ceiling(way.before), _ceiling(way.after)), judged=judged)


def _loss_row(way: Way, accepted: bool) -> Row:
    row = Row("loss", f"{100 * way.asked.loss:.3g} %" if way.asked.up else "all (down)", (_loss(way.before), _loss(way.after)))
    known = [(seen.sent - seen.received, seen) for seen in (way.before, way.after)
             if seen and seen.sent and seen.received is not None]  # fmt: skip
    due = bounds.loss(way.asked)
    if due is None:
        return replace(row, judged=Judged(OWN_RULE, "inside" if known and accepted else ""))
    if due in (0.0, 1.0):
        right = all(lost == due * (seen.sent or 0.0) for lost, seen in known)
        return replace(row, judged=_plainly("none lost" if due == 0.0 else "all lost", known, right))
    limits = [(seen.loss_low, seen.loss_high) for _, seen in known if seen.loss_low is not None and seen.loss_high is not None]
    within = all(low <= due <= high for low, high in limits)
    bound = f"{100 * due:.3g} % in the 99 % interval"
    if not within and accepted:
        bound = f"{100 * due:.3g} %: beyond 99 %, within the interval by which the run judges"
    return replace(row, judged=_plainly(bound, limits, within or accepted))


def _during_rows(link: Link, way: Way) -> list[Row]:
    if way.passed is None:
        return [Row("during the run", during=MISSING)]
    counts, late = way.passed.counts, way.passed.late_ms
    astray = [counts[key] for key in ("unexplained", "overrun", "failed") if key in counts]
    rows = [Row("frames", during=_frames(way.passed), judged=_plainly("none goes astray", astray, not any(astray)))]
    if late is not None:
        times = f"median {show_ms(late[0])}, p99 {show_ms(late[1])}, latest {show_ms(late[2])}"
        judged = _within([(late[1], bounds.lateness(link))], "_ms", accepted=True)
        rows.append(Row("lateness", during=times, judged=replace(judged, bound=f"p99 {judged.bound}")))
    if "backlog_packets" in counts:
        backlog = f"{counts['backlog_packets']:,.0f} packets ({show_bytes(counts.get('backlog_bytes', 0))}) waited at the end"
        rows.append(Row("kernel's queue", during=backlog, judged=Judged("no bound; netem does not know how late it is")))
    return rows


def level(rtt: Rtt | None) -> float | None:
    """What of the echoes is held against the specification, in ms; None when none came back."""
    return None if rtt is None else rtt.median_ms if rtt.level_ms is None else rtt.level_ms


def _rtt(rtt: Rtt | None) -> str:
    if rtt is None:
        return MISSING
    if rtt.median_ms is None or rtt.min_ms is None or rtt.p99_ms is None:
        return f"none of {rtt.sent or 0:.0f} echoes came back"
    judged = "" if rtt.level_ms in (None, rtt.median_ms) else f"judged {rtt.level_ms:.2f} ms; median "
    many = "" if rtt.samples is None else f", {rtt.samples:.0f}{f' of {rtt.sent:.0f}' if rtt.sent else ''} echoes"
    return f"{judged}{rtt.median_ms:.2f} ms ({rtt.min_ms:.2f} to p99 {rtt.p99_ms:.2f}{many})"


def _delay(seen: Seen | None) -> str:
    if seen is None or seen.delay_ms is None:
        return (seen.delay_note if seen else "") or MISSING
    return f"{seen.delay_ms:.2f} ms" + (f" ({seen.timed:.0f} echoes)" if seen.timed else "")


def _spread(seen: Seen | None) -> str:
    if seen is None:
        return MISSING
    found = MISSING if seen.spread_ms is None else f"{seen.spread_ms:.2f} ms"
    return f"{found}; not verified: {seen.jitter_note}" if seen.jitter_note else found


def _rate(seen: Seen | None) -> str:
    if seen is None:
        return MISSING
    if seen.rate_bps is None:
        return seen.rate_note or "not measured"
    over = "" if seen.burst_s is None else f" over {show_ms(seen.burst_s * 1e3)}"
    return show_bps(seen.rate_bps) + over + (f" ({show_bps(seen.sent_bps)} sent, no more could be)" if seen.sent_bps else "")


def _ceiling(seen: Seen | None) -> str:
    if seen is None or (seen.queue_bytes is None and not seen.queue_note):
        return MISSING
    return seen.queue_note if seen.queue_bytes is None else show_bytes(seen.queue_bytes)


def _loss(seen: Seen | None) -> str:
    if seen is None or seen.sent is None or seen.received is None:
        return MISSING
    found = f"{max(0.0, seen.sent - seen.received):,.0f} of {seen.sent:,.0f} lost"
    if seen.loss_low is not None and seen.loss_high is not None:
        found += f" ({100 * seen.loss_low:.3g} to {100 * seen.loss_high:.3g} %)"
    more = ((seen.duplicated, "came twice"), (seen.overtook, "overtook"), (seen.overflowed, "overflowed the probe"))
    return "; ".join([found, *(f"{number:,.0f} {words}" for number, words in more if number)])


_ENDS = (("delivered", "delivered"), ("dropped_queue", "dropped by the full queue"), ("dropped_codel", "dropped by CoDel"),
         ("dropped_down", "dropped while the link was down"), ("lost", "lost on the wire"),
         ("failed", "refused by the receiver"), ("overrun", "too fast to be taken in"), ("held", "still under way"),
         ("duplicated", "doubled"), ("corrupted", "corrupted"), ("overtook", "overtook others"))  # fmt: skip


def _frames(passed: Passed) -> str:
    counts = passed.counts
    found = [f"{counts[key]:,.0f} {words}" for key, words in _ENDS if counts.get(key)]
    left = counts.get("unexplained")
    balance = "; whether any is unexplained: not recorded" if left is None else f"; {left:,.0f} unexplained" if left else ""
    return f"{counts.get('packets', 0):,.0f} offered ({show_bytes(counts.get('bytes', 0))})" + "".join(
        f", {one}" for one in found) + balance  # fmt: skip
