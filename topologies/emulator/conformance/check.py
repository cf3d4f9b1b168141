"""What a check is: one question to links that are built for it, answered by figures. Each file in checks/ has some."""

from __future__ import annotations

from abc import ABC, abstractmethod

from topologies.emulator.conformance.bed import Bed
from topologies.emulator.conformance.figure import Figure
from topologies.emulator.links.backend import UnsupportedError


class TooSlowError(UnsupportedError):
    """This machine did not do just now what the check needs of it; undisturbed it may."""


class Check(ABC):
    """Its fields are its values; each measurement builds its links anew."""

    @property
    @abstractmethod
    def what(self) -> str:
        """In a few words, with the values."""

    @abstractmethod
    def measure(self, bed: Bed) -> list[Figure]:
        """Build, measure, compare. Raises UnsupportedError with the reason where backend or machine cannot,
        and TooSlowError where the machine did not, which is worth another attempt."""
