"""Where an origin is and how to speak to it: scheme, host, port and the name its certificate must carry.

It does not resolve and does not connect.
"""

from __future__ import annotations

from typing import NamedTuple
from urllib.parse import urlsplit


def host_port(host: str, port: int) -> str:
    """`HOST:PORT`, with an IPv6 address in brackets (RFC 3986, section 3.2.2)."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class Origin(NamedTuple):
    """Connections are shared by requests whose origins are equal. `server_name` is the host unless set."""

    host: str
    port: int
    scheme: str = "http"
    server_name: str = ""

    @property
    def name(self) -> str:
        """What the origin's certificate must be for, and what is sent as server name (RFC 6066, section 3)."""
        return self.server_name or self.host

    @property
    def where(self) -> str:
        """`host:port`, for sentences."""
        return host_port(self.host, self.port)


def parse_origin(url: str) -> Origin:
    """An origin from `http://HOST:PORT` or `https://HOST:PORT`; the port may be left out. Raises ValueError."""
    wrong = ValueError(f"'{url}' is not http://HOST:PORT or https://HOST:PORT")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.path not in ("", "/") or parts.username:
        raise wrong
    if parts.query or parts.fragment or port == 0:
        raise wrong
    return Origin(parts.hostname, port or (443 if parts.scheme == "https" else 80), parts.scheme)
