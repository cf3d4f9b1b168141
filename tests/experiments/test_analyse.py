"""`longhaul analyse`: what it says, what it writes, and what it answers when a capture is not whole."""

from __future__ import annotations

import base64
import csv
import json
import random
import resource
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scapy.layers.inet import IP, UDP
from scapy.layers.l2 import Ether

from experiments.harness import cli
from results.captures import compiled, framing, made, spool, survey, waiting
from results.captures.connection_table import COLUMNS
from tests.results.test_capture_reader import NOW_NS
from tests.results.test_capture_requests import HEAD, opened
from tests.results.test_capture_requests import said as said_in
from tests.results.test_tcp_analysis import Talk, down


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("analyse") / "made.pcap"
    made.write(path, 20, 100, 0.02)
    return path


def said(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    status = cli.main(["analyse", *words])
    out, err = capsys.readouterr()
    return status, out, err


def test_a_summary_names_the_capture_and_its_largest_connections(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, err = said(capsys, str(capture), "--top", "3")
    assert (status, err) == (0, "")
    assert "20 TCP connections" in out
    assert out.count("10.2.0.1:80") == 3
    assert "... and 17 smaller" in out


def test_json_holds_every_connection_and_no_infinity(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = said(capsys, str(capture), "--json")
    found = json.loads(out, parse_constant=pytest.fail)[0]
    assert status == 0
    assert (found["whole"], len(found["connections"])) == (True, 20)
    assert set(found["connections"][0]) == set(COLUMNS)


def test_a_filter_chooses_packets(capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = said(capsys, str(capture), "--json", "--filter", "ip.addr == 10.1.0.3 or ip.addr == 10.1.0.7")
    assert [one["client"] for one in json.loads(out)[0]["connections"]] == ["10.1.0.3", "10.1.0.7"]
    status, _, err = said(capsys, str(capture), "--filter", "tcp.prt == 80")
    assert status == 2
    assert "did you mean tcp.port" in err


def test_tables_agree_with_each_other(capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert said(capsys, str(capture), "--csv", str(tmp_path))[0] == 0
    found = {name: list(csv.DictReader((tmp_path / f"{name}.csv").open())) for name in ("connections", "rtt", "packets")}
    assert sum(int(one["packets"]) for one in found["connections"]) == len(found["packets"])
    clean = [one for one in found["rtt"] if one["by"] == "sequence" and one["ambiguous"] == "0" and one["up"] == "0"]
    for one in found["connections"]:
        mine = [float(sample["rtt_ms"]) for sample in clean if sample["stream"] == one["stream"]]
        assert min(mine) >= 5  # no round trip was made shorter; those of the client's data are the server's own delay
        assert float(one["rtt_min_down_ms"]) in mine


def test_segments_are_the_time_series_that_the_table_of_connections_sums_up(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert said(capsys, str(capture), "--csv", str(tmp_path))[0] == 0
    segments, connections = (list(csv.DictReader((tmp_path / f"{name}.csv").open())) for name in ("segments", "connections"))
    assert sum(int(one["retransmissions_down"]) for one in connections) > 0
    for one in connections:
        mine = [row for row in segments if row["stream"] == one["stream"]]
        down = [row for row in mine if row["up"] == "0"]
        kinds = Counter(row["kind"] for row in mine)
        assert [len(mine), kinds["fast"], kinds["timeout"], kinds["out of order"], kinds["duplicate ack"]] == [
            int(one[name]) for name in ("packets", "fast", "timeouts", "out_of_order", "duplicate_acks")]  # fmt: skip
        assert sum(int(row["new_bytes"]) for row in down) == int(one["new_bytes_down"])
        assert max(int(row["in_flight"]) for row in down if row["payload"] != "0") == int(one["in_flight_down_max"])
        assert mine[0]["time_ns"] == one["start_ns"]


def test_each_segment_has_its_kind_and_what_its_sender_has_outstanding(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    talk = down(down(Talk().opened(), 41, 0, 1, 3), 41.5, 2)  # the third comes last, and was overtaken
    talk.say(80, True, "A", 101, 1001).say(80.1, True, "A", 101, 1001)
    down(talk, 400, 1)
    assert said(capsys, str(talk.save(tmp_path / "a.pcapng")), "--csv", str(tmp_path))[0] == 0
    rows = list(csv.DictReader((tmp_path / "segments.csv").open()))[4:]
    assert [row["kind"] for row in rows] == ["", "", "", "out of order", "", "duplicate ack", "timeout"]
    assert [row["new_bytes"] for row in rows] == ["1000"] * 4 + ["0"] * 3
    assert [row["in_flight"] for row in rows if row["up"] == "0"] == ["1000", "2000", "4000", "4000", "3000"]
    assert [row["ack"] for row in rows if row["up"] == "1"] == ["1001", "1001"]


def test_a_request_is_told_which_lines_of_its_runs_logs_speak_of_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    talk, end = opened(), [1, 1]
    for at_ms, up, text in ((41, True, b"GET /a HTTP/1.1\r\n\r\n"), (81, False, HEAD), (500, True, b"GET /b HTTP/1.1\r\n\r\n")):
        said_in(talk, at_ms, up, end[up], end[not up], text)
        end[up] += len(text)
    talk.say(2000, True, "S", 9_000_000)  # the same port again
    (tmp_path / "captures").mkdir()
    (tmp_path / "logs").mkdir()
    path = talk.save(tmp_path / "captures" / "trial-0001.client.pcapng")

    def line(at_ms: float, client: str = "10.0.0.1:40000", **more: Any) -> str:
        record = {"ts_ns": NOW_NS + round((at_ms + 1) * 1e6), "duration_ms": 1, "client": client, "target": "/"}
        return json.dumps({**record, "result": "TCP_HIT", **more})

    lines = [line(62), "torn", line(62, "10.0.0.1:40001"), line(521, result="TCP_MISS"), line(30), line(2100)]
    (tmp_path / "logs" / "edge1.jsonl").write_text("\n".join(lines))
    told = [[one["logged"] for one in json.loads(said(capsys, str(path), "--json", *more)[1])[0]["requests"]]
            for more in ((), ("--logs", str(tmp_path / "captures")))]  # fmt: skip
    assert told == [["edge1.jsonl, line 1 TCP_HIT", "edge1.jsonl, line 4 TCP_MISS"], ["", ""]]
    status, _, err = said(capsys, str(path), "--logs", str(tmp_path / "nowhere"))
    assert status == 2
    assert "is no folder" in err


def test_a_cut_capture_is_shown_and_called_invalid(capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cut = tmp_path / "cut.pcap"
    cut.write_bytes(capture.read_bytes()[:-5])
    status, out, err = said(capsys, str(cut))
    assert status == 3
    assert "20 TCP connections" in out
    assert "longhaul: could not read cut.pcap: it is truncated" in err


@pytest.mark.parametrize(("words", "message"), [
    (("none.pcap",), "could not read none.pcap: No such file"), (("/dev/null",), "it is empty"),
    (("{capture}", "--top", "-1"), "could not show -1 connections"),
    (("{capture}", "--csv", "/dev/null/x"), "could not write the tables"),
])  # fmt: skip
def test_errors_are_one_line(words: tuple[str, ...], message: str, capture: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, _, err = said(capsys, *(word.format(capture=capture) for word in words))
    assert status == 2
    assert message in err
    assert len(err.splitlines()) == 1


def test_parquet_without_pyarrow_says_what_to_install(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    status, _, err = said(capsys, str(capture), "--parquet", str(tmp_path))
    assert status == 2
    assert "pip install pyarrow" in err


def test_parquet_holds_what_csv_holds(capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assert said(capsys, str(capture), "--parquet", str(tmp_path))[0] == 0
    assert said(capsys, str(capture), "--csv", str(tmp_path))[0] == 0
    assert parquet.read_table(tmp_path / "connections.parquet").column_names == list(COLUMNS)
    for name in ("connections", "packets", "rtt", "segments", "requests", "quic"):
        table = parquet.read_table(tmp_path / f"{name}.parquet")
        rows = list(csv.DictReader((tmp_path / f"{name}.csv").open()))
        assert table.num_rows == len(rows)
        for one, other in zip(table.slice(0, 50).to_pylist(), rows, strict=False):
            for column, value in one.items():
                if isinstance(value, str):
                    assert other[column] == value
                else:
                    assert float(other[column] or "nan") == pytest.approx(float(value), nan_ok=True), (name, column)
    empty = parquet.read_table(tmp_path / "quic.parquet").schema
    types = [str(empty.field(column).type) for column in ("version", "initial_frame", "answer_ms")]
    assert types == ["string", "int64", "double"]


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("core", [True, False])
def test_pieces_files_threads_and_batches_give_the_same_table(
    capture: Path, monkeypatch: pytest.MonkeyPatch, threads: int, core: bool
) -> None:
    whole = survey.survey(capture)
    for module, name, value in ((survey, "BATCH", 700), (survey, "THREADS", threads), (spool, "IN_MEMORY", 100_000),
                                (framing, "CHUNK_BYTES", 1 << 14), (framing, "LARGEST_RECORD", 1024)):  # fmt: skip
        monkeypatch.setattr(module, name, value)
    if not core:
        monkeypatch.setattr(compiled, "core", lambda: None)
    with waiting.samples() as samples:
        parts = survey.survey(capture, None, (samples.visit,))
        rows = sum(len(one["stream"]) for one in samples.tables(parts.connections["first_frame"]))
    assert rows > int(parts.connections["rtt_samples_down"].sum())
    for name, column in whole.connections.items():
        same: Any = parts.connections[name]
        assert same == column if isinstance(column, list) else np.array_equal(same, column, equal_nan=column.dtype.kind == "f")


def test_captures_of_several_points_are_matched(capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = bytearray(capture.read_bytes())
    at, count = 24, 0
    while at < len(data):  # a tap 5 ms away, that misses nothing
        seconds, fraction, size = struct.unpack_from("<III", data, at)
        moved = fraction + 5_000_000
        struct.pack_into("<II", data, at, seconds + moved // 10**9, moved % 10**9)
        at, count = at + 16 + size, count + 1
    (tmp_path / "far.pcap").write_bytes(data)
    page = tmp_path / "page.html"
    status, out, _ = said(capsys, str(capture), str(tmp_path / "far.pcap"), "--match", "--json", "--html", str(page))
    there, back = json.loads(out)[2:]
    assert (status, there["packets"], there["lost"], back["packets"]) == (0, count, 0, 0)
    assert there["delay_ms"] == {"min": 5, "median": 5, "p99": 5, "max": 5}
    data = json.loads(page.read_text().split('id="data">')[1].split("</script>")[0])
    at, delay, frames = (np.frombuffer(base64.b64decode(text), "<f8") for text in data["between"][0]["drawn"]["delay"])
    assert (len(at), set(delay.tolist()), frames[-1]) == (count, {5.0}, count)
    assert page.with_stem("page-2").exists()
    assert "give captures of two or more" in said(capsys, str(capture), "--match")[2]


def test_each_packet_between_two_points_has_its_delay_or_none_when_it_was_lost(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, far, at, frame = bytearray(capture.read_bytes()), bytearray(capture.read_bytes()[:24]), 24, 0
    while at < len(data):  # a tap that misses a packet and has another a millisecond late
        seconds, fraction, size = struct.unpack_from("<III", data, at)
        frame += 1
        moved = fraction + (6 if frame == 50 else 5) * 10**6
        struct.pack_into("<II", data, at, seconds + moved // 10**9, moved % 10**9)
        if frame != 60:
            far += data[at : at + 16 + size]
        at += 16 + size
    (tmp_path / "far.pcap").write_bytes(far)
    assert said(capsys, str(capture), str(tmp_path / "far.pcap"), "--match", "--csv", str(tmp_path))[0] == 0
    rows = list(csv.DictReader((tmp_path / "delays.csv").open()))
    assert [int(row["frame"]) for row in rows] == list(range(1, frame + 1))
    assert {(row["from"], row["to"]) for row in rows} == {(capture.name, "far.pcap")}
    assert [(row["arrived_frame"], row["delay_ms"], row["queueing_ms"]) for row in (rows[0], rows[49], rows[59], rows[60])] == [
        ("1", "5.0", "0.0"), ("50", "6.0", "1.0"), ("0", "", ""), ("60", "5.0", "0.0")]  # fmt: skip


def test_packets_of_nonsense_are_analysed_without_a_traceback(
    capture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sound = capture.read_bytes()[:60_000]
    for seed in range(60):
        dice, data = random.Random(seed), bytearray(sound)
        for _ in range(dice.randrange(1, 60)):
            data[dice.randrange(24, len(data))] = dice.randrange(256)
        (tmp_path / "nonsense.pcap").write_bytes(data)
        path = str(tmp_path / "nonsense.pcap")
        assert said(capsys, path, path, "--match", "--json", "--html", str(tmp_path / "page.html"))[0] in (0, 3)


def test_standard_input_and_a_quick_start(capture: Path) -> None:
    times = []
    for _ in range(2):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run([sys.executable, "-P", "-m", "experiments.harness", "analyse", "-"], check=True, timeout=20,
                              stdin=capture.open("rb"), capture_output=True, text=True)  # fmt: skip
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        # Its work, not its waiting: others may have the processors during the test.
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert "-: pcap" in done.stdout
    assert min(times) < 0.5


_PEAK = """
import sys
from pathlib import Path
from results.captures.survey import survey
found = survey(Path(sys.argv[1]))
print(found.packets, found.capture.records.problem or "whole", next(
    line for line in open("/proc/self/status") if line.startswith("VmHWM")).split()[1])
"""


def test_a_file_of_many_gigabytes_needs_no_more_memory_than_another(tmp_path: Path) -> None:
    frames, each = 5 * 1024, 1 << 20
    frame = bytes(Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02") / IP(src="10.0.0.1", dst="10.0.0.2") / UDP() / b"x")
    path = tmp_path / "sparse.pcap"  # of holes: it takes 40 MB of the disk
    with path.open("wb") as file:
        file.write(struct.pack("<IHHiIII", 0xA1B23C4D, 2, 4, 0, 0, each, 1))
        for number in range(frames):
            file.seek(24 + number * (16 + each))
            file.write(struct.pack("<IIII", 1 + number, 0, each, each) + frame)
        file.truncate(24 + frames * (16 + each))
    assert path.stat().st_size > 5 << 30
    command = [sys.executable, "-P", "-c", _PEAK, str(path)]
    packets, whole, peak_kib = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout.split()
    assert (int(packets), whole) == (frames, "whole")
    assert int(peak_kib) < 400_000
