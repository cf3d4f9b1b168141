"""One measured fetch with libcurl.

It does not retry, follow redirects, decode content or use a proxy: each would be something else than the fetch that
was ordered. A failure of the network is a result, not an exception.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import pycurl

from nodes.client.lookup import look_up, numeric
from nodes.client.order import Order
from nodes.client.result import Result
from nodes.client.secure import Handshake, secure
from nodes.http.tcp_info import tcp_info

HELD_BYTES = 64 * 1024 * 1024
"""So much of a body is hashed after the clock has stopped; what comes before that much is hashed as it arrives."""

_VERSIONS = {
    "1.0": pycurl.CURL_HTTP_VERSION_1_0, "1.1": pycurl.CURL_HTTP_VERSION_1_1, "2": pycurl.CURL_HTTP_VERSION_2_0,
    "2-prior-knowledge": pycurl.CURL_HTTP_VERSION_2_PRIOR_KNOWLEDGE, "3": pycurl.CURL_HTTP_VERSION_3ONLY,
}  # fmt: skip
_SHOWN = {10: "1.0", 11: "1.1", 20: "2", 30: "3"}
_CURL_VERSIONS = {pycurl.CURL_HTTP_VERSION_1_0: 10, pycurl.CURL_HTTP_VERSION_1_1: 11,
                  pycurl.CURL_HTTP_VERSION_2_0: 20, pycurl.CURL_HTTP_VERSION_3: 30}  # fmt: skip


class Hash:
    """sha-256 of a stream that costs nothing while the clock runs, as long as the body is not huge."""

    def __init__(self) -> None:
        self._running = hashlib.sha256()
        self._held: list[bytes] = []
        self._held_bytes = 0
        self.size_bytes = 0

    def feed(self, data: bytes) -> None:
        """More of the body."""
        self._held.append(data)
        self._held_bytes += len(data)
        self.size_bytes += len(data)
        if self._held_bytes > HELD_BYTES:
            self._absorb()

    def hexdigest(self) -> str:
        """Of all that was fed."""
        self._absorb()
        return self._running.hexdigest()

    def _absorb(self) -> None:
        for data in self._held:
            self._running.update(data)
        self._held, self._held_bytes = [], 0


class Fetcher:
    """Carries out orders one after another; `reuse` orders share one handle, so that its connections are kept. TLS
    sessions are shared by all handles, and used by the orders that say so."""

    def __init__(self) -> None:
        self._sessions = pycurl.CurlShare()
        self._sessions.setopt(pycurl.SH_SHARE, pycurl.LOCK_DATA_SSL_SESSION)
        self._kept = self._handle()
        self._sockets: dict[int, socket.socket] = {}
        """Our duplicates of libcurl's sockets by its descriptor: TCP_INFO outlives libcurl's own close."""

    def close(self) -> None:
        """Close every kept connection."""
        self._kept.close()
        for sock in self._sockets.values():
            sock.close()
        self._sockets.clear()

    def fetch(self, order: Order, held: list[bytes] | None = None) -> Result:
        """Carry out one order. Network failures are in the result's `error`. `held` takes the body too: for what is small."""
        if order.connection == "keep":
            self.close()
            self._kept = self._handle()
        if order.resolver is not None and not numeric(urlsplit(order.url).hostname or ""):
            return self._by_name(order, order.resolver, held)
        keep = order.connection != "new"
        handle = self._kept if keep else self._handle()
        handle.reset()
        body, opened = Hash(), list[socket.socket]()
        fields, refusal = list[bytes](), list[str]()

        def open_socket(_purpose: int, target: Any) -> socket.socket | int:
            sock = socket.socket(target.family, target.socktype, target.protocol)
            if order.congestion_control is not None and sock.type == socket.SOCK_STREAM:
                try:
                    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, order.congestion_control.encode())
                except OSError as error:
                    refusal.append(f"could not use congestion control '{order.congestion_control}': "
                                   f"{(error.strerror or str(error)).lower()}; the kernel must have it")  # fmt: skip
                    sock.close()
                    return int(pycurl.SOCKET_BAD)
            opened.append(sock)
            return sock

        handshake = Handshake()
        configure(handle, order)
        if order.url.startswith("https:"):
            secure(handle, order, handshake)
        handle.setopt(pycurl.OPENSOCKETFUNCTION, open_socket)
        handle.setopt(pycurl.WRITEFUNCTION, body.feed if held is None else _both(held, body))
        handle.setopt(pycurl.HEADERFUNCTION, fields.append)
        result = Result(url=order.url, id=order.id, started_ns=time.time_ns())
        try:
            handle.perform()
        except pycurl.error as error:
            result.error = refusal[0] if refusal else f"{error.args[1]} (curl {error.args[0]})"
        else:
            result.ok = True
        read(handle, result)
        result.tls_version, result.tls_session_offered = handshake.version, handshake.session_offered
        result.tls_session_resumed = handshake.session_resumed
        if order.url.startswith("https:"):
            result.early_data_bytes = max(0, handle.getinfo(pycurl.EARLYDATA_SENT_T))  # below 0: the server refused it
        result.headers = last_fields(fields)
        result.size_bytes = body.size_bytes
        result.tcp_info = self._kernel_view(opened, result.local_port)
        if not keep:
            handle.close()
        self._forget(opened, keep)
        if result.http_status:
            judge(result, order, body)
        return result

    def _by_name(self, order: Order, resolver: str, held: list[bytes] | None) -> Result:
        """Look the URL's name up first; the fetch goes to the first address that takes it, as libcurl tries them."""
        parts = urlsplit(order.url)
        host, port = parts.hostname or "", parts.port or {"http": 80, "https": 443}[parts.scheme]
        found = look_up(host, resolver, order.timeout_s)
        if found.error:
            return Result(url=order.url, id=order.id, error=found.error, dns_ms=found.took_ms, total_ms=found.took_ms,
                          started_ns=found.started_ns, lookup=found.as_dict(resolver))  # fmt: skip
        known = {f"{host}:{port}": ",".join(found.addresses)}
        result = self.fetch(replace(order, resolver=None, resolve={**order.resolve, **known}), held)
        result.started_ns, result.lookup = found.started_ns, found.as_dict(resolver)
        result.later(found.took_ms)
        return result

    def _handle(self) -> pycurl.Curl:
        made = pycurl.Curl()
        made.setopt(pycurl.SHARE, self._sessions)  # outlives the `reset` of each fetch
        return made

    def _kernel_view(self, opened: list[socket.socket], port: int | None) -> dict[str, Any] | None:
        for sock in [*opened, *self._sockets.values()]:
            with contextlib.suppress(OSError):  # a socket that never connected has neither name nor TCP_INFO
                if sock.type == socket.SOCK_STREAM and sock.getsockname()[1] == port:
                    return tcp_info(sock)
        return None

    def _forget(self, opened: list[socket.socket], keep: bool) -> None:
        """Close the duplicates of connections that are over: libcurl's close sends FIN only when ours is closed too."""
        for sock in opened:
            if keep:
                self._sockets[sock.fileno()] = sock
            else:
                sock.close()
        for number, sock in list(self._sockets.items()):
            try:
                over = tcp_info(sock)["state"] != 1  # 1 is ESTABLISHED
            except OSError:
                over = True
            if over:
                self._sockets.pop(number).close()


