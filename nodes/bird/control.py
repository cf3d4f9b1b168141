"""BIRD's control socket: a command in, its whole reply out. It does not read replies; `replies.py` does."""

from __future__ import annotations

import socket
import time
from pathlib import Path

from nodes.bird.replies import whole

PATIENCE_S = 5.0
MOST_BYTES = 1 << 30


class ControlError(Exception):
    """BIRD did not answer; the message is the cause."""


def ask(path: Path, command: str, within_s: float = PATIENCE_S) -> str:
    """The reply to one command on a connection of its own. Raises ControlError."""
    deadline = time.monotonic() + within_s
    with socket.socket(socket.AF_UNIX) as sock:
        try:
            sock.settimeout(within_s)
            sock.connect(str(path))
            _reply(sock, deadline)  # the greeting
            sock.sendall(command.encode() + b"\n")
            return _reply(sock, deadline).decode("utf-8", "replace")
        except FileNotFoundError as error:
            raise ControlError(f"there is no socket {path}: BIRD does not run") from error
        except ConnectionRefusedError as error:
            raise ControlError(f"nobody answers at {path}: BIRD has died") from error
        except TimeoutError as error:
            raise ControlError(f"BIRD gave no whole answer within {within_s:g} s") from error
        except OSError as error:
            raise ControlError(f"BIRD left: {(error.strerror or str(error)).lower()}") from error


def _reply(sock: socket.socket, deadline: float) -> bytes:
    parts: list[bytes] = []
    tail, size = b"", 0
    while not whole(tail):
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        data = sock.recv(1 << 20)
        if not data:
            raise ControlError("BIRD left in the middle of its answer")
        parts.append(data)
        size += len(data)
        if size > MOST_BYTES:
            raise ControlError(f"BIRD's answer is longer than {MOST_BYTES} bytes")
        tail = (tail + data)[-4096:]
    return b"".join(parts)
