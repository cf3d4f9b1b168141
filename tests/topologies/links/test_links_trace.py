"""Traces in mahimahi's format: what they deliver, and which files are refused, with the line."""

import hashlib
import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links import trace
from topologies.emulator.links.trace import CHANCE_BYTES, MOST_CHANCES, Trace, TraceError


def test_a_trace_says_its_period_and_its_mean():
    found = trace.parse("0\n1\n1\n10\n")
    assert found.times_ms == (0, 1, 1, 10)
    assert found.period_ms == 10
    assert found.mean_bps == 4 * 1500 * 8 / 0.010
    digest = hashlib.sha256(b"0\n1\n1\n10\n").hexdigest()
    assert found.as_dict() == {"name": "trace", "chances": 4, "period_ms": 10, "mean_bps": 4.8e6, "sha256": digest}


def test_the_last_line_may_lack_its_end():
    assert trace.parse("1\n2") == trace.parse("1\n2\n")


@pytest.mark.parametrize(("content", "said"), [
    ("", "has no line: it never delivers anything"), ("0\n", "ends at 0 ms"), ("0\n0\n", "ends at 0 ms"),
    ("-1\n5\n", "line 1 is -1; times are not negative"), ("1\n5\n4\n", "line 3 is 4 after 5; sort it"),
    ("1\nfast\n", "line 2 is 'fast', not a whole number"), ("1\n\n2\n", "line 2 is ''"), ("1.5\n", "line 1 is '1.5'"),
    ("1\n" * (MOST_CHANCES + 1), f"{MOST_CHANCES} are the most"), ("x" * 100, "line 1 is '" + "x" * 40 + "'"),
])  # fmt: skip
def test_a_trace_that_cannot_be_used_is_refused_with_its_line(content, said):
    with pytest.raises(TraceError, match=re.escape(said)):
        trace.parse(content, "lte")


def test_errors_name_the_file(tmp_path):
    (tmp_path / "lte").write_text("5\n4\n")
    with pytest.raises(TraceError, match=f"trace {tmp_path}/lte: line 2"):
        trace.load(tmp_path / "lte")


def test_a_file_that_is_none_or_no_text_is_refused(tmp_path):
    with pytest.raises(TraceError, match=r"could not read the trace .*: No such file or directory; check its path"):
        trace.load(tmp_path / "missing")
    os.mkfifo(tmp_path / "fifo")
    for none in (tmp_path, tmp_path / "fifo"):
        with pytest.raises(TraceError, match="it is no file; write the recording to one"):
            trace.load(none)
    (tmp_path / "binary").write_bytes(b"\xff\xfe1\n")
    with pytest.raises(TraceError, match="is not text"):
        trace.load(tmp_path / "binary")


def test_a_huge_file_is_not_read_to_its_end(tmp_path):
    with (tmp_path / "huge").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(TraceError, match="not a whole number"):
        trace.load(tmp_path / "huge")


@pytest.mark.parametrize(("lines", "said"), [
    ("1\n99999999999999999999999999", "line 2 is '99999999999999999999999999', not a whole number"),
    ("1\n9000000000000000", "ends at 9000000000000000 ms where 604800000 is the most"),
    ("1\n100000000", "delivers nothing for 99999999 ms where 60000 is the most"), ("90000", "delivers nothing for 90000 ms"),
    ("1_0\n11", "line 1 is '1_0', not a whole number"),
])  # fmt: skip
def test_numbers_beyond_any_use_are_refused(lines, said):
    with pytest.raises(TraceError, match=re.escape(said)):
        trace.parse(lines)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=50).map(sorted).filter(lambda times: times[-1] > 0))
def test_what_is_written_as_lines_is_read_back(times):
    found = trace.parse("".join(f"{time}\n" for time in times))
    assert found == Trace(tuple(times))
    assert found.mean_bps * found.period_ms == pytest.approx(len(times) * CHANCE_BYTES * 8e3)
