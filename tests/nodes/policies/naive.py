"""The policies once more, as their papers say them, with lists and no care for speed: what the fast ones are held against.

They share no code with them. Each is a function of capacity and trace that gives the hits and what is held in the end.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

Trace = Sequence[tuple[int, int]]
Outcome = tuple[int, set[int]]


@dataclass(eq=False)
class Item:
    """An object in a queue, the newest last."""

    key: int
    size: int
    uses: int = 0


def total(*queues: list[Item]) -> int:
    return sum(item.size for queue in queues for item in queue)


def where(key: int, *queues: list[Item]) -> tuple[list[Item], Item] | None:
    return next(((queue, item) for queue in queues for item in queue if item.key == key), None)


def lru(capacity: int, trace: Trace, *, renew: bool = True) -> Outcome:
    queue, hits = list[Item](), 0
    for key, size in trace:
        found = where(key, queue)
        if found:
            hits += 1
            if renew:
                queue.remove(found[1])
                queue.append(found[1])
        elif size <= capacity:
            while total(queue) + size > capacity:
                queue.pop(0)
            queue.append(Item(key, size))
    return hits, {item.key for item in queue}


def fifo(capacity: int, trace: Trace) -> Outcome:
    return lru(capacity, trace, renew=False)


def clock(capacity: int, trace: Trace) -> Outcome:
    """A circle of slots with a hand that stands before the oldest."""
    circle, hand, hits = list[Item](), 0, 0
    for key, size in trace:
        found = where(key, circle)
        if found:
            hits, found[1].uses = hits + 1, 1
        elif size <= capacity:
            while total(circle) + size > capacity:
                hand %= len(circle)
                if circle[hand].uses:
                    circle[hand].uses = 0
                    hand += 1
                else:
                    del circle[hand]
            circle.insert(hand, Item(key, size))  # just behind the hand: it is met last
            hand += 1
    return hits, {item.key for item in circle}


def sieve(capacity: int, trace: Trace) -> Outcome:
    queue, hand, hits = list[Item](), 0, 0
    for key, size in trace:
        found = where(key, queue)
        if found:
            hits, found[1].uses = hits + 1, 1
        elif size <= capacity:
            while total(queue) + size > capacity:
                hand = 0 if hand >= len(queue) else hand
                while queue[hand].uses:
                    queue[hand].uses = 0
                    hand = (hand + 1) % len(queue)
                del queue[hand]
            if hand >= len(queue):
                hand = 0  # it passed the newest: it begins again with the oldest, not with what comes now
            queue.append(Item(key, size))
    return hits, {item.key for item in queue}


def promote(item: Item, probation: list[Item], protected: list[Item], most: int) -> None:
    if item in protected:
        protected.remove(item)
    elif item.size > most:
        probation.remove(item)
        probation.append(item)
        return
    else:
        probation.remove(item)
    protected.append(item)
    while total(protected) > most:
        probation.append(protected.pop(0))


def slru(capacity: int, trace: Trace) -> Outcome:
    probation, protected, hits = list[Item](), list[Item](), 0
    for key, size in trace:
        found = where(key, probation, protected)
        if found:
            hits += 1
            promote(found[1], probation, protected, capacity * 4 // 5)
        elif size <= capacity:
            while total(probation, protected) + size > capacity:
                (probation or protected).pop(0)
            probation.append(Item(key, size))
    return hits, {item.key for item in probation + protected}


def s3fifo(capacity: int, trace: Trace) -> Outcome:
    small, main, ghosts, hits = list[Item](), list[Item](), list[int](), 0

    def evict() -> None:
        while small and (total(small) * 10 >= capacity or not main):
            item = small.pop(0)
            if item.uses > 1:
                item.uses = 0
                main.append(item)
                continue
            ghosts.append(item.key)
            del ghosts[: max(0, len(ghosts) - (len(small) + len(main)) * 9 // 10)]
            return
        while True:
            item = main.pop(0)
            if not item.uses:
                return
            item.uses -= 1
            main.append(item)

    for key, size in trace:
        found = where(key, small, main)
        if found:
            hits, found[1].uses = hits + 1, min(3, found[1].uses + 1)
        elif size <= capacity:
            while total(small, main) + size > capacity:
                evict()
            if key in ghosts:
                ghosts.remove(key)
                main.append(Item(key, size))
            else:
                small.append(Item(key, size))
    return hits, {item.key for item in small + main}


def gdsf(capacity: int, trace: Trace) -> Outcome:
    held, priority, aged, hits, when = list[Item](), dict[int, tuple[float, int]](), 0.0, 0, 0
    for key, size in trace:
        found, when = where(key, held), when + 1
        if found:
            hits += 1
            item = found[1]
        elif size <= capacity:
            while total(held) + size > capacity:
                victim = min(held, key=lambda one: priority[one.key])
                aged = priority[victim.key][0]
                held.remove(victim)
            item = Item(key, size)
            held.append(item)
        else:
            continue
        item.uses += 1
        priority[key] = aged + item.uses / item.size, when
    return hits, {item.key for item in held}


def w_tinylfu(capacity: int, trace: Trace) -> Outcome:
    """Exact counts up to 15 in place of the sketch; for traces too short for the sketch to age."""
    window, probation, protected = list[Item](), list[Item](), list[Item]()
    seen, hits = Counter[int](), 0
    window_most = max(1, capacity // 100)
    main_most = capacity - window_most

    def evict() -> None:
        main = probation or protected
        if not main:
            window.pop(0)
        elif total(window) <= window_most:
            main.pop(0)
        elif min(15, seen[window[0].key]) > min(15, seen[main[0].key]):
            main.pop(0)
            probation.append(window.pop(0))
        else:
            window.pop(0)

    for key, size in trace:
        found = where(key, window, probation, protected)
        if found:
            hits, seen[key] = hits + 1, seen[key] + 1
            if found[0] is window:
                window.remove(found[1])
                window.append(found[1])
            else:
                promote(found[1], probation, protected, main_most * 4 // 5)
        elif size <= capacity:
            while total(window, probation, protected) + size > capacity:
                evict()
            seen[key] += 1
            window.append(Item(key, size))
            while total(window) > window_most and len(window) > 1:
                if total(probation, protected) + window[0].size > main_most:
                    break
                probation.append(window.pop(0))
    return hits, {item.key for item in window + probation + protected}


def belady(capacity: int, trace: Trace) -> Outcome:
    held, hits = list[Item](), 0
    for now, (key, size) in enumerate(trace):
        if where(key, held):
            hits += 1
        elif size <= capacity:
            held.append(Item(key, size))
            while total(held) > capacity:
                held.remove(max(held, key=lambda item: (following(trace, item.key, now), -item.key)))
    return hits, {item.key for item in held}


def following(trace: Trace, key: int, now: int) -> float:
    return next((later for later in range(now + 1, len(trace)) if trace[later][0] == key), math.inf)
