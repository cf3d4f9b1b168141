"""cache-sim: traces in every form give the same answer; a malformed one is named by place and cause."""

from __future__ import annotations

import contextlib
import gzip
import json
import re
import shutil
import struct
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.harness.cli import main
from nodes.edge.policies.belady import NEVER
from nodes.edge.simulator import text
from nodes.edge.simulator.requests import Chunk, TraceError, with_next_uses
from nodes.edge.simulator.simulation import simulate
from nodes.edge.simulator.trace import Trace

TRACE = Path(__file__).parent / "trace.txt"


def binary(path: Path) -> Path:
    """The committed trace as oracleGeneral."""
    rows = [tuple(map(int, line.split())) for line in TRACE.read_text().splitlines() if not line.startswith("#")]
    following = [value for chunk in with_next_uses(iter([Chunk([row[1] for row in rows], [row[2] for row in rows])]))
                 for value in chunk.next_uses or []]  # fmt: skip
    path.write_bytes(b"".join(struct.pack("<IQIq", *row, -1 if after == NEVER else after)
                              for row, after in zip(rows, following, strict=True)))  # fmt: skip
    return path


def compressed(path: Path) -> Path:
    path.write_bytes(gzip.compress(TRACE.read_bytes()))
    return path


def by_zstd(path: Path) -> Path:
    if shutil.which("zstd") is None:
        pytest.skip("no zstd command")
    subprocess.run(["zstd", "-q", str(binary(path.with_suffix(".bin"))), "-o", str(path)], check=True)
    return path


def with_fractions(path: Path) -> Path:
    path.write_text("".join(f"{line.replace(' ', '.5 ', 1)}\r\n" for line in TRACE.read_text().splitlines()[1:]))
    return path


FORMS: dict[str, Callable[[Path], Path]] = {
    "text": lambda path: TRACE, "oracle-general": binary, "gzip": compressed, "zstd": by_zstd, "fractions": with_fractions,
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("policy", ["lru", "belady"])
def test_the_verb_gives_the_same_for_every_form(tmp_path: Path, capsys: pytest.CaptureFixture[str], form: str,
                                                policy: str) -> None:  # fmt: skip
    path = FORMS[form](tmp_path / "trace")
    assert main(["cache-sim", str(path), "--policy", policy, "--capacity", "400B", "--json"]) == 0
    got = json.loads(capsys.readouterr().out)
    assert got["hits"] == {"lru": 509, "belady": 708}[policy]
    assert got["requests"] == 1000
    assert got["object_hit_ratio"] == got["hits"] / 1000
    assert got["byte_hit_ratio"] == got["hit_bytes"] / got["requested_bytes"]
    assert got["stored_bytes"] >= got["used_bytes"]
    assert got["stored"] - got["evicted"] == got["objects"]


def test_the_verb_prints_a_table_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache-sim", str(TRACE), "--capacity", "1KB", "--admission", "second-hit", "--warm-up", "100"]) == 0
    out, told = capsys.readouterr()
    assert re.search(r"^capacity +1KB$", out, re.M), "as it was given"
    assert told == "part 100 of 100, done\n"
    assert "lru, admission second-hit" in out
    assert "900 (" in out


@pytest.mark.parametrize(("content", "words"), [
    (b"1 2\n", "line 1: it has 2 words; a request is: time id size"),
    (b"1 2 3\n\n# a comment\n1 2 3 4\n", "line 4: it has 4 words"),
    (b"1 2 3\n" * 700_000 + b"1 two 3\n", "line 700001: the id 'two' is no whole number"),
    (b"1 2 3\n1 2 3.5\n", "line 2: the size '3.5' is no whole number"),
    (b"now 2 3\n", "line 1: the time 'now' is no number"),
    (b"1 18446744073709551616 3\n", "line 1: the id 18446744073709551616 is not from 0 to 2^64 - 1"),
    (b"1 2 -3\n", "line 1: the size -3 is not from 0 to 2^63 - 1"),
    (b"1 2 3\n" + b"x" * 5000, "line 2: it is longer than 1024 bytes"),
    (b"1,2,3\n", "line 1: it has 1 words"),
    (struct.pack("<IQIq", 1, 2, 3, 4) + b"\0\1\2", "record 2: the file ends after 3 of its 24 bytes"),
    (struct.pack("<IQIq", 1, 2, 3, -1) + struct.pack("<IQIq", 1, 2, 3, -9), "record 2: its next use is below -1"),
    (gzip.compress(b"1 2 3\n" * 1000, mtime=0)[:-20], "compressed file ended before"),
    (b"\x1f\x8b\x08\x00garbage", ""),
])  # fmt: skip
def test_a_malformed_trace_is_named_by_place_and_cause(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: bytes,
                                                       words: str) -> None:  # fmt: skip
    path = tmp_path / "trace"
    path.write_bytes(content)
    assert main(["cache-sim", str(path), "--capacity", "1KiB"]) == 2
    told = capsys.readouterr().err
    assert f"longhaul: could not read the trace {path}: {words}" in told


@pytest.mark.parametrize(("options", "words"), [
    (["--policy", "lur", "--capacity", "1KiB"], "there is no such policy; did you mean lru"),
    (["--admission", "alway", "--capacity", "1KiB"], "there is no such admission; did you mean always"),
    (["--format", "txt", "--capacity", "1KiB"], "there is no such format; did you mean text"),
    (["--capacity", "10"], "'10' has no unit"),
    (["--capacity", "0B"], "it holds nothing"),
    (["--capacity", "1KiB", "--warm-up", "-1"], "below zero"),
    ([], "--capacity"),
])  # fmt: skip
def test_an_option_that_cannot_be_is_told(capsys: pytest.CaptureFixture[str], options: list[str], words: str) -> None:
    assert main(["cache-sim", str(TRACE), *options]) == 2
    assert words in capsys.readouterr().err


def test_a_trace_that_is_not_there_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["cache-sim", "/nowhere/trace", "--capacity", "1KiB"]) == 2
    assert "could not read the trace /nowhere/trace: no such file or directory" in capsys.readouterr().err


