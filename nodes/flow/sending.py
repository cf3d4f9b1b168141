"""Flows being sent: connected at their moment, kept full, looked at now and then, ended at their moment. It judges nothing."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
import struct
import time
from typing import Any

from nodes.flow.order import Flow, Sending
from nodes.http.congestion import set_congestion_control
from nodes.http.failure import Failure
from nodes.http.tcp_info import tcp_info

BLOCK = memoryview(bytes(256 * 1024))
CONNECT_WITHIN_S = 60.0
SIZED_WITHIN_S = 3600.0
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
SAMPLE = ("t_s", "acked_bytes", "cwnd", "ssthresh", "srtt_ms", "min_rtt_ms", "pacing_mbps", "delivery_mbps", "unacked",
          "retransmits")  # fmt: skip
"""What a sample has, by the sender's kernel; `t_s` since the order's beginning, windows in segments."""


class Running:
    """One flow. `done` is set to its result when it is over, whatever became of it."""

    def __init__(self, flow: Flow, begin_s: float, loop: asyncio.AbstractEventLoop) -> None:
        self.flow, self._begin_s, self._loop = flow, begin_s, loop
        self.done: asyncio.Future[dict[str, Any]] = loop.create_future()
        self._socket: socket.socket | None = None
        self._left = flow.size_bytes
        self._result: dict[str, Any] = {"name": flow.name, "samples": []}
        self._end_s = begin_s + flow.start_s + (SIZED_WITHIN_S if flow.seconds is None else flow.seconds)
        self._timers = [loop.call_at(begin_s + flow.start_s, self._start), loop.call_at(self._end_s, self._time_over)]

    def sample(self) -> None:
        """Look at it, when it is connected."""
        if self._socket is None or "connected_s" not in self._result:
            return
        try:
            info = tcp_info(self._socket)
        except OSError:
            return
        self._result["samples"].append([
            round(self._loop.time() - self._begin_s, 6), info.get("bytes_acked", 0), info["snd_cwnd"],
            info["snd_ssthresh"] if info["snd_ssthresh"] < 2**31 - 1 else None, info["rtt_us"] / 1e3,
            min_rtt / 1e3 if (min_rtt := info.get("min_rtt_us", 0)) < 2**32 - 1 else None,
            _mbps(info.get("pacing_rate")), _mbps(info.get("delivery_rate")), info["unacked"], info["total_retrans"],
        ])  # fmt: skip

    def _start(self) -> None:
        flow = self.flow
        try:
            self._socket = sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
            set_congestion_control(sock, flow.congestion_control)
            if flow.send_buffer_bytes is not None:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, flow.send_buffer_bytes)
            if flow.pace_bps is not None:
                sock.setsockopt(socket.SOL_SOCKET, 47, struct.pack("Q", flow.pace_bps // 8))  # SO_MAX_PACING_RATE
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, int(not flow.nagle))
            begun = sock.connect_ex((flow.host, flow.port))
            if begun not in (0, errno.EINPROGRESS):
                raise OSError(begun, os.strerror(begun))
        except (OSError, Failure) as error:
            self._over(str(error) if isinstance(error, Failure) else f"could not connect: {error.strerror}")
            return
        self._began_s = self._loop.time()
        self._timers.append(self._loop.call_at(self._began_s + CONNECT_WITHIN_S, self._not_connected))
        self._loop.add_writer(sock, self._connected)

    def _not_connected(self) -> None:
        if "connected_s" not in self._result:
            self._over(f"could not connect within {CONNECT_WITHIN_S:g} s")

    def _connected(self) -> None:
        assert self._socket is not None
        now = self._loop.time()
        if failed := self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self._over(f"could not connect: {os.strerror(failed)}")
            return
        try:
            # Again: a connection takes that of its route, where the route names one (tcp_ca_dst_init).
            set_congestion_control(self._socket, self.flow.congestion_control)
        except Failure as error:
            self._over(str(error))
            return
        self._result |= {"connected_s": now - self._begin_s, "connect_ms": (now - self._began_s) * 1e3,
                         "local_port": self._socket.getsockname()[1]}  # fmt: skip
        self._loop.add_writer(self._socket, self._send)
        self._loop.add_reader(self._socket, self._heard)

    def _send(self) -> None:
        assert self._socket is not None
        try:
            while self._left is None or self._left > 0:
                sent = self._socket.send(BLOCK if self._left is None else BLOCK[: self._left])
                if self._left is not None:
                    self._left -= sent
            self._loop.remove_writer(self._socket)
            self._socket.shutdown(socket.SHUT_WR)  # the other end closes when it has everything: see _heard
        except BlockingIOError:
            return
        except OSError as error:
            self._over(f"the connection broke: {error.strerror}")

    def _heard(self) -> None:
        """The sink says nothing; what is heard of it is its end."""
        assert self._socket is not None
        try:
            self._socket.recv(1)
        except BlockingIOError:
            return
        except OSError as error:
            self._over(f"the connection broke: {error.strerror}")
            return
        self._over("" if self._left == 0 else "the sink closed the connection")

    def _time_over(self) -> None:
        late_s = self._loop.time() - self._end_s
        if self.flow.seconds is None:
            self._over(f"it was not over within {SIZED_WITHIN_S:g} s")
        elif "connected_s" not in self._result:
            self._over("its time was over before it was connected")
        else:
            self._over("" if late_s < 0.1 else f"it ended {late_s:.3g} s late: the machine was too busy")

    def _over(self, error: str) -> None:
        if self.done.done():
            return
        self.sample()
        for timer in self._timers:
            timer.cancel()
        result, ended_s = self._result, self._loop.time() - self._begin_s
        if self._socket is not None:
            if "connected_s" in result:
                result |= self._totals(ended_s)
            self._loop.remove_writer(self._socket)
            self._loop.remove_reader(self._socket)
            # What is still queued is not wanted any more: the link is to be empty for what comes next.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
            self._socket.close()
        self.done.set_result(result | {"ok": not error, "error": error, "ended_s": ended_s})

    def _totals(self, ended_s: float) -> dict[str, Any]:
        assert self._socket is not None
        try:
            info = tcp_info(self._socket)
        except OSError:
            return {}
        acked = info.get("bytes_acked", 0)
        lived_s = ended_s - self._result["connected_s"]
        return {"acked_bytes": acked, "sent_bytes": info.get("bytes_sent"), "retransmitted_bytes": info.get("bytes_retrans"),
                "retransmits": info["total_retrans"], "congestion_control": info["congestion_control"],
                "mss": info["snd_mss"], "goodput_mbps": acked * 8 / lived_s / 1e6 if lived_s > 0 else 0.0}  # fmt: skip


def _mbps(bytes_a_second: int | None) -> float | None:
    return None if bytes_a_second is None or bytes_a_second >= 2**63 else round(bytes_a_second * 8 / 1e6, 4)


async def carry_out(order: Sending) -> list[dict[str, Any]]:
    """Run the flows of an order to their ends; one result each, in their order."""
    loop = asyncio.get_running_loop()
    # asyncio's clock is CLOCK_MONOTONIC, that of the order.
    begin_s = order.begin_ns / 1e9 if order.begin_ns else time.monotonic()
    running = [Running(flow, begin_s, loop) for flow in order.flows]
    turn = 1
    while pending := [one.done for one in running if not one.done.done()]:
        wait_s = begin_s + turn * order.sample_ms / 1e3 - loop.time()
        await asyncio.wait(pending, timeout=max(0.0, wait_s), return_when=asyncio.ALL_COMPLETED)
        if loop.time() >= begin_s + turn * order.sample_ms / 1e3:
            turn = max(turn + 1, int((loop.time() - begin_s) / order.sample_ms * 1e3) + 1)
            for one in running:
                if not one.done.done():
                    one.sample()
    return [one.done.result() for one in running]