def _both(held: list[bytes], body: Hash) -> Callable[[bytes], None]:
    def take(data: bytes) -> None:
        held.append(data)
        body.feed(data)

    return take


def configure(handle: pycurl.Curl, order: Order) -> None:
    """Set up a handle for an order, all but its sockets, its trust and where its body goes."""
    handle.setopt(pycurl.URL, order.url)
    handle.setopt(pycurl.PROXY, "")  # not even one from the environment
    handle.setopt(pycurl.NOSIGNAL, 1)
    handle.setopt(pycurl.TCP_NODELAY, 1)
    handle.setopt(pycurl.BUFFERSIZE, 512 * 1024)
    handle.setopt(pycurl.TIMEOUT_MS, max(1, round(order.timeout_s * 1e3)))
    handle.setopt(pycurl.HTTP_VERSION, _VERSIONS[order.http_version])
    handle.setopt(pycurl.MAXAGE_CONN, 24 * 3600)
    if order.fast_open:
        handle.setopt(pycurl.TCP_FASTOPEN, 1)
    lines = [f"{name}: {value}" if value else f"{name};" for name, value in order.headers.items()]
    handle.setopt(pycurl.HTTPHEADER, lines)
    handle.setopt(pycurl.USERAGENT, "longhaul-client")
    if order.method == "HEAD":
        handle.setopt(pycurl.NOBODY, 1)
    if order.resolve:
        handle.setopt(pycurl.RESOLVE, [f"{name}:{target}" for name, target in order.resolve.items()])
    if order.connection == "new":
        handle.setopt(pycurl.FRESH_CONNECT, 1)
        handle.setopt(pycurl.FORBID_REUSE, 1)


