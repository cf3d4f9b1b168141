"""Caddy as a node: three versions of HTTP to the same origin, and what it refuses."""

import json
import subprocess
import sys

import pytest

from nodes.client.fetch import Fetcher
from nodes.client.order import Order
from nodes.http.failure import Failure
from nodes.origin.generate import sha256
from nodes.page.load import load
from nodes.page.plan import parse, synthetic
from nodes.programs import program
from tests.nodes.wirekit import ENV

try:
    program("caddy", "caddy")
except Failure:
    pytest.skip("caddy is not here: sudo ./provision.sh --peers", allow_module_level=True)


@pytest.fixture
def caddy(origin, start, tmp_path):
    """Caddy in front of the origin, and fields of an order that trusts it."""
    found = start("caddy", "--origin", origin.url, "--tls-authority", str(tmp_path / "ca"), "--name", "server",
                  "--log", str(tmp_path / "log"))  # fmt: skip
    return f"https://{found.ready['listen']}", {"cacert": str(tmp_path / "ca" / "ca.pem")}


@pytest.mark.parametrize("version", ["1.1", "2", "3"])
def test_the_same_bytes_come_by_every_version(caddy, version, tmp_path):
    url, trust = caddy
    fetcher = Fetcher()
    order = Order(f"{url}/objects/300KB/a", http_version=version, expect_sha256=sha256("a", 300_000).hex(), **trust)
    found = fetcher.fetch(order)
    assert (found.ok, found.http_version, found.digest_ok) == (True, version, True), found.error
    fetcher.close()
    (logged,) = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert logged["request"]["uri"] == "/objects/300KB/a"


@pytest.mark.parametrize(("version", "connections"), [("1.1", 6), ("2", 1), ("3", 1)])
def test_a_page_takes_six_connections_or_one(caddy, version, connections):
    url, trust = caddy
    found = load(parse(synthetic(url, 5000, [2000] * 20)), 6, version, 20, **trust)
    assert (found.error, found.connections) == (None, connections)


@pytest.mark.parametrize(("arguments", "words"), [
    (["--origin", "http://127.0.0.1:9"], "there is no certificate"),
    (["--origin", "https://127.0.0.1:9", "--tls-authority", "ca"], "its origin is to be http"),
])  # fmt: skip
def test_what_it_cannot_do_is_refused(arguments, words, tmp_path):
    done = subprocess.run([sys.executable, "-m", "nodes.caddy", *arguments], env=ENV, capture_output=True, text=True,
                          timeout=10, check=False, cwd=tmp_path)  # fmt: skip
    assert done.returncode == 2
    assert words in done.stderr
