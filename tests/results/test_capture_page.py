"""The page of a capture: its data are those of the analysis, and no text of a capture becomes part of the page."""

from __future__ import annotations

import base64
import json
import re
from pathlib import Path
from typing import Any

import numpy as np

from results.captures import made, page, series
from results.captures.survey import survey
from tests.results.test_capture_requests import opened, said


def written(capture: Path, folder: Path, top: int = 3) -> tuple[str, dict[str, Any]]:
    drawn = series.Series(top)
    found = survey(capture, None, (drawn.visit,))
    page.write(folder / "page.html", found, drawn.chosen(found.connections["first_frame"]), [])
    text = (folder / "page.html").read_text()
    data: dict[str, Any] = json.loads(re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)[1])  # type: ignore[index]
    return text, data


def floats(text: str) -> Any:
    return np.frombuffer(base64.b64decode(text), "<f8")


def test_the_largest_connections_are_drawn_segment_by_segment(tmp_path: Path) -> None:
    made.write(tmp_path / "a.pcap", 8, 150, 0.03)
    text, data = written(tmp_path / "a.pcap", tmp_path)
    columns = data["columns"]
    rows = [dict(zip(columns, row, strict=True)) for row in data["connections"]]
    assert len(rows) == 8
    assert len(data["series"]) == 3
    largest = sorted((row["bytes_up"] + row["bytes_down"] for row in rows), reverse=True)[:3]
    for one, size in zip(data["series"], largest, strict=True):
        row = rows[one["stream"]]
        assert row["bytes_up"] + row["bytes_down"] == size
        assert (row["client"], row["first_frame"]) == (one["client"], one["first_frame"])
        _, begin, end, kind, frame, flight = map(floats, one["data"])
        assert (end - begin).sum() == row["bytes_down"]
        assert (kind > 0).sum() == row["retransmissions_down"]
        assert (frame[1:] > frame[:-1]).all()
        assert flight.max() <= 64 * 1448
        assert len(floats(one["rtt"][0])) > 10
    assert "http://" not in text
    assert "https://" not in text


def test_no_text_of_a_capture_becomes_part_of_the_page(tmp_path: Path) -> None:
    evil = b"GET /</script><script>alert(1)</script> HTTP/1.1\r\nHost: <b>\r\n\r\n"
    capture = said(opened(), 41, True, 1, 1, evil).save(tmp_path / "a.pcapng")
    text, data = written(capture, tmp_path)
    assert data["requests"][0]["target"] == "/</script><script>alert(1)</script>"
    assert "alert(1)</script>" not in text
    assert text.count("<script") == 2
    assert "innerHTML" not in text


def test_a_capture_without_connections_has_a_page_too(tmp_path: Path) -> None:
    made.write(tmp_path / "a.pcap", 1, 1, 0.0)
    (tmp_path / "b.pcap").write_bytes((tmp_path / "a.pcap").read_bytes()[:24])
    _, data = written(tmp_path / "b.pcap", tmp_path)
    assert (data["connections"], data["series"]) == ([], [])
