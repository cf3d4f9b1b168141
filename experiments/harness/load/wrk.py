"""wrk: run it, and read what it says. It holds connections busy and so measures rates, not latencies."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass

from experiments.harness.load.errors import LoadError

_UNITS = {"": 1, "K": 2**10, "M": 2**20, "G": 2**30, "T": 2**40}
_REQUESTS = re.compile(r"^Requests/sec:\s+([\d.]+)$", re.M)
_BYTES = re.compile(r"^Transfer/sec:\s+([\d.]+)([KMGT]?)B$", re.M)
_ERRORS = re.compile(r"^\s*(Socket errors: .*|Non-2xx or 3xx responses: .*)$", re.M)


@dataclass(frozen=True)
class Rate:
    """What a server answered each second."""

    requests_per_s: float
    bytes_per_s: float


def run(url: str, connections: int, seconds: float, cpus: str, threads: int = 1) -> Rate:
    """Ask for one URL for some seconds, on these processors (as `taskset -c` takes them). Raises LoadError."""
    if shutil.which("wrk") is None:
        raise LoadError("could not run wrk: it is not on this machine; run: sudo ./provision.sh --peers")
    # wrk takes whole seconds only
    command = ["taskset", "-c", cpus, "wrk", f"-t{threads}", f"-c{connections}", f"-d{max(1, round(seconds))}s", url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 30, check=False)
    if done.returncode != 0:
        raise LoadError(f"could not run wrk: {(done.stderr or done.stdout).strip()}; is {url} there?")
    return parse(done.stdout)


def parse(said: str) -> Rate:
    """wrk's last lines. Raises LoadError when a request failed, because failures are quick."""
    if errors := _ERRORS.findall(said):
        said = "; ".join(" ".join(error.split()) for error in errors)
        raise LoadError(f"could not measure: wrk says '{said}'; see the server's log")
    requests, transfer = _REQUESTS.search(said), _BYTES.search(said)
    if requests is None or transfer is None:
        raise LoadError(f"could not read what wrk says: {said.strip()[-200:]!r} has no rate; is it wrk 4?")
    return Rate(float(requests[1]), float(transfer[1]) * _UNITS[transfer[2]])
