"""The command line of nginx as an edge. It starts nginx and waits; nginx serves."""

from __future__ import annotations

import argparse
import http.client
import json
import signal
import sys
import threading
import time
from pathlib import Path

from nodes.http.failure import Failure
from nodes.nginx_edge import config, options
from nodes.nginx_edge.control import Control
from nodes.nginx_edge.helper import Helper, stub_status
from nodes.nginx_edge.process import READY_S, Nginx, program


def main(argv: list[str]) -> int:
    """Run nginx until SIGTERM; returns the exit status."""
    given = options.made().parse_args(argv)
    try:
        _run(given)
    except Failure as failure:
        print(f"longhaul: {failure}", file=sys.stderr)
        return failure.status
    return 0


def _run(given: argparse.Namespace) -> None:
    edge, folder = options.edge(given)
    control = Control(edge, folder, program())
    helper = Helper(folder, config.HELPER, control.answer)
    helper.begin()
    ending, asked = threading.Event(), threading.Event()

    def stop(_number: int, _frame: object) -> None:
        asked.set()
        ending.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    signal.signal(signal.SIGHUP, lambda _n, _f: threading.Thread(target=control.reload, daemon=True).start())
    _wait_ready(control, folder)
    print(json.dumps({"event": "ready", "listen": edge.listen, "name": edge.name}), flush=True)
    threading.Thread(target=_watch, args=(control.nginx, ending), daemon=True).start()
    ending.wait()
    status = control.nginx.stop()
    helper.server_close()
    control.clear_old()
    if not asked.is_set():
        raise Failure("go on", f"nginx ended by itself with status {status}", "read what it said above")


def _watch(nginx: Nginx, ending: threading.Event) -> None:
    nginx.wait()
    ending.set()


def _wait_ready(control: Control, folder: Path) -> None:
    """Until a worker answers. Raises Failure."""
    deadline = time.monotonic() + READY_S
    while True:
        try:
            stub_status(folder, config.STATUS)
            return
        except (OSError, http.client.HTTPException) as error:
            if not control.nginx.alive() or time.monotonic() > deadline:
                control.nginx.stop()
                raise Failure("start nginx", f"it does not answer ({error})", "read what it said above") from error
            time.sleep(0.005)
