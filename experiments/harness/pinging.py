"""`ping` between two nodes while something else goes on: the instrument that everybody knows. It judges nothing."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from typing import Any

from experiments.harness.daemon import StageError
from topologies.emulator.lab import Lab

PATIENCE_S = 20.0
_ANSWER = re.compile(r"^\[(\d+\.\d+)\] .*icmp_seq=(\d+) .*time=([\d.]+) ms", re.MULTILINE)
_SUMMARY = re.compile(r"^(\d+) packets transmitted, (\d+) received", re.MULTILINE)


class Pinging:
    """Echoes of 98-byte frames from a node to another, `every_ms`, for `seconds`. Raises StageError."""

    def __init__(self, lab: Lab, node: str, target: str, seconds: float, every_ms: float) -> None:
        self._what, self._count = f"ping {target} from {node}", max(1, round(seconds * 1e3 / every_ms))
        self._until = time.monotonic() + seconds + PATIENCE_S
        self._process: subprocess.Popen[str] = lab.node(node).start(
            ["ping", "-n", "-D", "-c", str(self._count), "-i", f"{every_ms / 1e3:g}", "-W", "10", lab.address(target)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def results(self) -> list[dict[str, Any]]:
        """Wait for the end: an entry for each echo, `at_s` (the time of day it was sent) and `rtt_ms`; None: no answer came."""
        try:
            said, complained = self._process.communicate(timeout=max(1.0, self._until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()
            raise StageError(f"could not {self._what}: it did not end") from None
        try:
            return parse(said)
        except ValueError:
            why = complained.strip() or said.strip()[-200:] or "it said nothing"
            raise StageError(f"could not {self._what}: {why}") from None


def rtts(echoes: Sequence[Mapping[str, Any]], from_s: float = 0.0) -> list[float]:
    """Round-trip times in ms of the echoes that were answered, from `from_s` after the first on. Raises StageError where none
    was."""
    answered = [one for one in echoes if one["rtt_ms"] is not None]
    found = [float(one["rtt_ms"]) for one in answered if one["at_s"] - answered[0]["at_s"] >= from_s]
    if not found:
        raise StageError(f"could not use ping: none of its {len(echoes)} echoes was answered")
    return found


def parse(said: str) -> list[dict[str, Any]]:
    """What `ping -D` printed, echo by echo; answers that came twice count once. Raises ValueError when it has no summary."""
    summary = _SUMMARY.search(said)
    if summary is None:
        raise ValueError("no summary")
    answers: dict[int, tuple[float, float]] = {}
    for at, turn, rtt in _ANSWER.findall(said):
        answers.setdefault(int(turn), (float(at) - float(rtt) / 1e3, float(rtt)))
    return [{"echo": turn, "at_s": answers[turn][0] if turn in answers else None,
             "rtt_ms": answers[turn][1] if turn in answers else None} for turn in range(1, int(summary[1]) + 1)]  # fmt: skip
