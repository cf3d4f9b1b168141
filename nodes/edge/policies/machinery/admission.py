"""What every admission rule is: whether an object that missed is stored at all.

It evicts nothing; that is a policy's.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar


class Admission(ABC):
    """Made for a cache of `capacity_bytes`."""

    by_size: ClassVar[bool] = False
    """Whether the size decides; then a response of unknown length is judged when it is whole."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes

    @abstractmethod
    def admit(self, key: int, size_bytes: int) -> bool:
        """Whether to store this key, of so many bytes, which was asked for now and is not held."""
