"""One fetch as each witness saw it, read back from a run directory with captures and logs."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest

from results import one_way, report
from results.captures.pcapng import Described, convert_file
from results.evidence import accounts, captures
from results.figures.registry import NothingToDraw, find
from results.figures.waterfall import typical
from results.judge import judge
from results.rundir import Run, RunError, load
from results.trials import Trial
from tests.results.dialogue import START_NS, Dialogue
from tests.results.runs import save

WHERE = {"size": "256 KiB"}
CLIENT, SERVER = "client1.chennai", "edge1.az1.mumbai"


def _addresses(manifest: dict[str, Any]) -> None:
    for node in manifest["topology"]["nodes"]:
        node["address"] = {CLIENT: "10.0.0.1", SERVER: "10.0.1.1"}.get(node["name"], node["address"])
    manifest["captures"] = [CLIENT, SERVER]
    manifest["figures"] += [{"kind": kind, "by": "path", "where": WHERE} for kind in ("witnesses", "sequence")]


def _capture(run: Path, trial: Trial, point: str, late_ms: float, again: bool = False, asks_more: bool = False) -> None:
    at_ms = (int(trial.text("started_ns")) - START_NS) / 1e6 + 0.3 + late_ms
    talk = Dialogue(int(trial.text("local_port"))).handshake(22.0, at_ms).client(at_ms + 22.2, "PA", payload=120)
    for number in range(20):
        talk.server(at_ms + 44.4 + number, payload=1448, seq=1 + number * 1448)
        talk.client(at_ms + 44.5 + number, seq=121)
    if again:
        talk.server(at_ms + 70, payload=1448)
    if asks_more:
        talk.client(at_ms + 80, "PA", payload=100, seq=121).server(at_ms + 90, payload=500, seq=1 + 20 * 1448)
    name = f"trial-{int(trial.text('trial')):04}.{point}"
    (run / "captures").mkdir(exist_ok=True)
    raw = talk.save(run / "captures" / f"{name}.pcap")
    convert_file(raw, run / "captures" / f"{name}.pcapng", comment="a run", interface=Described(f"{point}:eth0", point))
    raw.unlink()


@pytest.fixture
def run(tmp_path: Path) -> Run:
    path = save(tmp_path / "run", change=_addresses)
    bare = load(path)
    trial = typical(bare, {"path": "warm", **WHERE})
    assert trial is not None
    _capture(path, trial, CLIENT, 0.0, again=True)
    _capture(path, trial, SERVER, 11.0)
    (path / "logs").mkdir()
    line = {"ts_ns": int(trial.text("started_ns")) + 55_000_000, "duration_ms": 20.5, "first_byte_ms": 0.4,
            "client": f"10.0.0.1:{trial.text('local_port')}", "result": "TCP_HIT"}  # fmt: skip
    (path / "logs" / f"{SERVER}.jsonl").write_text(json.dumps(line) + "\nnonsense\n" + json.dumps({**line, "ts_ns": 5}) + "\n")
    return load(path)


def _warm(run: Run) -> Trial:
    trial = typical(run, {"path": "warm", **WHERE})
    assert trial is not None
    return trial


def test_client_wire_and_log_tell_of_one_fetch_on_one_clock(run: Run) -> None:
    trial = _warm(run)
    told = accounts(run, trial, captures(run, trial))
    assert [(one.witness, one.what) for one in told] == [
        (CLIENT, "client"), (CLIENT, f"wire {CLIENT} → {SERVER}"), (SERVER, f"wire {CLIENT} → {SERVER}"),
        (SERVER, f"log {CLIENT} → {SERVER}")]  # fmt: skip
    wire = next(one for one in told if one.witness == CLIENT and one.what != "client")
    zero = int(trial.text("started_ns"))
    assert wire.first_ns is not None
    assert (wire.first_ns - zero) / 1e6 == pytest.approx(0.3 + 44.4, abs=1e-3)
    assert "frames 4, 5, " in wire.where
    log = told[-1]
    assert log.first_ns is not None
    assert (log.first_ns - log.begun_ns) / 1e6 == pytest.approx(0.4)
    assert "line 1: TCP_HIT" in log.where


def test_of_a_tls_connection_the_first_exchange_is_its_handshake(run: Run) -> None:
    trial = _warm(run)
    plain = captures(run, trial)
    secure = Trial(trial.row, {**trial.values, "url": f"https://{SERVER}:8080/a", "tls_ms": "33.0"})
    told = accounts(run, secure, plain)
    assert not any(one.what.startswith("wire") for one in told), "these captures have a single exchange"
    zero_ns = int(trial.text("started_ns"))
    assert told[0].connected_ns == zero_ns + 33_000_000
    _capture(run.path, trial, CLIENT, 0.0, asks_more=True)
    (wire,) = [one for one in accounts(run, secure, captures(run, trial)) if one.what.startswith("wire")]
    assert wire.last_ns is not None
    assert (wire.connected_ns, wire.first_ns) == (wire.request_ns, None)
    assert [(one - zero_ns) / 1e6 for one in (wire.begun_ns, wire.last_ns)] == pytest.approx([0.3, 90.3], abs=1e-3)


def test_both_figures_are_drawn_with_frames_to_look_up(run: Run) -> None:
    for kind, words in (("witnesses", "frames 4, 5, "), ("sequence", "sent again")):
        svg = find(kind)(run, {"kind": kind, "by": "path", "where": WHERE}, judge(run))
        ET.fromstring(svg)
        assert words in svg


def test_the_page_shows_them_and_says_why_where_there_are_none(run: Run, tmp_path: Path) -> None:
    page = report.write(run.path).read_text()
    assert "The same fetches, as each witness saw them" in page
    assert page.count("<svg") == len(list((run.path / "figures").glob("*.svg")))
    bare = load(save(tmp_path / "bare", change=_addresses))
    for kind in ("witnesses", "sequence"):
        with pytest.raises(NothingToDraw, match="capture"):
            find(kind)(bare, {"kind": kind, "by": "path", "where": WHERE}, judge(bare))
    assert "Not drawn: no valid fetch was captured" in report.write(bare.path).read_text()


def test_a_damaged_capture_is_no_reason_to_lose_the_report(run: Run) -> None:
    victim = next((run.path / "captures").glob(f"*.{CLIENT}.pcapng"))
    victim.write_bytes(b"nonsense" * 9)
    assert "is not a packet capture" in report.write(run.path).read_text()


def _series(run: Path, *rows: str) -> Run:
    (run / "series").mkdir()
    head = "trial,from,to,packets,specified_ms,least_ms,median_ms,p99_ms,lost,overtaken"
    (run / "series" / one_way.FILE).write_text("\n".join([head, *rows]) + "\n")
    return load(run)


def test_one_way_delays_are_of_valid_trials_and_held_to_what_is_specified(tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        rows[12] |= {"valid": 0, "reason": "late"}

    path = save(tmp_path / "run", change_rows=spoil)
    run = _series(path, "11,a,b,10,11.0,11.1,11.2,12.5,0,0", "13,a,b,20,11.0,11.05,11.4,12.0,2,1",
                  "12,a,b,5,11.0,99,99,99,9,9", "0,a,b,5,11.0,99,99,99,9,9", "11,b,a,7,11.0,12.2,12.3,12.3,0,0",
                  "11,a,c,7,,5,6,7,0,0")  # fmt: skip
    there, back, changed = one_way.delays(run)
    assert (there.trials, there.packets, there.lost, there.overtaken) == (2, 30, 2, 1)
    assert (there.least_ms, there.median_ms, there.p99_ms) == pytest.approx((11.05, 11.3, 12.5))
    assert [one.word for one in (there, back, changed)] == ["inside", "outside", ""]
    assert "One-way delays by the packets themselves" in report.write(path).read_text()


def test_a_damaged_series_is_said(tmp_path: Path) -> None:
    run = _series(save(tmp_path / "run"), "11,a,b,ten,11.0,11.1,11.2,12.5,0,0")
    with pytest.raises(RunError, match=r"series/one-way\.csv"):
        one_way.delays(run)
