"""Places boxes on a sheet: by longitude and latitude, or in columns by distance from the clients. It draws nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

SIDE_GAP, ROW_GAP, MARGIN = 120.0, 54.0, 2.0
_ROUNDS = 400


@dataclass
class Box:
    """A box with its centre `x`, `y` and its size, in px."""

    key: str
    width: float
    height: float
    x: float = 0.0
    y: float = 0.0

    def overlaps(self, left: float, top: float, right: float, bottom: float, slack: float = 0.0) -> bool:
        """Whether a rectangle comes closer to the box than `slack`."""
        return (left < self.x + self.width / 2 + slack and right > self.x - self.width / 2 - slack
                and top < self.y + self.height / 2 + slack and bottom > self.y - self.height / 2 - slack)  # fmt: skip


def by_position(boxes: Sequence[Box], positions: Mapping[str, tuple[float, float]], width: float) -> float:
    """Centre boxes as on a map (`positions`: latitude, longitude in degrees), pushed apart where they would touch.

    The map is cut at the widest gap between neighbouring longitudes, so that Tokyo and Oregon face over the Pacific.
    Returns the height of the sheet.
    """
    longitudes = sorted({positions[box.key][1] % 360 for box in boxes})
    gaps = [(after - here) % 360 or 360 for here, after in zip(longitudes, longitudes[1:] + longitudes[:1], strict=True)]
    cut = longitudes[(gaps.index(max(gaps)) + 1) % len(longitudes)]
    east = {box.key: (positions[box.key][1] - cut) % 360 for box in boxes}
    north = {box.key: positions[box.key][0] for box in boxes}
    spread, tall = max(east.values()) or 1.0, (max(north.values()) - min(north.values())) or 1.0
    high = min(340.0, tall / spread * width * 1.2)
    for box in boxes:
        room = width - box.width - 2 * MARGIN
        box.x = MARGIN + box.width / 2 + room * east[box.key] / spread
        box.y = high * (max(north.values()) - north[box.key]) / tall
    _push_apart(boxes, width)
    return _settle(boxes)


def by_distance(boxes: Sequence[Box], neighbours: Mapping[str, set[str]], first: Sequence[str], width: float) -> float:
    """Centre boxes in columns: `first` on the left, then what is one link away, and so on. Returns the height."""
    depth = dict.fromkeys(first or [boxes[0].key], 0)
    queue = list(depth)
    for key in queue:
        for other in sorted(neighbours.get(key, ())):
            if other not in depth:
                depth[other] = depth[key] + 1
                queue.append(other)
    last = max(depth.values())
    columns: dict[int, list[Box]] = {}
    for box in boxes:
        columns.setdefault(depth.get(box.key, last + 1), []).append(box)
    deepest = max(columns) or 1
    tallest = max(sum(box.height + ROW_GAP / 2 for box in column) for column in columns.values())
    for number, column in columns.items():
        y = (tallest - sum(box.height + ROW_GAP / 2 for box in column)) / 2
        for box in column:
            box.x = MARGIN + box.width / 2 + (width - box.width - 2 * MARGIN) * number / deepest
            box.y = y + box.height / 2
            y += box.height + ROW_GAP / 2
    return _settle(boxes)


def _push_apart(boxes: Sequence[Box], width: float) -> None:
    for _ in range(_ROUNDS):
        moved = False
        for index, one in enumerate(boxes):
            for other in boxes[index + 1 :]:
                across = (one.width + other.width) / 2 + SIDE_GAP - abs(one.x - other.x)
                down = (one.height + other.height) / 2 + ROW_GAP - abs(one.y - other.y)
                if across <= 0.01 or down <= 0.01:
                    continue
                moved = True
                if down <= across:
                    step = down / 2 * (1 if one.y <= other.y else -1)
                    one.y, other.y = one.y - step, other.y + step
                else:
                    step = across / 2 * (1 if one.x <= other.x else -1)
                    one.x, other.x = one.x - step, other.x + step
        for box in boxes:
            box.x = min(max(box.x, MARGIN + box.width / 2), width - MARGIN - box.width / 2)
        if not moved:
            return


def _settle(boxes: Sequence[Box]) -> float:
    top = min(box.y - box.height / 2 for box in boxes) - 14
    for box in boxes:
        box.y -= top
    return max(box.y + box.height / 2 for box in boxes) + 14
