"""Where the compiled core is, and how it is built. It runs nothing; without a core the engine in Python serves."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[4]
SOURCES = Path(__file__).with_name("core")
_FLAGS = ("-O2", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


def path() -> Path:
    """Of the library that belongs to the sources as they are."""
    whole = b"".join(source.name.encode() + source.read_bytes() for source in _sources())
    return ROOT / ".venv" / "relay-core" / f"{zlib.crc32(whole):08x}.so"


def find() -> tuple[str, str]:
    """(its path, why) or ("", why it is not used)."""
    library = path()
    if library.exists():
        return str(library), "the compiled core is built"
    return "", "the compiled core is not built: install a C compiler (sudo ./provision.sh) and run ./longhaul"


def build() -> str:
    """Build it if it is missing; empty, or why it could not be built."""
    library = path()
    if library.exists():
        return ""
    compiler = shutil.which("cc")
    if not compiler:
        return "there is no C compiler (cc)"
    try:
        library.parent.mkdir(parents=True, exist_ok=True)
        fresh = library.with_suffix(f".{os.getpid()}")
        command = [compiler, *_FLAGS, "-o", str(fresh), *(str(one) for one in _sources() if one.suffix == ".c"), "-lm"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"cc failed: {(done.stderr.strip().splitlines() or ['without a word'])[0]}"
        for old in library.parent.glob("*.so"):
            old.unlink()
        fresh.rename(library)
    except OSError as error:
        return f"{error.filename or library}: {error.strerror}"
    return ""


def _sources() -> list[Path]:
    return sorted(path for path in SOURCES.iterdir() if path.suffix in (".c", ".h"))


if __name__ == "__main__":
    problem = build()
    if problem:
        sys.exit(f"longhaul: could not build the relay's core: {problem}; its version in Python serves, slower")
