"""What the kernel's shapers can do: on this machine, found by trying; and for a link, found by reading its specification.

It makes no link. What netem would do with another meaning is refused here, with the reason; nothing is approximated.
"""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from . import netns, tc, tc_plan
from .spec import Direction, LinkSpec
from .timers import sleeps_late_s
from .tolerance import of_this_machine

_LONGEST_JITTER_MS = (2**31 - 1) / 1e6  # the kernel caps what is longer without a word (netem_change in sch_netem.c)
_LEAST_LATE_S, _MOST_LATE_S = 250e-6, 4e-3
_LEAST_EARLY_NS, _MOST_EARLY_NS = 20_000_000, 1_000_000_000
_STARTS = 5  # a trial makes the machine busier than it is now
_LOSS = "loss gemodel 1% 25% 100% 0%"
_TRIED = {
    "tbf": "qdisc replace dev lo root handle 1: tbf rate 1mbit burst 1600b limit 16000b",
    "pfifo": "qdisc add dev lo parent 1:1 handle 2: pfifo limit 10",
    "netem": f"qdisc replace dev lo root netem delay 1ms rate 1mbit duplicate 1% reorder 1% corrupt 1% {_LOSS}",
    "ingress": "qdisc add dev lo ingress",
    "matchall, gact or mirred": "filter add dev lo ingress pref 1 protocol all matchall action gact pipe index 1 "
                                "action mirred egress mirror dev lo trap",
}  # fmt: skip
_TRIED_SEED = "qdisc replace dev lo root netem delay 1ms seed 1"
_TRIED_JITTER = "qdisc replace dev lo root netem delay 1ms 0.1ms distribution uniform"


@dataclass(frozen=True)
class Ability:
    """What the kernel and `tc` can do here: `reason` is empty when links can be built. `seed` says that netem takes one,
    `jitter` that `tc` takes the distributions; `late_s` is how late timers may be, for the token buckets; `early_ns` how long
    before its moment a change is told, so that `tc` has started by then and waits for its lines."""

    reason: str
    seed: bool
    tc_version: str
    jitter: bool = True
    late_s: float = _LEAST_LATE_S
    early_ns: int = _LEAST_EARLY_NS


def ability() -> Ability:
    """Tried for real in a throw-away namespace, in one batch."""
    try:
        space = netns.fresh()
    except OSError as error:
        return Ability(str(error), False, "")
    try:
        with netns.entered_fd(space):
            try:
                began_ns = time.monotonic_ns()
                version = tc.version()
                start_ns = time.monotonic_ns() - began_ns
                refused = _refused([*_TRIED.values(), _TRIED_SEED, _TRIED_JITTER])
                tc.statistics()
            except FileNotFoundError:
                return Ability("there is no tc command (install iproute2)", False, "")
            except tc.TcError as error:
                return Ability(str(error), False, "")
    finally:
        os.close(space)
    missing = [kind for number, kind in enumerate(_TRIED) if number in refused]
    reason = f"this kernel (or this tc) has no {', no '.join(missing)}" if missing else ""
    late_s = _LEAST_LATE_S if missing else _late_s()
    early_ns = min(max(_LEAST_EARLY_NS, _STARTS * start_ns), _MOST_EARLY_NS)
    return Ability(reason, len(_TRIED) not in refused, version, len(_TRIED) + 1 not in refused, late_s, early_ns)


def _late_s() -> float:
    """Several times the worst of some short sleeps: a bucket too small for its machine loses rate, one too large lets a change
    of the rate come late by what it holds. An emulated processor lost a third of 50 Mbit/s with 0.25 ms."""
    least_s = max(_LEAST_LATE_S, of_this_machine().ms / 1e3)
    return min(max(least_s, 6 * sleeps_late_s()[-1]), _MOST_LATE_S)


def _refused(lines: list[str]) -> set[int]:
    try:
        tc.batch(lines, all_of_them=True)
    except tc.TcError as error:
        if not error.refused:
            raise
        return set(error.refused)
    return set()


def ground(spec: LinkSpec, found: Ability) -> tc_plan.Ground:
    """What the plans of a link have in common here."""
    return tc_plan.Ground(spec.mtu, found.late_s, spec.passes[0])


def unsupported(
    spec: LinkSpec, found: Ability, *, seed_demanded: bool = False, made: tc_plan.Ground | None = None
) -> list[str]:
    """Why netem cannot be this link, in words; empty when it can.

    `seed_demanded`: fates must repeat. netem draws for the frames that have left the queue, and all effects from one
    generator, so a seed repeats them for the same frames there. `made`: of a link that exists, which keeps what it passes.
    """
    base = made or ground(spec, found)
    reasons = [f"{name}: {text}" for name in ("a_to_b", "b_to_a")
               for text in _of_way(getattr(spec, name), base, found, seed_demanded)]  # fmt: skip
    if spec.a_to_b == spec.b_to_a:
        reasons = [text.removeprefix("a_to_b: ") for text in reasons if not text.startswith("b_to_a")]
    if made and made.passes and spec.per_packet:
        reasons.append(f"it was made to pass segments whole, and {spec.per_packet}")
    return reasons


def _of_way(way: Direction, base: tc_plan.Ground, found: Ability, seed_demanded: bool) -> list[str]:
    reasons = []
    if way.codel:
        reasons.append("CoDel is an option of the relay")
    if way.trace:
        reasons.append("netem follows no trace")
    if way.jitter.jitter_ms > _LONGEST_JITTER_MS:
        reasons.append(f"netem's jitter ends at {_LONGEST_JITTER_MS / 1e3:.4g} s")
    if way.jitter.jitter_ms and not found.jitter:
        reasons.append(f"tc did not take the distribution of jitter ({_table(way.jitter.shape)})")
    if seed_demanded and way.effects and not found.seed:
        reasons.append("a seed was asked for, and this kernel's netem or this tc takes none (both need version 6.6 or newer)")
    if seed_demanded and way.has("corrupt") and found.seed:
        reasons.append("a seed was asked for, and netem chooses the bits that it corrupts without one")
    if base.passes and way.rate_bps and tc_plan.fifo_limit(way, base) < base.segment_bytes:
        reasons.append(f"a queue of {way.queue_words} cannot take segments of up to {base.segment_bytes} B whole")
    return reasons


def _table(shape: str) -> Path:
    return tc.TABLES / f"{shape}.dist"
