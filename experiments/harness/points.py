"""Where packets are captured in a trial: texts of an experiment or a user, as interfaces of nodes. It captures nothing.

| text | points |
| --- | --- |
| `client` | the first interface of a node |
| `router.mumbai:to-virginia`, `router.mumbai:*` | one interface of a node, all of them |
| `virginia-mumbai` | both ends of a link, by its name or by its two ends |
| `*` | both ends of every emulated link |
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from topologies.emulator import selecting
from topologies.emulator.links.spec import LinkError
from topologies.emulator.setting import SettingError, nearest
from topologies.emulator.topology import Topology


@dataclass(frozen=True)
class Point:
    """An interface of a node, and the link that it is an end of. `only` is true where the node has no other interface."""

    node: str
    interface: str
    link: str
    only: bool

    @property
    def name(self) -> str:
        """A host by its own name, an interface of a node with several as `node:interface`."""
        return self.node if self.only else f"{self.node}:{self.interface}"

    @property
    def file(self) -> str:
        """Its name as part of a file's."""
        return self.name.replace(":", ".")


def points(world: Topology, texts: Iterable[str]) -> tuple[Point, ...]:
    """The points that the texts name, each once, in their order. Raises SettingError, which names the nearest."""
    return tuple(dict.fromkeys(point for text in texts for point in _named(world, "".join(text.split()))))


def _named(world: Topology, said: str) -> Iterator[Point]:
    node, colon, interface = said.partition(":")
    if node in world.plans:
        own = [one.name for one in world.plans[node].interfaces]
        wanted = own if interface == "*" else [interface] if colon else own[:1]
        if wanted[0] not in own:
            raise SettingError(f"could not capture at {said}: {node} has no such interface; {nearest(interface, own)}")
        yield from (_point(world, node, name) for name in wanted)
        return
    try:
        chosen = selecting.several(world.links_info, said)
    except LinkError as error:
        names = [*world.plans, *(link.name for link in world.links_info if not link.spec.unshaped)]
        many = "links are called so" in str(error)
        why = str(error) if many else f"the topology has no such node or link; {nearest(node, names)}"
        raise SettingError(f"could not capture at {said}: {why}") from None
    for link, _ in chosen:
        number = world.links_info.index(link)
        for end in (link.a, link.b):
            name = next(one.name for one in world.plans[end].interfaces if one.link == number)
            yield _point(world, end, name)


def _point(world: Topology, node: str, interface: str) -> Point:
    own = world.plans[node].interfaces
    number = next(one.link for one in own if one.name == interface)
    return Point(node, interface, world.links_info[number].name, len(own) == 1)
