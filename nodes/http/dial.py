"""Opening a connection to an origin: name, TCP, TLS; and the words for each way in which it can fail.

It does not keep connections; `pool.py` does.
"""

from __future__ import annotations

import asyncio
import os
import socket
import ssl

from nodes.http.congestion import set_congestion_control
from nodes.http.failure import Failure
from nodes.http.origin_address import Origin
from nodes.http.timeouts import Timeouts
from nodes.http.tls import ClientContext, is_for_another, tls_fault
from nodes.http.upstream import Upstream
from nodes.http.upstream_error import Phase, UpstreamError


async def dial(origin: Origin, timeouts: Timeouts, congestion_control: str | None, context: ClientContext | None) -> Upstream:
    """A connection that is ready for a request; with `context` under TLS. Raises UpstreamError."""
    phase: Phase = "connect"
    try:
        async with asyncio.timeout(timeouts.connect_s):
            sock = await _tcp(origin, congestion_control)
            phase = "tls"
            return await _upstream(sock, origin, timeouts, context)
    except TimeoutError as error:
        what = "accept a connection" if phase == "connect" else "finish the TLS handshake"
        text = f"the origin {origin.where} did not {what} within {timeouts.connect_s:g} s"
        raise UpstreamError(text, phase, timeout=True) from error
    except ssl.SSLError as error:
        names = await _names(origin, timeouts, context) if context is not None and is_for_another(error) else ()
        raise UpstreamError(tls_fault(error, origin.where, origin.name, names), "tls") from error
    except Failure as error:
        raise UpstreamError(str(error), phase) from error
    except OSError as error:
        if phase == "tls":
            raise UpstreamError(f"the origin {origin.where} closed the connection during the TLS handshake", phase) from error
        raise UpstreamError(f"the origin {origin.where} cannot be reached: {_reason(error)}", phase) from error


async def _names(origin: Origin, timeouts: Timeouts, refused: ClientContext) -> tuple[str, ...]:
    """Whom the origin's certificate is for, so that the error can say it; nothing when it cannot be found out.

    OpenSSL does not show a certificate that it refused. So this asks once more, with the same trust and any name, and
    sends nothing.
    """
    context = refused.trust.context()
    context.check_hostname = False
    try:
        async with asyncio.timeout(timeouts.connect_s):
            found = await _upstream(await _tcp(origin, None), origin, timeouts, context)
    except OSError:  # TimeoutError and ssl.SSLError are such
        return ()
    certificate = found.transport.get_extra_info("peercert") or {}
    found.close()
    return tuple(str(name) for _, name in certificate.get("subjectAltName", ()))


async def _tcp(origin: Origin, congestion_control: str | None) -> socket.socket:
    """The first address that accepts. Raises OSError, Failure."""
    loop = asyncio.get_running_loop()
    try:  # an address needs no resolver, and no thread to ask one
        found = socket.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except socket.gaierror:
        found = await loop.getaddrinfo(origin.host, origin.port, type=socket.SOCK_STREAM)
    last: OSError | None = None
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.setblocking(False)
            set_congestion_control(sock, congestion_control)
            await loop.sock_connect(sock, address)
            set_congestion_control(sock, congestion_control)
        except OSError as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
        else:
            return sock
    raise last or OSError("no address")


async def _upstream(sock: socket.socket, origin: Origin, timeouts: Timeouts, context: ClientContext | None) -> Upstream:
    loop = asyncio.get_running_loop()
    try:
        if context is None:
            return (await loop.create_connection(lambda: Upstream(timeouts, sock), sock=sock))[1]
        return (await loop.create_connection(
            lambda: Upstream(timeouts), sock=sock, ssl=context, server_hostname=origin.name,
            ssl_handshake_timeout=timeouts.connect_s + 1, ssl_shutdown_timeout=1.0))[1]  # fmt: skip
    except BaseException:
        sock.close()
        raise


def _reason(error: OSError) -> str:
    known = error.errno is not None and error.errno > 0  # a resolver's own errors are below zero
    return (os.strerror(error.errno or 0) if known else (error.strerror or str(error))).lower()
