"""What `Lab.verify` found, for a person: each link and direction, specified against achieved. It judges nothing.

What was asked for and not measured is counted in the sentence that closes it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from topologies.emulator.watch import BUSY
from units import show_bps, show_bytes, show_ms

WAYS = {"a_to_b": "a to b", "b_to_a": "b to a"}
MOST_LATE = 3
HEADS = ("link, direction", "RTT, rate", "achieved", "queue", "achieved", "lost (99 % interval of the loss)")
_WIDTHS = (30, 16, 44, 20, 14, 0)
_NOT = {"rate": "rate not measured", "queue": "queue not measured", "delay": "one-way delay not measured",
        "jitter": "jitter not verified", "codel": "CoDel: not verified"}  # fmt: skip


def table(found: Mapping[str, Any], more: Sequence[str] = ()) -> str:
    """Three lines per shaped link and one for what it did meanwhile, plain cables summed up; then the machine, the rules, what
    was not measured and why, and the reasons: those of the links, and `more`."""
    lines = [f"links by {found['backend']}: {found['how'].get('why', '')}", "", _line(HEADS)]
    shaped = [row for row in found["links"] if row["backend"] != "veth"]
    cables = [row for row in found["links"] if row["backend"] == "veth"]
    for row in shaped + [row for row in cables if not row["ok"]]:
        lines += [_line(_link(row)), *(_line(_way(row, way)) for way in WAYS), *_during(row)]
    if cables:
        worst = max(row["before"]["rtt_ms"]["median"] or 0.0 for row in cables)
        lines.append(f"{len(cables)} plain cables inside sites: RTT at most {show_ms(worst)}")
    lines += ["", *_rules(shaped), *_notes(shaped)]
    if load := found.get("machine"):
        lines.append(load_line(load))
    wrong = [(row["name"], reason) for row in found["links"] for reason in row["reasons"]]
    if wrong or more:
        return "\n".join([*lines, "", "invalid:", *_wrong(wrong), *(f"  {one}" for one in more)])
    slack_ms = max((row["slack_ms"] for row in shaped), default=0.0)
    emulated = f"; emulated processors: times up to {show_ms(slack_ms)}" if slack_ms else ""
    said = f"RTT and each way: 0.5 ms or 1 %, beside the echo's own time on the wire; rate: 5 %{emulated}"
    return "\n".join([*lines, f"every link is within its tolerance ({said}){_unmeasured(shaped)}"])


def _wrong(reasons: list[tuple[str, str]]) -> list[str]:
    """Each reason in a line; of lateness, which a busy machine gives to many links, the first few."""
    late = [f"  {name}: {reason}" for name, reason in reasons if reason.endswith(BUSY)]
    lines = [f"  {name}: {reason}" for name, reason in reasons if not reason.endswith(BUSY)] + late[:MOST_LATE]
    if len(late) > MOST_LATE:
        lines.append(f"  and {len(late) - MOST_LATE} more directions that were late")
    return lines + ["  run it again when nothing else takes the processors"] * bool(late)


def load_line(load: Mapping[str, Any]) -> str:
    """What the machine had to do meanwhile, as `machine.Reading.since` has it."""
    share = load["pressure_fraction"]
    waited = "not kept by this kernel" if share is None else f"{share:.1%} of the time"
    return f"machine: {load['steal_fraction']:.1%} of the CPU time stolen; somebody waited for a processor {waited}"


def _line(cells: tuple[str, ...]) -> str:
    return " ".join(f"{cell:<{width}}" for cell, width in zip(cells, _WIDTHS, strict=True)).rstrip()


def _link(row: Mapping[str, Any]) -> tuple[str, ...]:
    asked, rtt = row["specified"], row["before"]["rtt_ms"]
    achieved = "-"
    if rtt["median"] is not None:
        achieved = f"{rtt['median']:.5g} ms (min {rtt['min']:.5g}, p99 {rtt['p99']:.5g})"
    name = row["name"] + (" (estimate)" if row["estimate"] else "")
    tries = f", attempt {row['attempts']}" if row["attempts"] > 1 else ""
    return name, show_ms(asked["rtt_ms"]), achieved + tries, "", "", f"{rtt['sent'] - rtt['samples']} of {rtt['sent']} echoes"


def _way(row: Mapping[str, Any], way: str) -> tuple[str, ...]:
    asked, got = row["specified"][way], row["before"][way]
    rate_bps = asked["trace"]["mean_bps"] if asked["trace"] else asked["rate_bps"]
    achieved = "-" if got["rate_bps"] is None else show_bps(got["rate_bps"])
    if got.get("burst_s"):
        achieved += f" over {show_ms(got['burst_s'] * 1e3)}"
    if got.get("delay_ms") is not None:
        achieved += f"; {show_ms(got['delay_ms'])} one way"
    held = f"{asked['queue_packets']} packets" if asked["queue_bytes"] is None else show_bytes(asked["queue_bytes"])
    ceiling = got.get("queue_bytes")
    lost = f"{got['sent'] - got['received']} of {got['sent']}"
    if got.get("loss_low") is not None:
        lost += f" ({got['loss_low']:.2%} to {got['loss_high']:.2%})"
    during = (row.get("during") or {}).get(way)
    effects = [f"{word} {value}{_came(word, got, during)}" for word, value in asked["effects"].items()]
    if asked["jitter_ms"] and got.get("spread_ms") is not None:
        effects.append(f"delay spreads by {show_ms(got['spread_ms'])}")
    effects += [f"CoDel {asked['codel']}"] * bool(asked["codel"]) + ["down"] * (not asked["up"])
    return (f"  {WAYS[way]}", "unlimited" if rate_bps is None else show_bps(rate_bps), achieved, held,
            "-" if ceiling is None else show_bytes(ceiling), "; ".join([lost, *effects]))  # fmt: skip


def _came(word: str, got: Mapping[str, Any], during: Mapping[str, Any] | None) -> str:
    """What came of an effect that acts on single frames; these are counted and have no bound here."""
    counts = {"duplicate": got.get("duplicated"), "reorder": got.get("overtook"), "corrupt": (during or {}).get("corrupted")}
    return "" if counts.get(word) is None else f" ({counts[word]} frames)"


def _during(row: Mapping[str, Any]) -> list[str]:
    """What became of the frames of the measurement, and how late they were or what waits in the kernel: a line, or none."""
    said = []
    for way, count in (row.get("during") or {}).items():
        late, lost = count["lateness_ms"], sum(count[key] or 0 for key in ("unexplained", "overrun", "failed"))
        text = f"{WAYS[way]}: {count['packets']} frames, {count['dropped_queue']} dropped by the full queue, {lost} astray"
        if late["p99"] is not None:
            text += f", late by {show_ms(late['median'])} (p99 {show_ms(late['p99'])}, most {show_ms(late['max'])})"
        elif count["backlog_packets"] is not None:
            text += f", {count['backlog_packets']} waiting in the kernel"
        said.append(f"    {text}")
    return said


def _rules(rows: list[Mapping[str, Any]]) -> list[str]:
    """How each queue was chosen, and whether segments pass whole; links with the same rule together."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for what, rule in (("queue", row["specified"]["queue_rule"]), ("segments", row["specified"]["segments"])):
            found.setdefault(f"{what}: {rule}", []).append(row["name"])
    return [f"{rule}  ({_names(names, len(rows))})" for rule, names in sorted(found.items())]


