"""The reporter of an edge: what is in use, by two readings; and steering hears of a real edge, its files and its death."""

import json

import pytest

from nodes.edge_reporter.use import MetricsError, Reading, read, used
from tests.labkit import wait_until

TEXT = """\
# TYPE longhaul_connections_open gauge
longhaul_connections_open{node="edge1"} 12
# TYPE longhaul_sent_bytes_total counter
longhaul_sent_bytes_total{node="edge1",result="TCP_HIT"} 1e+09
longhaul_sent_bytes_total{node="edge1",result="TCP_MISS"} 250000000
"""


def test_a_reading_is_the_numbers_of_the_metrics():
    assert read(TEXT, 5.0) == Reading(5.0, 1.25e9, 12)
    assert read(TEXT.replace("longhaul_sent_bytes_total", "other"), 5.0).sent_bytes == 0


@pytest.mark.parametrize("text", ["", "hello", TEXT.replace("connections_open", "x")])
def test_a_text_without_them_is_an_error(text):
    with pytest.raises(MetricsError, match="its metrics have no longhaul_connections_open"):
        read(text, 5.0)


@pytest.mark.parametrize(("before", "now", "network", "connections"), [
    (Reading(0, 0, 0), Reading(1, 1.25e9, 50), 1.0, 0.5),
    (Reading(0, 1e9, 0), Reading(10, 2.25e9, 0), 0.1, 0.0),
    (Reading(0, 9e9, 0), Reading(1, 0.0, 100), 0.0, 1.0),
    (Reading(1, 0, 0), Reading(1, 9e9, 0), 0.0, 0.0),
])  # fmt: skip
def test_use_is_of_the_rate_since_the_reading_before_and_of_the_connections_now(before, now, network, connections):
    assert used(before, now, 10e9, 100) == pytest.approx({"network": network, "connections": connections})


def test_steering_hears_of_a_real_edge_its_files_and_its_death(start, origin, edge_for, tmp_path):
    film, manifest = "/objects/64KiB/film", tmp_path / "manifest.txt"
    manifest.write_text(f"{film}\n")
    edge = edge_for(origin.url)
    steering = start("steering", "--site", "near", "--silent", "300ms")
    reporter = start("edge_reporter", "--steering", steering.url, "--edge", "edge1", "--site", "near", "--url", edge.url,
                     "--rate", "1gbit", "--files", str(manifest), "--interval", "30ms")  # fmt: skip
    routes = {"edge": "edge1", "site": "near", "url": edge.url, "at": 1, "routes": [{"prefix": "127.0.0.0/8"}]}
    steering.get("/-/reports", method="POST", body=json.dumps(routes).encode())

    def says(path, words):
        return wait_until(lambda: words in steering.get(f"/steer{path}").body.decode(), 5)

    assert says(film, f'"url": "{edge.url}{film}"')
    assert says("/objects/1KiB/more", "no edge has")
    manifest.write_text("/objects/1KiB/more\n")
    assert says("/objects/1KiB/more", '"rank": 0')
    assert says(film, "no edge has")
    edge.stop()
    assert says("/objects/1KiB/more", "can serve /objects/1KiB/more now"), "silent, so down"
    status, said = reporter.stop()
    assert (status, "could not ask edge1 how it is: " in said) == (0, True)


def test_a_list_that_is_not_there_is_an_error_that_says_so(start):
    with pytest.raises(AssertionError, match="could not read the files /nowhere: no such file or directory; name a text"):
        start("edge_reporter", "--steering", "http://127.0.0.1:1", "--edge", "e", "--site", "s", "--url", "http://127.0.0.1:1",
              "--rate", "1gbit", "--files", "/nowhere")  # fmt: skip
