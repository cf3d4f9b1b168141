"""How stale reads were, from a history: since the first write, acknowledged before the read began, that it did not see.

It knows no cache and judges nothing. The newest version counts as last, as in `history.py`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable

from results.history import Operation


def stale_s(operations: Iterable[Operation]) -> list[tuple[Operation, float]]:
    """Each read with the time since it was stale, 0 where it was not, in the order of their begins."""
    writes, reads = defaultdict[str, list[Operation]](list), list[Operation]()
    for one in operations:
        if one.op in ("put", "delete") and one.ok:
            writes[one.key].append(one)
        elif one.op == "get":
            reads.append(one)
    ordered = {key: sorted(some, key=lambda write: write.end_s) for key, some in writes.items()}
    ends = {key: [write.end_s for write in some] for key, some in ordered.items()}
    found = []
    for read in sorted(reads, key=lambda one: one.begin_s):
        known = ordered.get(read.key, [])[: bisect_right(ends.get(read.key, []), read.begin_s)]
        since_s = next((write.end_s for write in known if (write.version or 0) > (read.version or 0)), read.begin_s)
        found.append((read, read.begin_s - since_s))
    return found
