"""Caddy's configuration as text. It starts nothing. See Caddy's documentation of its Caddyfile, version 2.6."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Wish:
    """`host` and `port` to listen on (TCP, and UDP for HTTP/3), the `origin` as host:port, certificate chain and key, and a
    `log` file or None."""

    host: str
    port: int
    origin: str
    certificate: Path
    key: Path
    log: Path | None


def caddyfile(wish: Wish) -> str:
    """The whole of it. Nothing is asked of anybody else: no certificate, no update, no store of state."""
    bind = f"[{wish.host}]" if ":" in wish.host else wish.host
    log = f"log {{\n\t\toutput file {wish.log}\n\t\tformat json\n\t}}" if wish.log else ""
    return f"""\
{{
	admin off
	auto_https off
	log default {{
		output stderr
		level ERROR
	}}
	servers {{
		protocols h1 h2 h3
		metrics
	}}
}}
https://:{wish.port} {{
	bind {bind}
	tls {wish.certificate} {wish.key}
	{log}
	respond /healthz "ok"
	metrics /metrics
	reverse_proxy http://{wish.origin}
}}
"""
