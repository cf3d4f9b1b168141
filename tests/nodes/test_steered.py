"""What a ranked client says of its choice: read by form, logged and counted, with and without a prepared answer."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nodes.http.message import Fields
from nodes.http.steered import Steered, parse, steered


@pytest.mark.parametrize(("value", "found"), [
    ("0", Steered(0, "", "")), ("1;miss=content;site=singapore", Steered(1, "content", "singapore")),
    (" 2; site=a.b-c ", Steered(2, "", "a.b-c")), ("3;miss=health", Steered(3, "health", "")),
    ("", None), ("-1", None), ("x", None), ("100", None), ("1;miss=other", None), ("1;miss", None), ('1;site="a"', None),
])  # fmt: skip
def test_the_form(value, found):
    assert parse(value) == found
    assert steered(Fields([("Host", "a"), ("X-Longhaul-Steered", value)])) == found


@given(st.text(max_size=60))
def test_no_text_is_an_error(text):
    assert parse(text) is None or parse(text).rank >= 0


def test_the_edges_log_and_metrics_have_rank_and_miss_by_bytes(origin, edge_for, tmp_path):
    log = tmp_path / "edge.jsonl"
    edge = edge_for(origin.url, "--log", str(log))
    for _ in range(4):  # the later ones are prepared answers
        assert edge.get("/objects/1000B/a", "X-Longhaul-Steered: 1;miss=content;site=singapore").status == 200
    assert edge.get("/objects/1000B/a", "X-Longhaul-Steered: 0;site=mumbai").status == 200
    assert edge.get("/objects/1000B/a").status == 200
    text = edge.get("/-/metrics").body.decode()
    assert 'longhaul_steered_bytes_total{node="edge1",rank="1",miss="content"} 4000' in text
    assert 'longhaul_steered_bytes_total{node="edge1",rank="0",miss="none"} 1000' in text
    assert 'longhaul_steered_requests_total{node="edge1",rank="1",miss="content"} 4' in text
    edge.stop()
    said = [json.loads(line).get("steered") for line in log.read_text().splitlines() if "/objects" in line]
    assert said == [{"rank": 1, "miss": "content", "site": "singapore"}] * 4 + [{"rank": 0, "miss": "", "site": "mumbai"}, None]
