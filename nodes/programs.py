"""Where programs of others are: installed on the machine, or unpacked by `provision.sh` below `.venv`.

It installs nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from nodes.http.failure import Failure

UNPACKED = Path(__file__).resolve().parents[1] / ".venv"


def program(name: str, package: str) -> str:
    """A program's path; `package` is the folder that its Debian package is unpacked into. Raises Failure when there is none."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    for folder in ("usr/sbin", "usr/bin"):
        unpacked = UNPACKED / package / folder / name
        if found is None and unpacked.exists():
            found = str(unpacked)
    if found is None:
        raise Failure(f"start {name}", "it is not on this machine", "run: sudo ./provision.sh --peers")
    return found
