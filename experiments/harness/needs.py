"""What an experiment needs of a machine, held against what the machine can do, before a lab is built. It measures nothing."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from dataclasses import dataclass

from nodes.http.failure import Failure
from nodes.programs import program
from topologies.emulator.links.spec import FRAMES_MOST_BPS
from units import show_bps


@dataclass(frozen=True)
class Needs:
    """Congestion controls by name, the payload that all links carry together at once, processors, and programs of others by
    the names of their packages."""

    congestion_controls: tuple[str, ...] = ()
    rate_bps: float = 0.0
    processors: int = 1
    programs: tuple[str, ...] = ()


PROGRAM_OF = {"bird2": "bird"}
"""Packages whose program has another name."""


def without(name: str) -> str:
    """Why a package's program cannot be started, empty where it can."""
    try:
        program(PROGRAM_OF.get(name, name), name)
    except Failure as failure:
        return str(failure)
    return ""


@dataclass(frozen=True)
class Machine:
    """What a machine can do. `congestion` says why it cannot do one, empty where it can; `without` so of a program."""

    congestion: Callable[[str], str]
    rate_bps: float
    processors: int
    without: Callable[[str], str] = without


def lacking(needs: Needs, machine: Machine) -> list[str]:
    """Why the machine cannot, and what to do; empty when it can."""
    found = list(filter(None, map(machine.congestion, dict.fromkeys(needs.congestion_controls))))
    if needs.rate_bps > machine.rate_bps:
        found.append(f"{show_bps(needs.rate_bps)} at once are more than the {show_bps(machine.rate_bps)} that links carry "
                     "packet by packet; set a lower rate")  # fmt: skip
    if needs.processors > machine.processors:
        found.append(f"it needs {needs.processors} processors and there are {machine.processors}; run it on another machine")
    return [*found, *filter(None, map(machine.without, needs.programs))]


def of_this_machine() -> Machine:
    """What this machine can do."""
    return Machine(congestion, FRAMES_MOST_BPS, len(os.sched_getaffinity(0)))


def congestion(name: str) -> str:
    """Why a socket cannot have this congestion control, empty where it can. A module that the kernel finds is loaded by it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, name.encode())
        except OSError as error:
            if error.errno == errno.EPERM:
                return f"the congestion control {name} may not be used here; run it as root"
            return f"this kernel has no congestion control {name}; load its module (sudo modprobe tcp_{name}) or use another"
    return ""
