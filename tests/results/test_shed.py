"""Content and health shed ratios, by bytes, of the fetches that went by a ranked list and counted."""

import pytest

from results import report, rundir
from results.shed import shed
from tests.results import runs

ARM = {"path": "warm", "size": "16 KiB"}


def ranked(rows, *labels):
    """The measured trials of one arm get these ranks, misses and sizes."""
    for row in rows:
        row.update(rank="", site="", miss="")
    mine = [row for row in rows if row["path"] == "warm" and row["size"] == "16 KiB" and not row["warmup"]]
    for row, (rank, miss, size_bytes) in zip(mine, labels, strict=False):
        row.update(rank=rank, site="x", miss=miss, size_bytes=size_bytes)


def found(tmp_path, *labels):
    return rundir.load(runs.save(tmp_path / "run", change_rows=lambda rows: ranked(rows, *labels)))


def test_the_ratios_are_of_bytes_not_of_fetches(tmp_path):
    run = found(tmp_path, (0, "", 600), (1, "content", 300), (2, "health", 100))
    (one,) = shed(run)
    assert (one.arm, one.fetches, one.bytes) == (ARM, 3, 1000)
    assert (one.content, one.health) == pytest.approx((0.3, 0.1))


def test_a_run_without_ranked_fetches_has_none_and_its_report_no_such_section(tmp_path):
    assert shed(found(tmp_path)) == []
    page = report.write(tmp_path / "run").read_text()
    assert "nearest site did not serve" not in page


def test_the_report_shows_them(tmp_path):
    found(tmp_path, (0, "", 750), (1, "content", 250))
    page = report.write(tmp_path / "run").read_text()
    assert "What the nearest site did not serve" in page
    assert "25.0 %" in page
