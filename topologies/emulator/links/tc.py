"""Running `tc` in the namespace of the calling thread: batches of lines, and the statistics of qdiscs.

It knows no link; `tc_plan.py` makes the lines and `netem_counts.py` reads the statistics.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import select
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from .backend import BackendError

TABLES = Path(__file__).resolve().parent / "tables"
"""Distributions of jitter, of the very shapes that `effects/jitter.py` has; iproute2's own lack a uniform one."""

_ENVIRONMENT = {**os.environ, "TC_LIB_DIR": str(TABLES)}
_RTMGRP_TC = 8


class Statistics(NamedTuple):
    """What a qdisc counted, as `tc` names it; `drops` are of this qdisc and its children."""

    bytes: int
    packets: int
    drops: int
    requeues: int
    backlog: int
    qlen: int


class TcError(BackendError):
    """Lines that `tc` or the kernel refused; `refused` has their numbers from 0, as far as `tc` named them."""

    def __init__(self, said: str, refused: Sequence[int]) -> None:
        super().__init__(said)
        self.refused = refused


def version() -> str:
    """What `tc -V` prints. Raises FileNotFoundError without `tc`, TcError."""
    return _show("-V").strip()


def batch(lines: Sequence[str], *, all_of_them: bool = False, at_ns: int = 0, first: Sequence[str] = ()) -> int:
    """Run lines in order, by one process, not before `at_ns` (CLOCK_MONOTONIC, ns); returns when the last took effect.

    `first` are run at once, so that what `tc` does for the first time of its life (to look its words up, to learn the
    interfaces, to be read from the disk) is done by `at_ns`: lines like those to come, which matter to nobody.

    Raises TcError with the line and the kernel's words. The first that is refused ends the batch, those before it stay; with
    `all_of_them` the others are run all the same.
    """
    if not lines:
        time.sleep(max(0, at_ns - time.monotonic_ns()) / 1e9)
        return time.monotonic_ns()
    command = ["tc", *(["-force"] if all_of_them else []), "-batch", "-"]
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, 0) as notices:
        notices.bind((0, _RTMGRP_TC))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              env=_ENVIRONMENT) as process:  # fmt: skip
            assert process.stdin
            assert process.stderr
            given = False
            with contextlib.suppress(BrokenPipeError):  # it has ended already: why, its words and its status say
                process.stdin.write("".join(f"{line}\n" for line in first))
                process.stdin.flush()
                time.sleep(max(0, at_ns - time.monotonic_ns()) / 1e9)  # meanwhile it starts and waits for its lines
                process.stdin.write("".join(f"{line}\n" for line in lines))
                process.stdin.close()
                given = True
            done_ns = _last_notice(notices, process.stderr.fileno())
            said = process.stderr.read()
    if process.returncode or not given:
        words, refused = explained(said, [*first, *lines], process.returncode)
        raise TcError(words, [max(0, number - len(first)) for number in refused])
    return done_ns


def _last_notice(notices: socket.socket, end: int) -> int:
    """When the last change of a qdisc or an action was made before `end` can be read or is closed. The process takes longer
    to end than the kernel to change."""
    done_ns = 0
    poll = select.poll()
    poll.register(notices, select.POLLIN)
    poll.register(end, select.POLLIN)
    while True:
        ready = [number for number, _ in poll.poll()]
        if notices.fileno() not in ready:
            return done_ns or time.monotonic_ns()
        done_ns = time.monotonic_ns()
        notices.recv(65536)


def statistics() -> dict[tuple[str, str], Statistics]:
    """(interface, kind) -> what it counted, of every qdisc of the namespace. Raises TcError."""
    return read_statistics(_show("-s", "-j", "qdisc", "show"))


def read_statistics(text: str) -> dict[tuple[str, str], Statistics]:
    """From the JSON of `tc -s -j qdisc show`. Raises TcError when it is none: `tc` prints JSON since iproute2 4.16."""
    try:
        shown = json.loads(text)
        return {(one["dev"], one["kind"]): Statistics(*(one[name] for name in Statistics._fields)) for one in shown}
    except (ValueError, KeyError) as error:
        raise TcError(f"could not read the statistics of tc: {error}; it needs iproute2 4.16 or newer", []) from error


def _show(*options: str) -> str:
    done = subprocess.run(["tc", *options], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
    if done.returncode:
        raise TcError(*explained(done.stderr, [], done.returncode))
    return done.stdout


def explained(stderr: str, lines: Sequence[str], status: int) -> tuple[str, list[int]]:
    """What `tc` said on stderr as one sentence, and the numbers of the lines it refused. The words before the number of a
    line are about it."""
    refused, words, sentences = [], "", []
    for said in (line.strip() for line in stderr.splitlines()):
        failed = re.fullmatch(r"Command failed .*:(\d+)", said)
        if failed:
            number = int(failed[1]) - 1
            refused.append(number)
            line = lines[number] if number < len(lines) else f"line {number + 1}"
            sentences.append(f"'{line}' was refused: {words or 'no reason given'}")
            words = ""
        elif said and not words:
            words = said.removeprefix("Error: ").rstrip(".")  # the first line; a usage may follow
    return "; ".join(sentences) or f"tc ended with status {status}: {words or 'no reason given'}", refused
