"""One client's socket with TLS: the same as `wire.py`, with a handshake before and records around the bytes.

It makes no context (`tls.py` does). Files are read and sent, because the records are made in this process.
"""

from __future__ import annotations

import os
import select
import socket
import ssl
from contextlib import suppress

from nodes.http.wire import READ, RECEIVE_BYTES, WRITE, FileSpan, Wire

PIECE_BYTES = 64 * 1024


class TlsWire(Wire):
    """See Wire."""

    scheme = "https"
    plain = False
    sock: ssl.SSLSocket

    def __init__(self, sock: socket.socket, epoll: select.epoll, context: ssl.SSLContext) -> None:
        wrapped = context.wrap_socket(sock, server_side=True, do_handshake_on_connect=False)
        super().__init__(wrapped, epoll)
        self.ready = False
        self._wants_write = self._said_end = False

    def open(self) -> bool:
        """See Wire; ssl.SSLError is an OSError."""
        if not self.ready:
            try:
                self.sock.do_handshake()
            except ssl.SSLWantReadError:
                self._want(write=False)
                return False
            except ssl.SSLWantWriteError:
                self._want(write=True)
                return False
            self.ready = True
            self._want(write=False)
        return True

    def receive(self) -> bytes:
        """See Wire. OpenSSL takes one record at a time from the kernel and this takes all of it, so epoll knows of the next."""
        try:
            return self.sock.recv(RECEIVE_BYTES)
        except ssl.SSLWantReadError:
            raise BlockingIOError from None
        except ssl.SSLWantWriteError:
            self._want(write=True)
            raise BlockingIOError from None

    def pump(self) -> int:
        """See Wire."""
        self._wants_write = False
        return super().pump()

    def watch(self) -> None:
        """See Wire. A record that could not be written for the handshake's sake is awaited too."""
        super().watch()
        if self._wants_write and not self.closed:
            self._mask |= WRITE
            self._epoll.modify(self.fd, self._mask)

    def finish_sending(self) -> None:
        """See Wire; with a close_notify before, so that the client knows the end for the real one (RFC 8446, 6.1)."""
        self._say_end()
        self.sock.shutdown(socket.SHUT_WR)

    def close(self, *, abort: bool = False) -> None:
        """See Wire. Without a close_notify of ours OpenSSL forgets the session of TLS 1.2, and nobody could resume it."""
        if not self.closed and self.ready and not abort:
            with suppress(OSError):
                self._say_end()
        super().close(abort=abort)

    def _say_end(self) -> None:
        """A close_notify, once: Python's socket has no TLS any more when the client's own had come before."""
        if self._said_end:
            return
        self._said_end = True
        with suppress(ssl.SSLWantReadError, ssl.SSLWantWriteError):  # it is sent; the client's own is not waited for
            self.sock.unwrap()

    def _want(self, *, write: bool) -> None:
        self._wants_write = write
        if write or self._mask != READ:
            self.watch()

    def _send(self, data: memoryview, *, more: bool) -> int:
        try:
            return self.sock.send(data[:PIECE_BYTES])
        except (ssl.SSLWantWriteError, ssl.SSLWantReadError):
            raise BlockingIOError from None

    def _send_file(self, span: FileSpan, most: int) -> int:
        descriptor = span.file if isinstance(span.file, int) else span.file.fd
        # the same bytes from the same place when it could not be sent: OpenSSL wants an unfinished write repeated as it was
        data = os.pread(descriptor, min(span.left, PIECE_BYTES), span.offset)
        if not data:
            raise EOFError("the file is shorter than its length says")
        return self._send(memoryview(data), more=False)
