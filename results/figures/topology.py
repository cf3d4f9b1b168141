"""The world of the run: places with their nodes, and the links between places with round-trip time and rate.

It is no map: places stand as on one, and are moved apart until every name can be read. Links inside a place are left
out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from results.effects import impairments
from results.figures.drawing.canvas import INK, MUTED, PANEL, SERIES, SHEET, Canvas, fit, text_width
from results.figures.drawing.layout import Box, by_distance, by_position
from results.figures.registry import NothingToDraw
from results.judge import Verdict
from results.links import Link
from results.rundir import Run
from units import show_bps, show_ms

WIDTH, WIDEST_BOX, MOST_LINES, LINE = 920, 230.0, 6, 18
SHARES = (0.5, 0.42, 0.58, 0.34, 0.66, 0.26, 0.74, 0.2, 0.8)
"""Where along a line a label may stand, the best place first."""
ROLES = {"origin": SERIES[0], "edge": SERIES[1], "client": SERIES[2], "router": MUTED}


@dataclass
class Site:
    """One box: a place, or a node that has none."""

    name: str
    nodes: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def position(self) -> tuple[float, float] | None:
        for node in self.nodes:
            if node.get("latitude") is not None and node.get("longitude") is not None:
                return float(node["latitude"]), float(node["longitude"])
        return None

    @property
    def roles(self) -> set[str]:
        return {str(node.get("role", "")) for node in self.nodes}

    @property
    def lines(self) -> list[tuple[str, str]]:
        """Text and colour of each line in the box; many nodes of one role share a line."""
        shown = [(str(node["name"]), ROLES.get(str(node.get("role")), SERIES[3])) for node in self.nodes]
        if len(shown) <= MOST_LINES:
            return shown
        counts: dict[str, list[str]] = {}
        for node in self.nodes:
            counts.setdefault(str(node.get("role") or "node"), []).append(str(node["name"]))
        return [(names[0] if len(names) == 1 else f"{len(names)} x {role}: {names[0]} …", ROLES.get(role, SERIES[3]))
                for role, names in counts.items()]  # fmt: skip


def draw(run: Run, request: Mapping[str, Any], verdict: Verdict) -> str:
    """SVG. Raises NothingToDraw for a manifest without nodes."""
    nodes = run.manifest.nodes
    if not nodes:
        raise NothingToDraw("the manifest names no nodes")
    sites: dict[str, Site] = {}
    home: dict[str, str] = {}
    for node in nodes:
        name = str(node.get("place") or node["name"])
        sites.setdefault(name, Site(name)).nodes.append(node)
        home[str(node["name"])] = name
    between: dict[tuple[str, str], list[Link]] = {}
    for link in run.links:
        a, b = home.get(link.a), home.get(link.b)
        if a and b and a != b:
            between.setdefault((min(a, b), max(a, b)), []).append(link)
    boxes = [Box(name, _box_width(site), 36 + LINE * len(site.lines)) for name, site in sites.items()]
    height, bend = _place(boxes, sites, between)
    canvas = Canvas(WIDTH)
    bare = _links(canvas, {box.key: box for box in boxes}, between, bend)
    if bare:
        height += 24
        said = (
            f"{bare} lines had no room for their times: see the table of links"
            if bare > 1
            else ("one line had no room for its time: see the table of links")
        )
        canvas.text(2, height - 8, said, size=12, colour=MUTED)
    for box in boxes:
        _site(canvas, box, sites[box.key])
    return canvas.svg(str(request.get("title") or f"The topology of {run.manifest.name}"), height)


def label(links: Sequence[Link]) -> str:
    """`201 ms · 100 Mbit/s`; a range where several links differ; `≈` before an estimated time."""
    times = sorted({link.rtt_ms for link in links})
    rates = sorted({rate for link in links for rate in link.rates_bps if rate is not None})
    about = "≈ " if any(link.estimate for link in links) else ""
    said = about + show_ms(times[0]) + (f" to {show_ms(times[-1])}" if len(times) > 1 else "")
    if rates:
        said += " · " + show_bps(rates[0]) + (f" to {show_bps(rates[-1])}" if len(rates) > 1 else "")
    said += "".join(f" · {word}" for word in sorted({word for link in links for word in impairments(link)}))
    return said + (f" ({len(links)} links)" if len(links) > 1 else "")


def _place(boxes: list[Box], sites: Mapping[str, Site], between: Mapping[tuple[str, str], Any]) -> tuple[float, float]:
    """Place the boxes; the height of the sheet, and how much lines bend."""
    positions = {name: site.position for name, site in sites.items()}
    known = {name: found for name, found in positions.items() if found}
    if len(known) == len(sites) and len(set(known.values())) > 1:
        return by_position(boxes, known, WIDTH), 0.1
    neighbours: dict[str, set[str]] = {}
    for a, b in between:
        neighbours.setdefault(a, set()).add(b)
        neighbours.setdefault(b, set()).add(a)
    clients = [name for name, site in sites.items() if "client" in site.roles]
    return by_distance(boxes, neighbours, clients, WIDTH), 0.0


def _box_width(site: Site) -> float:
    widest = max([text_width(site.name, 14.5) + 26, *(text_width(text, 12.5) + 42 for text, _ in site.lines)])
    return min(WIDEST_BOX, max(110.0, widest))


def _site(canvas: Canvas, box: Box, site: Site) -> None:
    left, top = box.x - box.width / 2, box.y - box.height / 2
    canvas.box(left, top, box.width, box.height, colour=PANEL, round_px=9, outline="var(--muted,#5d6770)")
    canvas.text(left + 14, top + 22, fit(site.name, box.width - 24, 14.5), size=14.5, bold=True, hint=site.name)
    if [str(node["name"]) for node in site.nodes] == [site.name]:  # a node without a place: its role says more
        role = str(site.nodes[0].get("role") or "node")
        canvas.dot(left + 19, top + 39.5, 4.5, colour=ROLES.get(role, SERIES[3]))
        canvas.text(left + 30, top + 44, fit(role, box.width - 40, 12.5), size=12.5, colour=MUTED)
        return
    for number, (text, colour) in enumerate(site.lines):
        y = top + 44 + LINE * number
        canvas.dot(left + 19, y - 4.5, 4.5, colour=colour)
        canvas.text(left + 30, y, fit(text, box.width - 40, 12.5), size=12.5, colour=INK, hint=text)


def _links(
    canvas: Canvas, boxes: Mapping[str, Box], between: Mapping[tuple[str, str], Sequence[Link]], bend_share: float
) -> int:
    """Draw the lines and their labels; returns how many lines found no room for theirs."""
    waiting: list[tuple[list[tuple[float, float]], float, str]] = []
    for (a, b), links in between.items():
        one, other = boxes[a], boxes[b]
        # A link bends aside a little, like a route on a globe, so that it does not run through boxes in a row.
        middle_y = (one.y + other.y) / 2
        aside = max(0.0, min(bend_share * abs(one.x - other.x), 2 * (middle_y - 16)))  # and stays on the sheet
        curve = ((one.x, one.y), ((one.x + other.x) / 2, middle_y - aside), (other.x, other.y))
        canvas.curve(*curve, colour=MUTED, width=2, dash="6 4" if any(link.estimate for link in links) else "")
        half = text_width(label(links), 12.5) / 2 + 6
        spots = [_point(curve, share, half) for share in SHARES]
        free = [(x, y) for x, y in spots if not any(box.overlaps(*_around(x, y, half), slack=3) for box in boxes.values())]
        waiting.append((free, half, label(links)))
    taken: list[tuple[float, float, float, float]] = []
    # Who has the fewest places to choose from chooses first.
    for free, half, said in sorted(waiting, key=lambda one: len(one[0])):
        spot = next((spot for spot in free if not any(_meet(_around(*spot, half), other) for other in taken)), None)
        if spot is not None:
            x, y = spot
            taken.append(_around(x, y, half))
            canvas.box(x - half, y - 11, 2 * half, 22, colour=SHEET, round_px=5)
            canvas.text(x, y + 4.5, said, size=12.5, anchor="middle", bold=True)
    return len(waiting) - len(taken)


def _point(curve: tuple[tuple[float, float], ...], share: float, half: float) -> tuple[float, float]:
    """The point of a quadratic curve, moved so that a label of `half` the width stays on the sheet."""
    weights = ((1 - share) ** 2, 2 * share * (1 - share), share**2)
    x, y = (sum(weight * point[axis] for weight, point in zip(weights, curve, strict=True)) for axis in (0, 1))
    return min(max(x, half), WIDTH - half), max(y, 14.0)


def _around(x: float, y: float, half: float) -> tuple[float, float, float, float]:
    return x - half, y - 12, x + half, y + 12


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
