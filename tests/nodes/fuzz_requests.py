"""The request parser under atheris, which looks for inputs that reach new code; without an end where nothing bounds it.

    python -m tests.nodes.fuzz_requests -max_total_time=60 CORPUS

It is no test by itself: `test_fuzz.py` runs it for a moment.
"""

import sys

import atheris

with atheris.instrument_imports(include=["nodes.http"]):
    from tests.nodes.hearing import LIMITS, SMALL, hear


def one(data: bytes) -> None:
    """Whatever is said is understood or refused, in the same way however it is cut: the first two bytes tell where."""
    cut, said = int.from_bytes(data[:2], "big"), data[2:]
    limits = SMALL if cut & 1 else LIMITS
    place = (cut >> 1) % (len(said) + 1)
    assert hear([said[:place], said[place:]], limits) == hear([said], limits)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one)
    atheris.Fuzz()