def test_an_object_that_changes_its_size_is_told_and_takes_the_room_that_it_was_stored_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "trace").write_text("3 7 100\n2.5 8 0\n1 7 200\n1 7 0\n")
    for policy in ("lru", "sieve", "belady"):
        assert main(["cache-sim", str(tmp_path / "trace"), "--policy", policy, "--capacity", "1KiB", "--json"]) == 0
        out, told = capsys.readouterr()
        assert told.startswith("longhaul: request 3 says 200 B of object 7, where it had 100 B: an object takes the room")
        got = json.loads(out)
        assert (got["requested_bytes"], got["hit_bytes"], got["used_bytes"]) == (300, 200, 100)


def test_a_trace_without_requests_is_no_measurement(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "trace").touch()
    for policy in ("lru", "belady"):
        assert main(["cache-sim", str(tmp_path / "trace"), "--policy", policy, "--capacity", "1KiB", "--json"]) == 2
        assert "it has no request; give a longer one" in capsys.readouterr().err
    assert main(["cache-sim", str(TRACE), "--capacity", "1KiB", "--warm-up", "9999999"]) == 2
    assert "it has no request behind a warm-up of 9999999" in capsys.readouterr().err


NUMBERS = st.tuples(st.integers(0, 99), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 40)))


@given(st.lists(NUMBERS, max_size=30), st.integers(1, 64), st.sampled_from(["\n", "\r\n", "\n\n"]),
       st.sampled_from([" ", "\t"]), st.booleans())  # fmt: skip
def test_text_is_read_as_it_says_however_it_is_cut(rows: list[tuple[int, int, int]], block: int, end: str, between: str,
                                                   last: bool) -> None:  # fmt: skip
    class Slow:
        def __init__(self, data: bytes) -> None:
            self.data = data

        def read(self, _: int) -> bytes:
            data, self.data = self.data[:block], self.data[block:]
            return data

    written = end.join(between.join(map(str, row)) for row in rows) + (end if last else "")
    chunks = list(text.read(Slow(written.encode())))  # type: ignore[arg-type]
    assert [pair for chunk in chunks for pair in zip(chunk.keys, chunk.sizes, strict=True)] == [row[1:] for row in rows]


@given(st.binary(max_size=300))
def test_any_bytes_are_requests_or_a_trace_error(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("trace") / "trace"
    path.write_bytes(data)
    with contextlib.suppress(TraceError):
        simulate(iter(Trace(path)), "lru", 1000)


@given(st.lists(st.integers(0, 5), max_size=40))
def test_next_uses_are_those_of_a_search(keys: list[int]) -> None:
    got = [value for chunk in with_next_uses(iter([Chunk(keys, [1] * len(keys))] if keys else []))
           for value in chunk.next_uses or []]  # fmt: skip
    assert got == [next((i for i in range(now + 1, len(keys)) if keys[i] == key), NEVER) for now, key in enumerate(keys)]


def test_the_warm_up_fills_the_cache_and_is_not_counted() -> None:
    chunks = [Chunk([1, 2, 3], [1, 1, 1]), Chunk([1, 2, 9, 1], [1, 1, 1, 1])]
    assert simulate(chunks, "lru", 10, warm_up=4).tally.hits == 2
    result = simulate(chunks, "lru", 10, warm_up=4)
    assert (result.tally.requests, result.tally.stored, result.objects, result.replayed) == (3, 1, 4, 7)
