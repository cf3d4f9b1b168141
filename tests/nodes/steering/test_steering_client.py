"""A client goes down a ranked list by itself and says what it missed at the site of rank 0, and why."""

import json
import socket
import subprocess
import sys
import time

import pytest

from nodes.client.fetch import Fetcher
from nodes.client.order import Order, OrderError
from nodes.client.order import parse as parse_order
from nodes.client.ranked import ListError, Shed, fetch, parse, why_missed
from nodes.origin.generate import sha256
from tests.nodes.wirekit import ENV, ok

FILM = "/objects/64KiB/film"
DIGEST = sha256("film", 65536).hex()


@pytest.fixture
def fetcher():
    made = Fetcher()
    yield made
    made.close()


def listed(*urls, miss=""):
    more = {"miss": miss} if miss else {}
    return json.dumps({"urls": [{"url": url, "rank": rank, "site": f"site{rank}"} for url, rank in urls], **more}).encode()


def steering(script, *urls, miss=""):
    return script(lambda _, sock: sock.sendall(ok(listed(*urls, miss=miss)))).url + "/steer" + FILM


def closed():
    """The URL of a port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{sock.getsockname()[1]}"


def served(result):
    return result.ok, result.ranked["rank"], result.ranked["miss"], [one["miss"] for one in result.ranked["tries"]]


def test_the_first_url_that_serves_is_the_one(origin, script, fetcher):
    result = fetch(fetcher, Order(steering(script, (origin.url + FILM, 0), (closed() + FILM, 1)), expect_sha256=DIGEST))
    assert served(result) == (True, 0, "", [""])
    assert (result.size_bytes, result.digest_ok) == (65536, True)
    assert result.ranked["spent_ms"] >= result.ranked["list_ms"] + result.total_ms


@pytest.mark.parametrize(("first", "why"), [
    (lambda script: closed() + FILM, "health"),
    (lambda script: script(lambda _, sock: sock.sendall(ok(b"full", status="503 Service Unavailable"))).url + FILM, "health"),
    (lambda script: script(lambda _, sock: sock.sendall(ok(b"", status="404 Not Found"))).url + FILM, "content"),
    (lambda script: script(lambda _, sock: sock.sendall(ok(bytes(65536))[:9000]) or False).url + FILM, "health"),
    (lambda script: script(lambda _, sock: sock.sendall(ok(bytes(65536)))).url + FILM, "health"),
])  # fmt: skip
def test_an_edge_that_does_not_serve_is_left_for_the_next_and_the_miss_is_labelled(origin, script, fetcher, first, why):
    """Nobody there; full; no such file; broken off; other bytes than expected."""
    url = steering(script, (first(script), 0), (origin.url + FILM, 2))
    assert served(fetch(fetcher, Order(url, expect_sha256=DIGEST))) == (True, 2, why, [why, ""])


def test_another_edge_of_the_same_site_is_no_miss(origin, script, fetcher):
    result = fetch(fetcher, Order(steering(script, (closed() + FILM, 0), (origin.url + FILM, 0))))
    assert served(result) == (True, 0, "", ["health", ""])


def test_steerings_label_counts_when_it_left_rank_0_out(origin, script, fetcher):
    url = steering(script, (closed() + FILM, 1), (origin.url + FILM, 2), miss="content")
    assert served(fetch(fetcher, Order(url))) == (True, 2, "content", ["health", ""])
    assert why_missed(0, "content", [{"miss": "health"}]) == ""


def test_when_none_serves_the_result_is_the_last_ones(script, fetcher):
    result = fetch(fetcher, Order(steering(script, (closed() + FILM, 0), (closed() + FILM, 1))))
    assert served(result) == (False, 1, "health", ["health", "health"])
    assert "refused" in result.error.lower() or "connect" in result.error.lower()


@pytest.mark.parametrize(("body", "cause"), [
    (b"", "no ranked list"), (b"[]", "no ranked list"), (b"{}", "no ranked list"), (b'{"urls": [1]}', "no ranked list"),
    (b'{"urls": [], "error": "no edge has it"}', "names no URL: no edge has it"),
    (listed(("file:///etc/passwd", 0)), "begins with neither"),
])  # fmt: skip
def test_an_answer_that_is_no_list_is_an_error_that_says_so(script, fetcher, body, cause):
    with pytest.raises(ListError, match=cause):
        parse(body)
    result = fetch(fetcher, Order(script(lambda _, sock: sock.sendall(ok(body))).url + "/steer" + FILM))
    assert (result.ok, result.ranked) == (False, None)
    assert cause in result.error


def test_the_shed_ratio_is_of_bytes_by_label(origin, script, fetcher):
    shed = Shed()
    assert shed.as_dict()["content_shed_ratio"] is None
    for urls, miss in ((((origin.url + "/objects/300KB/a", 0),), ""), (((origin.url + "/objects/100KB/a", 1),), "content"),
                       (((closed(), 0), (origin.url + "/objects/100KB/b", 1)), ""), (((closed(), 0),), "")):  # fmt: skip
        shed.add(fetch(fetcher, Order(steering(script, *urls, miss=miss))))
    assert shed.as_dict() == {"bytes": 500_000, "content_shed_bytes": 100_000, "health_shed_bytes": 100_000,
                              "content_shed_ratio": 0.2, "health_shed_ratio": 0.2}  # fmt: skip


def test_the_command_goes_by_a_real_steering(start, origin):
    steering = start("steering", "--site", "near", "--site", "far")
    for edge, site, url, rtt_ms in (("dead", "near", closed(), 5), ("alive", "far", origin.url, 50)):
        body = {"edge": edge, "site": site, "url": url, "at": time.time(), "health": {"used": {"cpu": 0.1}}, "files": [FILM],
                "routes": [{"prefix": "127.0.0.0/8", "rtt_ms": rtt_ms}]}  # fmt: skip
        assert steering.get("/-/reports", method="POST", body=json.dumps(body).encode()).status == 200
    command = [sys.executable, "-m", "nodes.client", "--ranked", f"{steering.url}/steer{FILM}"]
    done = subprocess.run(command, env=ENV, timeout=30, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("health_shed_bytes 65536, content_shed_ratio 0.0, health_shed_ratio 1.0")


def test_a_name_is_looked_up_where_the_order_says_and_its_time_is_in_the_times(start, origin, fetcher):
    steering = start("steering", "--site", "home", "--dns", "127.0.0.1:0", "--dns-name", "cdn.test")
    body = {"edge": "e", "site": "home", "url": origin.url, "at": time.time(), "health": {"used": {"cpu": 0.1}},
            "routes": [{"prefix": "127.0.0.0/8"}]}  # fmt: skip
    assert steering.get("/-/reports", method="POST", body=json.dumps(body).encode()).status == 200
    server = json.loads(steering.get("/-/state").body)["dns"]["listen"]
    result = fetcher.fetch(Order(f"http://cdn.test:{origin.port}{FILM}", resolver=server, expect_sha256=DIGEST))
    assert (result.ok, result.remote, result.tls_ms) == (True, f"127.0.0.1:{origin.port}", 0)
    assert result.lookup["addresses"] == ["127.0.0.1"]
    assert 0 < result.lookup["took_ms"] <= result.dns_ms < result.connect_ms < result.first_byte_ms <= result.total_ms
    numeric = fetcher.fetch(Order(origin.url + FILM, resolver=server))
    assert (numeric.ok, numeric.lookup) == (True, None), "an address needs no look-up"
    failed = fetcher.fetch(Order("http://other.test/", resolver=server))
    assert (failed.ok, failed.error) == (False, f"could not look up other.test at {server}: it said REFUSED and no address")


@pytest.mark.parametrize("resolver", ["10.0.0.1", ":53", "10.0.0.1:0", "10.0.0.1:70000", "a b:53", 53])
def test_a_resolver_that_cannot_be_is_refused(resolver):
    with pytest.raises(OrderError, match="is not HOST:PORT"):
        parse_order(json.dumps({"url": "http://cdn.test/", "resolver": resolver}))


def test_the_edge_is_told_the_rank_and_what_was_missed(script, fetcher):
    heard = []
    first = script(lambda head, sock: (heard.append(head), sock.sendall(ok(b"", status="404 Not Found")))[1])
    second = script(lambda head, sock: (heard.append(head), sock.sendall(ok(b"film")))[1])
    assert fetch(fetcher, Order(steering(script, (first.url, 0), (second.url, 1)))).ok
    said = [line for head in heard for line in head.split("\r\n") if line.lower().startswith("x-longhaul-steered")]
    assert said == ["X-Longhaul-Steered: 0;site=site0", "X-Longhaul-Steered: 1;miss=content;site=site1"]
