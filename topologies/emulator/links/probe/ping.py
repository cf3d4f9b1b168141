"""Round trips of all links at once, by ICMP echo: the far kernel answers, the near kernel stamps the answer.

Each way for itself as well: a socket at the far end sees each request, with its kernel's stamp; both ends share a clock.

It is not the ping command: one thread paces the echoes of every link, staggered so that they never bunch.
"""

from __future__ import annotations

import math
import os
import select
import socket
import struct
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import NamedTuple

from ..netns import socket_in
from ..spec import Direction, LinkSpec
from .chances import vanishes
from .level import level, longest_wait_ms
from .model import OneWay, Rtt, Target
from .plan import ECHO_FRAME, PAYLOAD, echoes
from .spread import spread
from .stamps import prepare, receive

_ECHO, _ECHO_REPLY, _SOL_RAW, _ICMP_FILTER = 8, 0, 255, 1
_MESSAGE = struct.Struct(f"!{(8 + PAYLOAD) // 2}H")
"""As the words that its checksum adds up to a multiple of 0xFFFF (RFC 1071)."""
_PATIENCE_S, _LOSSY_PATIENCE_S, _LONGEST_STANDSTILL_S = 0.5, 0.15, 10.0


class _Ear(NamedTuple):
    """A socket that hears messages of one type, and when each arrived first (ns), by its turn."""

    sock: socket.socket
    kind: int
    heard: dict[int, int]


def measure_echoes(targets: Sequence[Target]) -> dict[str, tuple[Rtt, OneWay, OneWay]]:
    """Round trips of every link and the times of each way, by name; of plain cables no times one way. The first echo of each
    warms caches and is not counted. Raises OSError."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(_echo_socket(one.pid_a, one.ip_a, one.ip_b, _ECHO_REPLY)) for one in targets]
        sent, there, back = ([dict[int, int]() for _ in targets] for _ in range(3))
        ears = [_Ear(sock, _ECHO_REPLY, heard) for sock, heard in zip(sockets, back, strict=True)]
        ears += [_Ear(stack.enter_context(_echo_socket(one.pid_b, one.ip_b, one.ip_a, _ECHO)), _ECHO, heard)
                 for one, heard in zip(targets, there, strict=True) if not one.spec.unshaped]  # fmt: skip
        poll = stack.enter_context(select.epoll())
        by_fd = {ear.sock.fileno(): ear for ear in ears}
        for fd in by_fd:
            poll.register(fd, select.EPOLLIN)
        plans = [echoes(one.spec.a_to_b, one.spec.b_to_a) for one in targets]
        schedule = sorted(
            (round(apart * (turn + number / len(targets))), number, turn)
            for number, (count, apart) in enumerate(plans) for turn in range(count + 1)
        )  # fmt: skip
        start = time.monotonic_ns()
        for at, number, turn in schedule:
            while (left := start + at - time.monotonic_ns()) > 0:
                _collect(poll, by_fd, left / 1e9)
            packet = _echo(os.getpid() & 0xFFFF, turn)
            sent[number][turn] = time.clock_gettime_ns(time.CLOCK_REALTIME)
            sockets[number].sendto(packet, (targets[number].ip_b, 0))
        ended = time.monotonic()
        while True:
            missing = [one for one, s, b in zip(targets, sent, back, strict=True) if len(b) < len(s)]
            left_s = ended + max((_wait_s(one) for one in missing), default=0.0) - time.monotonic()
            if not missing or left_s <= 0:
                break
            _collect(poll, by_fd, left_s)
        _collect(poll, by_fd, 0.0)  # what arrived at far ends meanwhile
        return {one.name: (_summary(one.spec, s, b), _one_way(one.spec.a_to_b, s, t), _one_way(one.spec.b_to_a, t, b))
                for one, s, t, b in zip(targets, sent, there, back, strict=True)}  # fmt: skip


def _wait_s(one: Target) -> float:
    """How long after the last echo its answer may still come."""
    ways = one.spec.a_to_b, one.spec.b_to_a
    usual_s = sum((way.delay_ms + way.jitter_ms) / 1000 + (ECHO_FRAME * 8 / way.nominal_bps if way.nominal_bps else 0.0)
                  for way in ways) + min(longest_wait_ms(one.spec) / 1000, _LONGEST_STANDSTILL_S)  # fmt: skip
    lossy = any(vanishes(way, ECHO_FRAME) for way in ways)
    return usual_s + _LOSSY_PATIENCE_S if lossy else usual_s * 1.5 + _PATIENCE_S


def _summary(spec: LinkSpec, sent: dict[int, int], back: dict[int, int]) -> Rtt:
    times = sorted((back[turn] - at) / 1e6 for turn, at in sent.items() if turn and turn in back)
    count = len(times)
    if not count:
        return Rtt(None, None, None, 0, len(sent) - 1)
    median = (times[(count - 1) // 2] + times[count // 2]) / 2
    return Rtt(times[0], median, times[math.ceil(0.99 * count) - 1], count, len(sent) - 1,
               level(times, spec))


def _one_way(way: Direction, left: Mapping[int, int], arrived: Mapping[int, int]) -> OneWay:
    """An answer leaves when its request arrives: the kernel makes it at once."""
    times = sorted((arrived[turn] - at) / 1e6 for turn, at in left.items() if turn and turn in arrived)
    return OneWay(level(times, way), spread(times, way), len(times))


def _collect(poll: select.epoll, by_fd: Mapping[int, _Ear], wait_s: float) -> None:
    # epoll counts whole milliseconds: the last one is spent watching, so that an echo leaves when it should.
    for fd, _ in poll.poll(wait_s if wait_s > 0.002 else 0):
        ear = by_fd[fd]
        while (got := receive(ear.sock)) is not None:
            data, at_ns, _, _ = got
            message = data[(data[0] & 15) * 4 :]
            # A raw socket sees corrupted messages too, whose turn may be that of another one.
            if len(message) != _MESSAGE.size or sum(_MESSAGE.unpack(message)) % 0xFFFF:
                continue
            kind, _, _, identity, turn = struct.unpack_from("!BBHHH", message)
            if kind == ear.kind and identity == os.getpid() & 0xFFFF:
                ear.heard.setdefault(turn, at_ns)


def _echo_socket(pid: int, own_ip: str, other_ip: str, kind: int) -> socket.socket:
    sock = socket_in(pid, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("I", 0xFFFFFFFF & ~(1 << kind)))
    sock.bind((own_ip, 0))
    sock.connect((other_ip, 0))
    prepare(sock, 1 << 20)
    return sock


def _echo(identity: int, turn: int) -> bytes:
    """An echo request (RFC 792) with `PAYLOAD` zero bytes."""
    words = (_ECHO << 8) + identity + turn
    words = (words & 0xFFFF) + (words >> 16)
    return struct.pack("!BBHHH", _ECHO, 0, 0xFFFF & ~words, identity, turn) + bytes(PAYLOAD)
