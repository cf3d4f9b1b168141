"""The verdict: which claims hold, and when nothing may be concluded."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from results.judge import Verdict, judge
from results.rundir import load
from tests.results.runs import save

Rows = list[dict[str, Any]]


def _judge(tmp_path: Path, **changes: Callable[..., Any]) -> Verdict:
    return judge(load(save(tmp_path / "run", **changes)))  # type: ignore[arg-type]


def _arm(rows: Rows, path: str, size: str) -> Rows:
    return [row for row in rows if (row["path"], row["size"]) == (path, size) and not row["warmup"]]


def test_a_run_within_all_bands_holds(tmp_path: Path) -> None:
    verdict = _judge(tmp_path)
    assert verdict.outcome == "holds"
    assert verdict.reasons == ["all 18 claims lie within their bands"]
    assert {one.outcome for one in verdict.claims} == {"inside"}


def test_a_median_outside_its_band_fails_and_says_by_how_much(tmp_path: Path) -> None:
    def slow(rows: Rows) -> None:
        for row in _arm(rows, "warm", "16 KiB"):
            row["first_byte_ms"] = 60.0

    verdict = _judge(tmp_path, change_rows=slow)
    assert verdict.outcome == "fails"
    assert verdict.reasons == ["first byte, warm, 16 KiB: 60.00 ms is 11.64 ms above 48.36 ms"]
    assert sorted(one.outcome for one in verdict.claims if one.outcome != "inside") == ["above"]


def test_too_fast_is_outside_too(tmp_path: Path) -> None:
    def fast(rows: Rows) -> None:
        for row in _arm(rows, "direct", "4 MiB"):
            row["total_ms"] = 100.0

    verdict = _judge(tmp_path, change_rows=fast)
    assert verdict.outcome == "fails"
    assert "below 2,157.4 ms" in verdict.reasons[0]


def test_a_few_slow_fetches_do_not_move_the_median(tmp_path: Path) -> None:
    def slow(rows: Rows) -> None:
        for row in _arm(rows, "warm", "16 KiB")[:4]:
            row["first_byte_ms"] = 500.0

    verdict = _judge(tmp_path, change_rows=slow)
    assert verdict.outcome == "holds"
    [but] = verdict.reasons[1:]
    assert re.fullmatch(r"but the 95 % interval of 1 reaches beyond its band, .*: first byte, warm, 16 KiB", but)


def test_warm_ups_and_invalid_trials_do_not_count(tmp_path: Path) -> None:
    def spoil(rows: Rows) -> None:
        for row in rows:
            if row["warmup"]:
                row["first_byte_ms"] = 9999
        _arm(rows, "warm", "16 KiB")[0].update(valid=0, reason="capture lost 3 packets", first_byte_ms=9999)
        _arm(rows, "warm", "16 KiB")[1].update(ok=0, error="connection reset", first_byte_ms="")

    verdict = _judge(tmp_path, change_rows=spoil)
    assert verdict.outcome == "holds"
    [claim] = [one for one in verdict.claims if one.claim.name == "first byte, warm, 16 KiB"]
    assert claim.measured is not None
    assert claim.measured.n == 8


def test_an_arm_with_too_few_valid_trials_is_invalid_and_says_why(tmp_path: Path) -> None:
    def spoil(rows: Rows) -> None:
        for row in _arm(rows, "cold", "4 MiB")[:3]:
            row.update(valid=0, reason="capture lost 3 packets")

    verdict = _judge(tmp_path, change_rows=spoil)
    assert verdict.outcome == "invalid"
    assert verdict.reasons == ["cold · 4 MiB: 7 valid trials where 8 are needed (capture lost 3 packets)"]


def test_one_trial_that_is_needed_is_one(tmp_path: Path) -> None:
    verdict = _judge(tmp_path, change=lambda m: m.update(needed=1),
                     change_rows=lambda rows: [row.update(valid=0) for row in _arm(rows, "cold", "4 MiB")])  # fmt: skip
    assert any("4 MiB: 0 valid trials where 1 is needed" in reason for reason in verdict.reasons)


def test_the_manifest_may_ask_for_every_trial(tmp_path: Path) -> None:
    verdict = _judge(
        tmp_path,
        change=lambda m: m.update(needed=10),
        change_rows=lambda rows: rows[50].update(valid=0, reason="clock stepped"),
    )
    assert verdict.outcome == "invalid"


def test_a_claimed_arm_that_was_never_tried_is_invalid(tmp_path: Path) -> None:
    def drop(rows: Rows) -> None:
        rows[:] = [row for row in rows if row["path"] != "cold"]

    verdict = _judge(tmp_path, change_rows=drop)
    assert verdict.outcome == "invalid"
    assert "cold · 16 KiB: 0 valid trials where 8 are needed" in verdict.reasons


def test_an_instrument_that_cannot_be_trusted_wins_over_failed_claims(tmp_path: Path) -> None:
    def slow(rows: Rows) -> None:
        for row in rows:
            row["total_ms"] = 1e6

    def doubt(manifest: dict[str, Any]) -> None:
        manifest["invalid"] = ["the clock stepped by 40 ms"]

    verdict = _judge(tmp_path, change_rows=slow, change=doubt)
    assert (verdict.outcome, verdict.reasons) == ("invalid", ["the clock stepped by 40 ms"])


def test_an_interrupted_run_is_invalid_in_words(tmp_path: Path) -> None:
    verdict = _judge(
        tmp_path,
        change=lambda m: m.update(interrupted=True),
        change_rows=lambda rows: rows.__delitem__(slice(40, None)),
    )
    assert verdict.outcome == "invalid"
    assert verdict.reasons[0] == "the run was interrupted after 31 measured trials"


def test_a_link_that_is_not_as_asked_makes_the_run_invalid_once(tmp_path: Path) -> None:
    def wrong(links: dict[str, Any]) -> None:
        links["links"][0].update(ok=False, reasons=["RTT 240 ms where 201 ms was asked"])

    verdict = _judge(tmp_path, change_links=wrong)
    assert verdict.outcome == "invalid"
    assert verdict.reasons == ["link virginia-mumbai: RTT 240 ms where 201 ms was asked"]
    (tmp_path / "two").mkdir()
    said = "link virginia-mumbai has the wrong RTT"
    both = _judge(tmp_path / "two", change_links=wrong, change=lambda m: m.update(invalid=[said]))
    assert both.reasons == [said]


def test_wrong_bytes_make_the_run_invalid(tmp_path: Path) -> None:
    verdict = _judge(tmp_path, change_rows=lambda rows: rows[30].update(digest_ok=0))
    assert verdict.outcome == "invalid"
    assert "1 of 90 transfers delivered other bytes" in verdict.reasons[0]
    assert "trial 30" in verdict.reasons[0]


def test_unsupported_comes_first(tmp_path: Path) -> None:
    def change(manifest: dict[str, Any]) -> None:
        manifest.update(unsupported=["no /dev/net/tun"], invalid=["nothing ran"])

    verdict = _judge(tmp_path, change=change, change_rows=lambda rows: rows.clear())
    assert (verdict.outcome, verdict.reasons) == ("unsupported", ["no /dev/net/tun"])


def test_a_run_without_trials_is_invalid(tmp_path: Path) -> None:
    verdict = _judge(tmp_path, change_rows=lambda rows: rows.clear())
    assert verdict.outcome == "invalid"
    assert verdict.reasons == ["no trial was measured"]
    assert {one.outcome for one in verdict.claims} == {"no data"}


@pytest.mark.parametrize(
    ("band", "outcome"),
    [({"low": 9, "high": 11}, "inside"), ({"low": 20, "high": None}, "below"), ({"low": None, "high": 5}, "above")],
)
def test_a_claim_may_be_a_ratio_and_open_at_one_end(tmp_path: Path, band: dict[str, Any], outcome: str) -> None:
    claim = {
        "name": "gain",
        "metric": "total_ms",
        "statistic": "median",
        "where": {"path": "direct", "size": "256 KiB"},
        "over": {"path": "warm", "size": "256 KiB"},
    }
    verdict = _judge(tmp_path, change=lambda m: m.update(claims=[claim | band]))
    assert verdict.claims[0].outcome == outcome
    assert verdict.claims[0].measured is not None
    assert verdict.claims[0].measured.value == pytest.approx(9.76, abs=0.05)


def test_a_run_without_claims_holds_and_says_that_nothing_was_claimed(tmp_path: Path) -> None:
    verdict = _judge(tmp_path, change=lambda m: m.update(claims=[]))
    assert verdict.outcome == "holds"
    assert "no claim to judge" in verdict.reasons[0]


def test_the_stored_form_is_plain_json(tmp_path: Path) -> None:
    import json

    stored = json.loads(json.dumps(_judge(tmp_path).as_dict(), allow_nan=False))
    assert stored["outcome"] == "holds"
    assert stored["claims"][0]["measured"]["n"] == 10