def _notes(rows: list[Mapping[str, Any]]) -> list[str]:
    """What was not measured, and why; links with the same reason together."""
    found: dict[str, list[str]] = {}
    for row in rows:
        for way, words in WAYS.items():
            for what, said in _NOT.items():
                if note := row["before"][way].get(f"{what}_note"):
                    found.setdefault(f"{said}: {note}", []).append(f"{row['name']} {words}")
    return [f"{note}  ({_names(names, 2 * len(rows))})" for note, names in found.items()]


def _unmeasured(rows: list[Mapping[str, Any]]) -> str:
    """How much of what was asked for was not measured: `; 2 queues and CoDel of 1 link were not measured`, or nothing."""
    ways = [(number, row["specified"][way], row["before"][way]) for number, row in enumerate(rows) for way in WAYS]
    drained = [(asked, got) for _, asked, got in ways if asked["rate_bps"] or asked["trace"]]
    counts = [(sum(bool(got.get(f"{what}_note")) for _, got in drained), what) for what in ("rate", "queue")]
    counts.append((sum(bool(got.get("delay_note")) for _, _, got in ways), "one-way delay"))
    said = [_many(count, name) for count, name in counts if count]
    for what, name in (("jitter", "jitter"), ("codel", "CoDel")):
        if links := len({number for number, _, got in ways if got.get(f"{what}_note")}):
            said.append(f"{name} of {_many(links, 'link')}")
    if links := sum(any((row["specified"].get("schedule") or {}).values()) for row in rows):
        said.append(f"the schedule of {_many(links, 'link')}")
    if not said:
        return ""
    alone = len(said) == 1 and said[0].startswith(("1 ", "jitter", "CoDel", "the schedule"))
    listed = said[0] if len(said) == 1 else f"{', '.join(said[:-1])} and {said[-1]}"
    return f"; {listed} {'was' if alone else 'were'} not measured"


def _many(count: int, what: str) -> str:
    return f"{count} {what}{'s' * (count > 1)}"


def _names(names: list[str], everyone: int) -> str:
    if len(names) == everyone > 1:
        return "all"
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
