"""tshark as the oracle of TCP analysis: what it must say the same of. It makes no capture."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from results.captures.columns import Packets
from results.captures.connection_table import Analysis

TSHARK = shutil.which("tshark")
needs_tshark = pytest.mark.skipif(TSHARK is None, reason="tshark, the oracle, is not installed")
_NAMES = ("tcp.stream", "tcp.len", "tcp.analysis.initial_rtt", "tcp.analysis.ack_rtt")


def agrees(path: Path, packets: Packets, found: Analysis) -> int:
    """Assert that stream numbers, lengths, initial RTTs (within a microsecond) and 99.9 % of RTT samples are the same; how
    many samples there were."""
    lines = subprocess.run(["tshark", "-r", str(path), "-T", "fields", *[x for name in _NAMES for x in ("-e", name)]],
                           check=True, capture_output=True, text=True).stdout.splitlines()  # fmt: skip
    theirs = [line.split("\t") for line in lines]
    stream = np.empty(len(packets), np.int64)
    stream[found.segments.row] = found.segments.number
    assert [int(one[0]) for one in theirs] == stream.tolist()
    assert [int(one[1]) for one in theirs] == packets.payload.tolist()
    initial = {int(one[0]): float(one[2]) * 1e3 for one in theirs if one[2]}
    assert found.table["initial_rtt_ms"].tolist() == pytest.approx(
        [initial[number] for number in range(len(found.table["stream"]))], abs=0.001)  # fmt: skip
    ack_rtt = {number: float(one[3]) for number, one in enumerate(theirs) if one[3]}
    ours = dict(zip(found.segments.row[found.samples.answer].tolist(), (found.samples.rtt_ns / 1e9).tolist(), strict=True))
    same = sum(abs(ours.get(number, -1) - value) < 2e-6 for number, value in ack_rtt.items())
    assert same >= 0.999 * max(len(ack_rtt), len(ours))
    return len(ack_rtt)
