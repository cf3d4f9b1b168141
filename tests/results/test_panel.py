"""The panel of proof: every number beside its bound, the worst link first, nothing hidden, nothing made up."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from results.panel import Card, cables, cards, machine
from results.proof import MISSING, Row
from results.rundir import Run, load
from tests.results.runs import save
from tests.results.wires import during, kernel, lateness, link, measured, old_link, way

Links = dict[str, Any]


def _run(tmp_path: Path, spoil: Callable[[Links], None], **more: Any) -> Run:
    return load(save(tmp_path / "run", change_links=spoil, **more))


def _only(tmp_path: Path, **row: Any) -> Card:
    def one(links: Links) -> None:
        links["links"] = [link("far", "a", "b", 201.0, **row)]

    return cards(_run(tmp_path, one))[0]


def _row(found: Card, what: str, group: int = 1) -> Row:
    return next(row for row in found.groups[group][1] if row.what == what)


def test_a_sound_link_is_inside_everywhere(tmp_path: Path) -> None:
    found = _only(tmp_path)
    assert (found.status, found.ok) == ("as specified", True)
    words = [row.judged.word for _, rows in found.groups for row in rows]
    assert set(words) == {"inside"}
    assert _row(found, "round trip", 0).measured == ("201.20 ms (201.11 to p99 201.45, 16 of 16 echoes)",
                                                     "201.25 ms (201.16 to p99 201.50, 16 of 16 echoes)")  # fmt: skip
    assert _row(found, "round trip", 0).judged.bound == "199.0 to 203.0 ms"
    assert _row(found, "rate").measured == ("99.6 Mbit/s over 20 ms", "99.6 Mbit/s over 20 ms")
    assert _row(found, "queue ceiling").measured == ("2.643 MiB", "2.643 MiB")
    assert _row(found, "loss").measured == ("0 of 200 lost (0 to 2.62 %)",) * 2
    assert _row(found, "lateness").during == "median 50 us, p99 0.21 ms, latest 1.3 ms"
    assert _row(found, "lateness").judged.bound == "p99 at most 2.01 ms"
    assert "Queue: 100 Mbit/s x 223 ms = 2.66 MiB." in found.rules
    assert any("packets of at most the MTU" in rule for rule in found.rules)


def test_a_number_outside_its_bound_is_named_and_comes_first(tmp_path: Path) -> None:
    def slow(links: Links) -> None:
        links["links"][0].update(after=measured(201.0, rate_bps=80e6), reasons=["b_to_a: rate 80 Mbit/s"], ok=False)

    wrong, right = cards(_run(tmp_path, slow))
    assert (wrong.name, wrong.status, right.status) == ("virginia-mumbai", "not as specified", "as specified")
    assert wrong.closest.startswith("outside: rate router.virginia → router.mumbai")
    assert _row(wrong, "rate").judged.word == "outside"
    assert list(wrong.reasons) == ["b_to_a: rate 80 Mbit/s"]


def test_what_lies_outside_is_said_even_where_the_run_took_the_link(tmp_path: Path) -> None:
    found = _only(tmp_path, before=measured(201.0, queue_bytes=9_000_000))
    assert (found.status, found.ok) == ("outside below", False)


def test_reasons_of_the_run_about_a_link_stand_with_it_once(tmp_path: Path) -> None:
    def say(manifest: dict[str, Any]) -> None:
        manifest["invalid"] = ["link virginia-mumbai (after the trials): RTT: 240 ms", "link virginia-mumbai-2: other",
                               "link mumbai-chennai: RTT: 3 ms"]  # fmt: skip

    def wrong(links: Links) -> None:
        links["links"][1].update(ok=False, reasons=["RTT: 3 ms"])

    shown = cards(_run(tmp_path, wrong, change=say))
    assert {one.status for one in shown} == {"not as specified"}
    found = {one.name: list(one.reasons) for one in shown}
    assert found == {"virginia-mumbai": ["link virginia-mumbai (after the trials): RTT: 240 ms"],
                     "mumbai-chennai": ["RTT: 3 ms"]}  # fmt: skip


def test_drops_are_told_by_cause_and_what_goes_astray_is_outside(tmp_path: Path) -> None:
    lossy = during(1000, delivered=900, dropped_queue=60, lost=30, dropped_down=7, unexplained=3)
    row = _row(_only(tmp_path, during={"a_to_b": lossy, "b_to_a": during()}), "frames")
    assert row.during == ("1,000 offered (1.411 MiB), 900 delivered, 60 dropped by the full queue, 7 dropped while the link "
                          "was down, 30 lost on the wire; 3 unexplained")  # fmt: skip
    assert row.judged.word == "outside"


def test_a_late_relay_is_outside_its_bound(tmp_path: Path) -> None:
    late = during(lateness_ms={"median": 0.4, "p99": 2.4, "max": 40.0})
    row = _row(_only(tmp_path, during={"a_to_b": late, "b_to_a": during()}), "lateness")
    assert row.judged.word == "outside"
    assert row.judged.share > 1


def test_netem_shows_the_kernels_queue_instead_of_lateness(tmp_path: Path) -> None:
    waiting = kernel(backlog_packets=3, backlog_bytes=4542)
    found = _only(tmp_path, backend="netem", during={"a_to_b": waiting, "b_to_a": kernel()})
    assert [row.what for row in found.groups[1][1]][-2:] == ["frames", "kernel's queue"]
    assert _row(found, "kernel's queue").during == "3 packets (4.436 KiB) waited at the end"
    assert _row(found, "kernel's queue").judged.word == ""


def test_why_a_number_is_missing_stands_in_its_place(tmp_path: Path) -> None:
    unknown = {"rate_bps": None, "rate_note": "this machine held the sender up"}
    unknown |= {"queue_bytes": None, "queue_note": "CoDel drops"}
    seen = measured(201.0, **unknown)
    found = _only(tmp_path, before=seen, after=None)
    assert _row(found, "rate").measured == ("this machine held the sender up", MISSING)
    assert _row(found, "queue ceiling").measured == ("CoDel drops", MISSING)
    assert _row(found, "queue ceiling").judged.word == ""


def test_each_way_has_its_time_and_its_spread(tmp_path: Path) -> None:
    found = _only(tmp_path, before=measured(201.0, delay_ms=103.0), after=None)
    row = _row(found, "one way")
    assert row.measured == ("103.00 ms (16 echoes)", MISSING)
    assert (row.judged.bound, row.judged.word) == ("99.50 to 101.5 ms", "outside")
    assert _row(found, "spread of it").judged.word == "inside"


def test_what_is_not_verified_is_said_in_its_place(tmp_path: Path) -> None:
    asked = {"rtt_ms": 201.0, "mtu": 1500, "b_to_a": way(201.0)}
    asked["a_to_b"] = way(201.0, codel="5ms 100ms", jitter_ms=1.0, effects={"jitter": "1ms uniform"})
    seen = measured(201.0, codel_note="no queue stands for so long", jitter_note="16 echoes do not tell")
    found = _only(tmp_path, specified=asked, before=seen, after=None)
    assert _row(found, "CoDel").measured == ("not verified: no queue stands for so long", MISSING)
    assert _row(found, "spread of it").measured == ("0.02 ms; not verified: 16 echoes do not tell", MISSING)


def test_a_link_that_is_down_passes_nothing(tmp_path: Path) -> None:
    def asked(**more: Any) -> dict[str, Any]:
        return {"rtt_ms": 201.0, "a_to_b": way(201.0, up=False), "b_to_a": way(201.0), "mtu": 1500} | more

    silent = measured(201.0, received=0, rate_bps=None) | {"rtt_ms": {"min": None, "median": None, "p99": None, "samples": 0,
                                                                      "sent": 16}}  # fmt: skip
    found = _only(tmp_path, specified=asked(), before=silent, after=None)
    assert [_row(found, what, group).judged.word for what, group in (("round trip", 0), ("loss", 1))] == ["inside", "inside"]
    (tmp_path / "leaky").mkdir()
    leaky = _only(tmp_path / "leaky", specified=asked(), before=measured(201.0), after=None)
    assert [_row(leaky, what, group).judged.word for what, group in (("round trip", 0), ("loss", 1))] == ["outside", "outside"]


def test_a_run_of_an_older_version_shows_what_it_did_not_record(tmp_path: Path) -> None:
    def old(links: Links) -> None:
        links["links"] = [old_link("far", "a", "b", 201.0)]

    def bare(manifest: dict[str, Any]) -> None:
        manifest["machine"] = {"steal_fraction": 0.0}

    run = _run(tmp_path, old, change=bare)
    [found] = cards(run)
    assert _row(found, "round trip", 0).measured == ("201.19 ms (201.10 to p99 201.44, 20 echoes)", MISSING)
    assert _row(found, "queue ceiling").measured == (MISSING, MISSING)
    assert _row(found, "loss").measured == ("0 of 200 lost", MISSING)
    assert "unexplained: not recorded" in _row(found, "frames").during
    assert _row(found, "frames").judged.word == ""
    assert found.ok
    assert [row.during for row in machine(run)] == ["0.00 %", MISSING, MISSING, MISSING, MISSING]


def test_of_many_links_only_wrong_ones_are_unfolded(tmp_path: Path) -> None:
    def many(links: Links) -> None:
        links["links"] = [link(f"link-{n}", f"a{n}", "b", 20.0) for n in range(21)]
        links["links"][9].update(ok=False, reasons=["RTT: 25 ms"])

    found = cards(_run(tmp_path, many))
    assert len(found) == 21
    assert [one.name for one in found if one.open] == ["link-9"]
    assert found[0].name == "link-9"


def test_two_links_are_both_unfolded(tmp_path: Path) -> None:
    assert [one.open for one in cards(_run(tmp_path, lambda links: None))] == [True, True]


def test_the_machine_stands_beside_its_bounds(tmp_path: Path) -> None:
    def busy(manifest: dict[str, Any]) -> None:
        manifest["machine"].update(steal_fraction=0.081, capture_drops=3)

    steal, pressure, captured, capturing, drops = machine(_run(tmp_path, lambda links: None, change=busy))
    assert (steal.during, steal.judged.bound, steal.judged.word) == ("8.10 %", "at most 5 %", "outside")
    assert (pressure.during, pressure.judged.word) == ("3.12 % of the time (/proc/pressure/cpu, some)", "")
    assert (captured.during, captured.judged.word) == ("184,212", "")
    assert capturing.during == MISSING
    assert (drops.during, drops.judged.word) == ("3", "outside")


def test_cables_are_summed_up(tmp_path: Path) -> None:
    assert cables(_run(tmp_path, lambda links: None)).startswith("origin1.az1.virginia is a plain cable, without delay or rate")


def test_the_schedule_is_shown_as_it_was_asked_for(tmp_path: Path) -> None:
    both = {"rtt_ms": 201.0, "a_to_b": way(201.0), "b_to_a": way(201.0), "mtu": 1500}
    found = _only(tmp_path, specified=both | {"schedule": {"b_to_a": "at 20s rate 20mbit; from 30s to 40s down"}})
    assert _row(found, "schedule", 2).asked == "at 20 s rate 20mbit; from 30 s to 40 s down"
    assert "schedule" not in [row.what for row in found.groups[1][1]]


def test_the_histogram_of_the_fixture_is_a_histogram() -> None:
    edges = [ns for ns, _ in lateness()]
    assert edges == sorted(edges)
    assert all(frames > 0 for _, frames in lateness())
