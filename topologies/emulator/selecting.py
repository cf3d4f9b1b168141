"""Which link, and which of its directions, a text means: `virginia-mumbai`, `mumbai>virginia`, `*`. It changes none.

A link is called by its name or by its two ends in either order; an end by its node's name, and a router also without the
`router.` in front. `x>y` is the direction from x to y. Of several links between the same ends, `NAME>y` is the one of that
name.
"""

from __future__ import annotations

from collections.abc import Sequence

from topologies.emulator.links.spec import LinkError
from topologies.emulator.parts import WAYS, LinkInfo, NodeInfo
from topologies.emulator.setting import nearest

Chosen = tuple[LinkInfo, tuple[str, ...]]
"""A link and the directions that are meant."""


def several(links: Sequence[LinkInfo], text: str) -> list[Chosen]:
    """As `one`; `*` means all links that are emulated, both ways. Raises LinkError."""
    if text.strip() == "*":
        return [(link, WAYS) for link in links if not link.spec.unshaped]
    return [one(links, text)]


def one(links: Sequence[LinkInfo], text: str) -> Chosen:
    """The link and the directions. Raises LinkError, which names the nearest, for none and for more than one."""
    said = "".join(text.split())
    found: list[Chosen] = [(link, ways) for link in links if (ways := _ways(link, said))]
    exact = [(link, ways) for link, ways in found if link.name == said]
    if len(exact or found) == 1:
        return (exact or found)[0]
    if found:
        raise LinkError(f"could not choose link '{said}': {len(found)} links are called so; write one of their names, "
                        f"{', '.join(link.name for link, _ in found)}")  # fmt: skip
    emulated = [link for link in links if not link.spec.unshaped] or links
    known = [f"{x}>{y}" for link in emulated for x, y in _pairs(link)] if ">" in said else [link.name for link in emulated]
    raise LinkError(f"could not find link '{said}': this topology has none of that name; {nearest(said, known)}")


def group(nodes: Sequence[NodeInfo], text: str) -> list[str]:
    """The nodes that a name means: the node of that name, or all of a zone (`az1.mumbai`) or place (`mumbai`), which are
    those whose names end with it behind a dot. Empty for a name that means none."""
    said = text.strip()
    return [node.name for node in nodes if node.name == said] or [
        node.name for node in nodes if node.name.endswith(f".{said}")]  # fmt: skip


def names(nodes: Sequence[NodeInfo]) -> list[str]:
    """Every name that `group` knows: of nodes, zones and places."""
    return list(dict.fromkeys(node.name.split(".", dots)[dots] for node in nodes for dots in range(node.name.count(".") + 1)))


def border(links: Sequence[LinkInfo], inside: Sequence[str]) -> list[LinkInfo]:
    """The links between those nodes and all others."""
    return [link for link in links if (link.a in inside) != (link.b in inside)]


def _ways(link: LinkInfo, said: str) -> tuple[str, ...]:
    left, arrow, right = said.partition(">")
    if not arrow:
        return WAYS if said == link.name or said in {"-".join(pair) for pair in _pairs(link)} else ()
    ends = {"a_to_b": (_names(link.a), _names(link.b)), "b_to_a": (_names(link.b), _names(link.a))}
    return tuple(way for way, (begin, end) in ends.items() if left in (*begin, link.name) and right in end)


def _pairs(link: LinkInfo) -> list[tuple[str, str]]:
    forth = [(x, y) for x in _names(link.a) for y in _names(link.b)]
    return forth + [(y, x) for x, y in forth]


def _names(node: str) -> tuple[str, ...]:
    short = node.removeprefix("router.")
    return (short,) if short == node else (short, node)
