"""The Mininet link of a lab: it hands both ends to a link backend, which makes the interfaces in place.

It shapes nothing itself. A link that asks for nothing is a plain cable and needs no backend.
"""

from __future__ import annotations

from typing import Any, ClassVar

from mininet.link import Link

from topologies.emulator.hosts import LabInterface
from topologies.emulator.links import veth
from topologies.emulator.links.backend import Backend, End
from topologies.emulator.links.choice import choose
from topologies.emulator.links.spec import LinkSpec


class LonghaulLink(Link):  # type: ignore[misc]  # mininet has no types
    """A link with a LinkSpec. The backend is chosen once per process, by the lab or by the first link."""

    current: ClassVar[Backend | None] = None

    def __init__(
        self, node1: Any, node2: Any, *, spec: LinkSpec, link_name: str, intfName1: str, intfName2: str,
        addr1: str, addr2: str, port1: int, port2: int, **_params: Any,
    ) -> None:  # fmt: skip
        self.spec, self.link_name = spec, link_name
        a, b = End(node1.pid, intfName1, addr1), End(node2.pid, intfName2, addr2)
        if spec.unshaped:
            veth.lay(a, b, spec.mtu)
        else:
            self.backend().connect(link_name, a, b, spec)
        self.fast = True
        self.intf1 = LabInterface(intfName1, node1, port1, link=self, mac=addr1, moveIntfFn=self._ignore)
        self.intf2 = LabInterface(intfName2, node2, port2, link=self, mac=addr2, moveIntfFn=self._ignore)

    @classmethod
    def backend(cls) -> Backend:
        """The backend of this process's links."""
        if cls.current is None:
            cls.current = choose("auto")
        return cls.current

    def stop(self) -> None:
        """End the backend; interfaces go with the namespaces of their nodes."""
        if LonghaulLink.current is not None:
            LonghaulLink.current.close()
            LonghaulLink.current = None

    delete = stop
