"""Requests that want their connection kept, as most do: only those are answered from what is prepared."""

from __future__ import annotations

from tests.nodes.wirekit import Answer, Daemon, raw


def get(edge: Daemon, path: str, *fields: str, method: str = "GET", body: bytes = b"") -> Answer:
    """One request; the client closes its side behind it, so that the end of the answer is the end of what comes."""
    lines = [f"{method} {path} HTTP/1.1", "Host: test", *fields]
    if body:
        lines.append(f"Content-Length: {len(body)}")
    return Answer(raw(edge.port, ("\r\n".join(lines) + "\r\n\r\n").encode() + body, half_close=True))
