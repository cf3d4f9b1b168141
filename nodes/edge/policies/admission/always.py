"""`always`: everything that may be stored is. It is what a cache without an admission rule does."""

from __future__ import annotations

from nodes.edge.policies.machinery.admission import Admission


class Always(Admission):
    """No condition."""

    def admit(self, key: int, size_bytes: int) -> bool:
        """Yes."""
        return True
