"""nginx with one worker as a process of its own on chosen processors, for benchmarks: files, or proxy_pass to a URL.

It is not `longhaul node nginx-edge`: it caches nothing and logs nothing.
"""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from experiments.harness.load.engine import Engine
from experiments.harness.load.errors import LoadError
from nodes.nginx_edge.process import program

READY_S = 10.0
_FOR_EVER = 1_000_000_000


class NginxServer(Engine):
    """`kind` is what the benchmark calls it; `folder` is its own; `location` is what stands in its only location."""

    def __init__(self, kind: str, folder: Path, location: str, *, upstream: str = "", cpus: str) -> None:
        folder.mkdir(parents=True)
        folder.chmod(0o755)  # nginx's worker is another user when we are root
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        (folder / "tmp").mkdir()
        (folder / "nginx.conf").write_text(_configuration(port, location, upstream), encoding="utf-8")
        self.kind, self.host, self.port, self.url = kind, "127.0.0.1", port, f"http://127.0.0.1:{port}"
        self.process = subprocess.Popen(["taskset", "-c", cpus, "setpriv", "--pdeathsig", "TERM", "--", program(), "-p", ".",
                                         "-c", "nginx.conf"], cwd=folder, stdin=subprocess.DEVNULL, text=True)  # fmt: skip
        deadline = time.monotonic() + READY_S
        while True:
            try:
                socket.create_connection((self.host, port), timeout=1).close()
                return
            except OSError as error:
                if self.process.poll() is not None or time.monotonic() > deadline:
                    self.stop()
                    raise LoadError(f"could not start nginx as {kind}: {error}; read what it said above") from error
                time.sleep(0.01)


def files(kind: str, folder: Path, objects: dict[str, int], cpus: str) -> NginxServer:
    """Serves objects of so many bytes by name, from memory as far as the machine has it."""
    root = folder / "files"
    root.mkdir(parents=True)
    for name, size in objects.items():
        (root / name).write_bytes(bytes(size))
    folder.chmod(0o755)
    return NginxServer(kind, folder / "server", f"root {root};", cpus=cpus)


def proxy(kind: str, folder: Path, url: str, cpus: str) -> NginxServer:
    """Passes everything to a URL over kept connections, with buffers for 256 KiB of content."""
    location = 'proxy_pass http://nodes; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffers 16 16k;'
    return NginxServer(kind, folder, location, upstream=url.removeprefix("http://"), cpus=cpus)


def _configuration(port: int, location: str, upstream: str) -> str:
    nodes = f"upstream nodes {{ server {upstream}; keepalive 64; keepalive_requests {_FOR_EVER}; }}" if upstream else ""
    return f"""\
daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn;
events {{ worker_connections 1024; }}
http {{
    access_log off; sendfile on; tcp_nopush off; open_file_cache max=100;
    keepalive_requests {_FOR_EVER}; keepalive_timeout 600s;
    client_body_temp_path tmp/body; proxy_temp_path tmp/proxy;
    fastcgi_temp_path tmp/a; uwsgi_temp_path tmp/b; scgi_temp_path tmp/c;
    {nodes}
    server {{ listen 127.0.0.1:{port} backlog=4096; location / {{ {location} }} }}
}}
"""