def read(handle: pycurl.Curl, result: Result) -> None:
    """Times in microseconds from libcurl, each since the start of the fetch; a step not reached reads 0 there."""

    def at_ms(option: int) -> float:
        return round(float(handle.getinfo(option)) / 1e3, 3)

    result.http_status = handle.getinfo(pycurl.RESPONSE_CODE) or None
    result.http_version = _SHOWN.get(_CURL_VERSIONS.get(handle.getinfo(pycurl.INFO_HTTP_VERSION), 0))
    result.new_connection = handle.getinfo(pycurl.NUM_CONNECTS) > 0
    result.local_port = handle.getinfo(pycurl.LOCAL_PORT) or None
    address = handle.getinfo(pycurl.PRIMARY_IP)
    result.remote = f"{address}:{handle.getinfo(pycurl.PRIMARY_PORT)}" if address else None
    reached = bool(result.http_status)
    connected = reached or at_ms(pycurl.CONNECT_TIME_T) > 0
    result.dns_ms = at_ms(pycurl.NAMELOOKUP_TIME_T) if connected or at_ms(pycurl.NAMELOOKUP_TIME_T) > 0 else None
    result.connect_ms = at_ms(pycurl.CONNECT_TIME_T) if connected else None
    result.tls_ms = at_ms(pycurl.APPCONNECT_TIME_T) if connected else None
    result.request_sent_ms = at_ms(pycurl.PRETRANSFER_TIME_T) if connected else None
    result.first_byte_ms = at_ms(pycurl.STARTTRANSFER_TIME_T) if reached else None
    result.total_ms = at_ms(pycurl.TOTAL_TIME_T)


def last_fields(lines: list[bytes]) -> dict[str, str]:
    """The fields of the final response, names in lower case; a repeated name has its values joined by commas."""
    found: dict[str, str] = {}
    for line in lines:
        text = line.decode("latin-1").strip()
        if text.startswith("HTTP/"):
            found = {}
            continue
        name, colon, value = text.partition(":")
        if colon:
            name = name.lower()
            found[name] = f"{found[name]}, {value.strip()}" if name in found else value.strip()
    return found


def judge(result: Result, order: Order, body: Hash) -> None:
    """Digest and, when the transfer itself went well, whether what came is what was expected."""
    result.sha256 = body.hexdigest()
    if order.expect_sha256 is not None:
        result.digest_ok = result.sha256 == order.expect_sha256.lower()
    if result.ok and result.http_status is not None and result.http_status >= 400:
        result.ok, result.error = False, f"the server answered {result.http_status}"
    elif result.ok and result.digest_ok is False:
        result.ok, result.error = False, "the body is not what was expected: its sha-256 differs"
