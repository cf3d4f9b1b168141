"""`never`: nothing is stored because a client asked for it. It is for an edge that is filled by a plan (`POST /-/fill`)."""

from __future__ import annotations

from nodes.edge.policies.machinery.admission import Admission


class Never(Admission):
    """No condition is good enough."""

    def admit(self, key: int, size_bytes: int) -> bool:
        """No."""
        return False
