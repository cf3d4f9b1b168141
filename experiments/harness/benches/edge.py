"""Our edge beside nginx: cached objects over loopback, followers of a slow fetch, and a million objects in the index.

The same files on the same machine, in turn. nginx is `longhaul node nginx-edge` at its best: proxy_cache, sendfile, tcp_nopush
off, open_file_cache, a buffered access log in its own format; ours has its access log and metrics on. A server with one worker
has processor 0, and wrk or the paced client has processor 1; two workers and two threads of wrk share both.
"""

from __future__ import annotations

import itertools
import shutil
import statistics
import tempfile
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from experiments.harness.bench import Row
from experiments.harness.load import follower, index, paced, wrk
from experiments.harness.load.engine import Engine
from experiments.harness.load.errors import LoadError
from experiments.harness.load.turns import Patience, Samples, Turns, say
from nodes.edge.store.populate import populate
from units import show_bytes

SERVER, CLIENT, BOTH = "0", "1", "0,1"
KIB, MIB = 2**10, 2**20
SMALL = KIB
HITS = ((SMALL, 16, 0.8), (SMALL, 256, 0.8), (64 * KIB, 16, 1.0), (MIB, 16, 1.0), (8 * MIB, 16, 1.0))
"""Size, connections, and the goal as a ratio to nginx."""

PACED_CONNECTIONS = 64
PACED_FOREIGN = 0.02
"""Whoever has the processor for 1 % of the time decides the 99th percentile."""

FOLLOWED_BYTES, FOLLOWED_S = 4 * MIB, 2.0
INDEXED_BODY = bytes(64)


@dataclass(frozen=True)
class Length:
    """How many runs there are, and how long they take."""

    repetitions: int
    seconds: int
    paced_s: float
    objects: int
    repeated: int
    """How many runs at most are repeated because others used the processors."""


def measure(repetitions: int) -> list[Row]:
    """The table of README.md."""
    return _measure(Length(repetitions, 1, 2.0, 1_000_000, 10 * repetitions))


def quick() -> list[Row]:
    """The same with one short run of each, and fewer objects in the index."""
    return _measure(Length(1, 1, 0.5, 20_000, 2))


def _measure(length: Length) -> list[Row]:
    with tempfile.TemporaryDirectory(prefix="longhaul-bench-") as folder, ExitStack() as stack:
        patience = Patience(length.repeated)
        origin = stack.enter_context(Engine("origin", cpus=CLIENT))
        with _both(Path(folder) / "one", origin, 1, length, patience) as turns:
            hits = [_hits(turns, 1, size, connections, goal, length) for size, connections, goal in HITS]
            peak_per_s = 1e3 * max(statistics.median(hits[n].peer_samples) for n, one in enumerate(HITS) if one[0] == SMALL)
            rows = [*hits, _paced(turns, peak_per_s / 2, length), _followers(turns)]
        with _both(Path(folder) / "two", origin, 2, length, patience) as turns:
            rows += [_hits(turns, 2, size, connections, goal, length) for size, connections, goal in HITS]
        return rows + _index(Path(folder) / "many", origin, length)


@contextmanager
def _both(folder: Path, origin: Engine, workers: int, length: Length, patience: Patience) -> Iterator[Turns]:
    """Ours and nginx in front of one origin, with as many workers."""
    folder.mkdir()
    cpus = SERVER if workers == 1 else BOTH
    options = ["--origin", origin.url, "--capacity", "1GiB", "--workers", str(workers)]
    ours = [*options, "--cache", str(folder / "ours"), "--log", str(folder / "ours.jsonl")]
    peer = [*options, "--cache", str(folder / "nginx"), "--log", str(folder / "nginx.log"), "--log-format", "combined"]
    with Engine("edge", *ours, cpus=cpus) as first, Engine("nginx_edge", *peer, cpus=cpus) as second:
        yield Turns(first, second, length.repetitions, patience)
    shutil.rmtree(folder)


def _hits(turns: Turns, workers: int, size: int, connections: int, goal: float, length: Length) -> Row:
    target, by_bytes = f"/objects/{size}B/bench", size >= MIB
    unit = "GB/s" if by_bytes else "1000/s"
    what = f"hits of {show_bytes(size)}, {connections} connections" + (f", {workers} workers" if workers > 1 else "")
    for engine in (turns.ours, turns.peer):
        _must_hit(engine, target, size)

    def run(engine: Engine) -> tuple[float, str]:
        rate = wrk.run(engine.url + target, connections, length.seconds, CLIENT if workers == 1 else BOTH, workers)
        return rate.bytes_per_s / 1e9 if by_bytes else rate.requests_per_s / 1e3, ""

    return _beside(what, unit, turns.take(run, what, unit), ratio_at_least=goal)


def _paced(turns: Turns, rate_per_s: float, length: Length) -> Row:
    what = f"p99, hits of {show_bytes(SMALL)} at {rate_per_s / 1e3:.0f},000/s"

    def run(engine: Engine) -> tuple[float, str]:
        found = paced.measure(engine.host, engine.port, f"/objects/{SMALL}B/bench", rate_per_s, length.paced_s,
                              PACED_CONNECTIONS, CLIENT)  # fmt: skip
        return found.p99_us, f"p50 {found.p50_us:.0f} us, client late by {found.late_p99_us:.0f} us (p99)"

    return _beside(what, "us", turns.take(run, what, "us", PACED_FOREIGN), ratio_at_most=1.5)


def _followers(turns: Turns) -> Row:
    what = f"follower's first byte, {show_bytes(FOLLOWED_BYTES)} in {FOLLOWED_S:g} s"
    names, rate_bps = itertools.count(), round(FOLLOWED_BYTES * 8 / FOLLOWED_S)

    def run(engine: Engine) -> tuple[float, str]:
        return follower.first_byte_ms(engine, f"/objects/{FOLLOWED_BYTES}B/follow-{next(names)}?rate={rate_bps}bit"), ""

    return _beside(what, "ms", turns.take(run, what, "ms", None), at_most=10.0)


def _beside(what: str, unit: str, samples: Samples, at_most: float | None = None, ratio_at_least: float | None = None,
            ratio_at_most: float | None = None) -> Row:  # fmt: skip
    return Row(what, unit, samples.ours, at_most, "nginx", samples.peer, None, ratio_at_least, ratio_at_most, samples.warning)


def _index(cache: Path, origin: Engine, length: Length) -> list[Row]:
    say(f"  writing {length.objects:,} objects")
    populate(cache, length.objects, INDEXED_BODY, origin.url)
    ready_s, memory_mb = index.measure(cache, origin.url, length.objects, SERVER)
    say(f"  index: {ready_s:.1f} s, {memory_mb:.0f} MB")
    return [Row(f"memory, {length.objects:,} objects in the index", "MB", (memory_mb,), 350),
            Row(f"index of {length.objects:,} objects ready", "s", (ready_s,), 10)]  # fmt: skip


def _must_hit(engine: Engine, target: str, size: int) -> None:
    """Have the object in the cache and see that it comes from there, whole. Raises LoadError."""
    for wanted in ("", "hit"):
        with urllib.request.urlopen(engine.url + target, timeout=30) as answer:
            said, length = answer.headers.get("Cache-Status", ""), len(answer.read())
        if length != size or wanted not in said:
            raise LoadError(f"could not measure hits of {engine.kind}: {length} bytes came with Cache-Status '{said}'; "
                            "see its messages above")  # fmt: skip
