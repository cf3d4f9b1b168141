"""Playing a dialogue: say it, hear the answers in order, and see whether the connection is kept."""

from __future__ import annotations

import socket
import time

from tests.nodes.wire_dialogues import Dialogue
from tests.nodes.wirekit import hear


def _rest(sock: socket.socket) -> bytes:
    """What else is said by a server that does not close."""
    heard = b""
    while True:
        try:
            data = sock.recv(1 << 20)
        except TimeoutError:
            return heard
        assert data, "the server closed"
        heard += data


def play(connected: socket.socket, dialogue: Dialogue, pieces: list[bytes]) -> None:
    """Say the pieces on a connection; fails when the answers are not those of the dialogue. Closes it."""
    with connected as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for piece in pieces:
            sock.sendall(piece)
            if len(pieces) > 1:
                time.sleep(0.0005)
        if dialogue.half_closed:
            sock.shutdown(socket.SHUT_WR)
        if dialogue.kept:
            heard, place = bytearray(), 0
            for text in dialogue.hears:
                while heard.find(text, place) < 0:
                    data = sock.recv(1 << 20)
                    assert data, f"closed before {text!r}: {bytes(heard[-300:])!r}"
                    heard += data
                place = heard.find(text, place) + len(text)
            sock.settimeout(0.03)
            heard += _rest(sock)
        else:
            heard, place = bytearray(hear(sock)), 0
            for text in dialogue.hears:
                found = heard.find(text, place)
                assert found >= 0, f"no {text!r} in {bytes(heard[place : place + 500])!r}"
                place = found + len(text)
        assert dialogue.never not in heard or dialogue.never == b"\x00"
