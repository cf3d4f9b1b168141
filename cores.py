"""Parts compiled from C: where each is, and how it is built. It runs none: what a core does, Python does too, slower."""

from __future__ import annotations

import os
import sys
import zlib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent
_FLAGS = ("-O2", "-std=c11", "-D_GNU_SOURCE", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC")


@dataclass
class Core:
    """One library: its name, the folder of its sources, and what it serves, for messages."""

    name: str
    folder: str
    serves: str

    def path(self) -> Path:
        """Of the library that belongs to the sources as they are."""
        whole = b"".join(source.name.encode() + source.read_bytes() for source in self._sources())
        return ROOT / ".venv" / f"{self.name}-core" / f"{zlib.crc32(whole):08x}.so"

    def find(self) -> tuple[str, str]:
        """(its path, why) or ("", why it is not used)."""
        library = self.path()
        if library.exists():
            return str(library), "the compiled core is built"
        return "", "the compiled core is not built: install a C compiler (sudo ./provision.sh) and run ./longhaul"

    def build(self) -> str:
        """Build it if it is missing; empty, or why it could not be built."""
        library = self.path()
        if library.exists():
            return ""
        import shutil  # here: what only runs a core need not wait for them
        import subprocess

        compiler = shutil.which("cc")
        if not compiler:
            return "there is no C compiler (cc)"
        try:
            library.parent.mkdir(parents=True, exist_ok=True)
            fresh = library.with_suffix(f".{os.getpid()}")
            command = [compiler, *_FLAGS, "-o", str(fresh), *(str(one) for one in self._sources() if one.suffix == ".c"), "-lm"]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode:
                return f"cc failed: {(done.stderr.strip().splitlines() or ['without a word'])[0]}"
            for old in library.parent.glob("*.so"):
                old.unlink()
            fresh.rename(library)
        except OSError as error:
            return f"{error.filename or library}: {error.strerror}"
        return ""

    def _sources(self) -> list[Path]:
        return sorted(path for path in (ROOT / self.folder).iterdir() if path.suffix in (".c", ".h"))


RELAY = Core("relay", "topologies/emulator/links/relay/core", "links of the relay")
CAPTURES = Core("captures", "results/captures/core", "reading captures")

if __name__ == "__main__":
    problems = [(core, problem) for core in (RELAY, CAPTURES) if (problem := core.build())]
    for core, problem in problems:
        print(f"longhaul: could not build the core for {core.serves}: {problem}; its version in Python serves, slower",
              file=sys.stderr)  # fmt: skip
    sys.exit(bool(problems))
