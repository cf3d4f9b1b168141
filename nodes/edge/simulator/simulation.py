"""One policy over requests. It does no input or output."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

from nodes.edge.policies.belady import Belady
from nodes.edge.policies.machinery import catalogue
from nodes.edge.policies.machinery.tally import Tally
from nodes.edge.simulator.requests import Chunk


@dataclass
class Result:
    """What a cache of this policy and capacity did. `replayed` counts the warm-up too; `elapsed_s` is
    for all of it, the reading of the trace included."""

    policy: str
    admission: str
    capacity_bytes: int
    tally: Tally
    objects: int
    used_bytes: int
    replayed: int
    elapsed_s: float

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        rate = self.replayed / self.elapsed_s if self.elapsed_s else 0.0
        return {
            "policy": self.policy, "admission": self.admission, "capacity_bytes": self.capacity_bytes,
            **asdict(self.tally), "misses": self.tally.requests - self.tally.hits,
            "object_hit_ratio": self.tally.object_hit_ratio, "byte_hit_ratio": self.tally.byte_hit_ratio,
            "objects": self.objects, "used_bytes": self.used_bytes, "elapsed_s": self.elapsed_s,
            "requests_per_s": rate,
        }  # fmt: skip


def simulate(chunks: Iterable[Chunk], policy: str, capacity_bytes: int, admission: str = "always", *, warm_up: int = 0,
             on_chunk: Callable[[int], None] = lambda requests: None) -> Result:  # fmt: skip
    """Run all requests; the first `warm_up` fill the cache and are not counted. Raises ValueError for unknown names."""
    cache = catalogue.policy(policy)(capacity_bytes)
    rule = catalogue.admission_rule(admission)(capacity_bytes)
    admit = None if admission == "always" else rule.admit
    tally, requests, began = Tally(), 0, time.perf_counter()
    for chunk in chunks:
        parts = [chunk]
        if 0 < warm_up < len(chunk):
            parts = [_slice(chunk, 0, warm_up), _slice(chunk, warm_up, len(chunk))]
        for part in parts:
            counted = Tally() if warm_up > 0 else tally
            warm_up -= len(part)
            if isinstance(cache, Belady):
                cache.foresee(part.next_uses or ())
            cache.replay(part.keys, part.sizes, counted, admit)
            counted.requests += len(part)
            counted.requested_bytes += sum(part.sizes)
        requests += len(chunk)
        on_chunk(requests)
    elapsed_s = time.perf_counter() - began
    return Result(policy, admission, capacity_bytes, tally, len(cache), cache.used_bytes, requests, elapsed_s)


def _slice(chunk: Chunk, start: int, end: int) -> Chunk:
    following = None if chunk.next_uses is None else chunk.next_uses[start:end]
    return Chunk(chunk.keys[start:end], chunk.sizes[start:end], following)
