"""How fast captures become figures: reading, following TCP, matching points, memory and start, beside tshark.

The capture is made up: 100 downloads side by side with 1 % loss, a million packets of headers. Beside tshark the whole command
reads ten times as many, on all processors, and tshark the first of them with the same fields, as all would take it minutes;
both are given in packets a second, with the start of either.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.harness.bench import Row
from results.captures import made
from results.captures.columns import TYPES, Packets
from results.captures.matching import match
from results.captures.reader import Capture, read

CONNECTIONS, SEGMENTS, LOSS = 100, 6200, 0.01
PEER_PACKETS = 300_000
MATCHED = 500_000
COPIES = 10
"""Of the capture, with other addresses, make the file of ten million packets; 1 GB in the temporary folder."""
_FIELDS = ("frame.number", "tcp.stream", "tcp.len", "tcp.analysis.initial_rtt", "tcp.analysis.ack_rtt",
           "tcp.analysis.retransmission", "tcp.analysis.duplicate_ack", "tcp.analysis.bytes_in_flight")  # fmt: skip
_SURVEY = """
import sys, time
from pathlib import Path
from results.captures.survey import survey
began = time.perf_counter()
found = survey(Path(sys.argv[1]))
took = time.perf_counter() - began
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(found.packets, peak.split()[1], took)
"""


def measure(repetitions: int) -> list[Row]:
    """All figures, on one capture."""
    return _measured(repetitions, SEGMENTS, COPIES)


def quick() -> list[Row]:
    """The same on a tenth of the packets."""
    return _measured(1, SEGMENTS // 10, 2)


def _measured(repetitions: int, segments: int, copies: int) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="longhaul-bench-") as name:
        folder = Path(name)
        capture = folder / "made.pcap"
        count = made.write(capture, CONNECTIONS, segments, LOSS).packets
        small = folder / "small.pcap"
        made.write(small, 2, 50, LOSS)
        rates = tuple(count / _timed(lambda: _headers(capture)) / 1e6 for _ in range(repetitions))
        ours = tuple(count / _survey(capture)[2] / 1e6 for _ in range(repetitions))
        a, b = _two_points(capture)
        matching = tuple(_timed(lambda: match(a, b)) for _ in range(repetitions))
        large = folder / "large.pcap"
        _multiply(capture, large, copies)
        packets, peak, _ = _survey(large)
        whole = tuple(packets / _timed(lambda: _command(large)) / 1e6 for _ in range(repetitions))
        peer = _tshark(large, min(PEER_PACKETS, packets), repetitions)
        start = tuple(_timed(lambda: _command(small)) for _ in range(max(3, repetitions)))
    return [
        Row("reading headers into columns", "M packets/s", rates, at_least=3),
        Row("TCP analysis, tables and RTT samples", "M packets/s", ours, at_least=1),
        Row(f"longhaul analyse of {packets:,} packets", "M packets/s", whole, peer="tshark", peer_samples=peer,
            ratio_at_least=80, warning="" if peer else "tshark is not installed: run ./provision.sh --peers"),
        Row(f"matching two captures of {len(a):,} packets", "s", matching, 2),
        Row(f"peak memory, {packets:,} packets", "MiB", (peak / 1024,), 400),
        Row("longhaul analyse of a small file", "s", start, 0.5),
    ]  # fmt: skip


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def _headers(path: Path) -> None:
    for _ in Capture(path).chunks():
        pass


def _survey(path: Path) -> tuple[int, int, float]:
    """Packets, peak memory in KiB, and seconds without the start, of a process that surveys `path`.

    The peak is not taken from getrusage: there that of the process that forked it counts as its own."""
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}  # as the command sets it
    done = subprocess.run([sys.executable, "-P", "-c", _SURVEY, str(path)], check=True, capture_output=True, text=True,
                          env=environment)  # fmt: skip
    packets, peak, took = done.stdout.split()
    return int(packets), int(peak), float(took)


def _tshark(path: Path, packets: int, repetitions: int) -> tuple[float, ...]:
    """Millions of packets a second; none where it is not installed."""
    if not shutil.which("tshark"):
        return ()
    rates = []
    for _ in range(repetitions):
        command = ["tshark", "-r", str(path), "-c", str(packets), "-T", "fields", *(x for one in _FIELDS for x in ("-e", one))]
        began = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300)
        rates.append(packets / (time.perf_counter() - began) / 1e6)
    return tuple(rates)


def _two_points(path: Path) -> tuple[Packets, Packets]:
    """The capture, and what a tap 20 ms away would have seen of it: 1 % lost, some overtaken."""
    packets, _ = read(path)
    here = packets[np.arange(min(MATCHED, len(packets)))]
    dice = np.random.default_rng(1)
    kept = np.flatnonzero(dice.random(len(here)) > 0.01)
    there = here[kept]
    jitter = dice.integers(0, 50_000, len(kept))
    there.time_ns = there.time_ns + np.where(there.source_port == 80, 20_000_000, -20_000_000) + jitter
    order = np.argsort(there.time_ns, kind="stable")
    for name in TYPES:
        setattr(there, name, getattr(there, name)[order])
    return here, there


def _multiply(source: Path, target: Path, copies: int) -> None:
    """A capture of `copies` times as many connections, hour after hour: the first bytes of all IPv4 addresses differ."""
    with target.open("wb") as file:
        file.write(source.read_bytes()[:24])
        for copy in range(copies):
            for chunk in Capture(source).chunks():
                data = np.frombuffer(chunk.frames.data, np.uint8)
                at = chunk.frames.at
                data[at + 26] = data[at + 30] = 20 + copy
                seconds = (chunk.frames.time_ns // 10**9 + 3600 * copy).astype("<u4")
                data[at[:, None] - 16 + np.arange(4)] = seconds.view(np.uint8).reshape(-1, 4)
                begin, end = int(at[0]) - 16, int(at[-1] + chunk.frames.captured[-1])
                file.write(memoryview(chunk.frames.data)[begin:end])
                del data


def _command(path: Path) -> None:
    subprocess.run([sys.executable, "-P", "-m", "experiments.harness", "analyse", str(path)], check=True,
                   stdout=subprocess.DEVNULL)  # fmt: skip
