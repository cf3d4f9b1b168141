"""Round trips of all links at once, by ICMP echo: the far kernel answers, the near kernel stamps the answer.

It is not the ping command: one thread paces the echoes of every link, staggered so that they never bunch.
"""

from __future__ import annotations

import math
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from contextlib import ExitStack

from ..netns import socket_in
from ..spec import LinkSpec
from .chances import vanishes
from .level import level, longest_wait_ms
from .model import Rtt, Target
from .plan import ECHO_FRAME, PAYLOAD, echoes
from .stamps import prepare, receive

_ECHO, _ECHO_REPLY, _SOL_RAW, _ICMP_FILTER = 8, 0, 255, 1
_PATIENCE_S, _LOSSY_PATIENCE_S, _LONGEST_STANDSTILL_S = 0.5, 0.15, 10.0


def measure_rtts(targets: Sequence[Target]) -> dict[str, Rtt]:
    """Round trips of every link, by name. The first echo of each warms caches and is not counted. Raises OSError."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(_echo_socket(one)) for one in targets]
        sent: list[dict[int, int]] = [{} for _ in targets]
        back: list[dict[int, int]] = [{} for _ in targets]
        poll = stack.enter_context(select.epoll())
        numbers = {sock.fileno(): number for number, sock in enumerate(sockets)}
        for fd in numbers:
            poll.register(fd, select.EPOLLIN)
        plans = [echoes(one.spec.a_to_b, one.spec.b_to_a) for one in targets]
        schedule = sorted(
            (round(apart * (turn + number / len(targets))), number, turn)
            for number, (count, apart) in enumerate(plans) for turn in range(count + 1)
        )  # fmt: skip
        start = time.monotonic_ns()
        for at, number, turn in schedule:
            while (left := start + at - time.monotonic_ns()) > 0:
                _collect(poll, numbers, sockets, back, left / 1e9)
            packet = _echo(os.getpid() & 0xFFFF, turn)
            sent[number][turn] = time.clock_gettime_ns(time.CLOCK_REALTIME)
            sockets[number].sendto(packet, (targets[number].ip_b, 0))
        ended = time.monotonic()
        while True:
            missing = [one for one, s, b in zip(targets, sent, back, strict=True) if len(b) < len(s)]
            left_s = ended + max((_wait_s(one) for one in missing), default=0.0) - time.monotonic()
            if not missing or left_s <= 0:
                break
            _collect(poll, numbers, sockets, back, left_s)
        return {one.name: _summary(one.spec, s, b) for one, s, b in zip(targets, sent, back, strict=True)}


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


def _collect(poll: select.epoll, numbers: dict[int, int], sockets: Sequence[socket.socket],
             back: list[dict[int, int]], wait_s: float) -> None:  # fmt: skip
    # epoll counts whole milliseconds: the last one is spent watching, so that an echo leaves when it should.
    for fd, _ in poll.poll(wait_s if wait_s > 0.002 else 0):
        while (got := receive(sockets[numbers[fd]])) is not None:
            data, at_ns, _, _ = got
            kind, _, _, identity, turn = struct.unpack_from("!BBHHH", data, (data[0] & 15) * 4)
            if kind == _ECHO_REPLY and identity == os.getpid() & 0xFFFF:
                back[numbers[fd]].setdefault(turn, at_ns)


def _echo_socket(one: Target) -> socket.socket:
    sock = socket_in(one.pid_a, socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
    sock.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("I", 0xFFFFFFFF & ~(1 << _ECHO_REPLY)))
    sock.bind((one.ip_a, 0))
    sock.connect((one.ip_b, 0))
    prepare(sock, 1 << 20)
    return sock


def _echo(identity: int, turn: int) -> bytes:
    """An echo request (RFC 792) with `PAYLOAD` zero bytes."""
    words = (_ECHO << 8) + identity + turn
    words = (words & 0xFFFF) + (words >> 16)
    return struct.pack("!BBHHH", _ECHO, 0, 0xFFFF & ~words, identity, turn) + bytes(PAYLOAD)
