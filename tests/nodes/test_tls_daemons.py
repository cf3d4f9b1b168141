"""Daemons that speak TLS on both sides: what a client sees, and what a wrong configuration says."""

import json
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodes.http.authority import Leaf, issue
from nodes.http.tls import ClientTls, server_context
from nodes.origin.generate import content
from tests.nodes.wirekit import ENV, Answer, Daemon, ask, hear, request

Starts = Callable[..., Daemon]
Edges = Callable[..., Daemon]
NAME = "origin1.az1.virginia"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ca")


@pytest.fixture(scope="module")
def secured(folder: Path) -> Iterator[Daemon]:
    """An origin with TLS, certified by the authority in `folder`."""
    daemon = Daemon("origin", "--tls-authority", str(folder), "--name", NAME)
    yield daemon
    daemon.process.kill()
    daemon.process.communicate()


def trusting(folder: Path, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=folder / "ca.pem")
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def get(port: int, context: ssl.SSLContext, path: str, session: ssl.SSLSession | None = None) -> tuple[Answer, ssl.SSLSocket]:
    """One request; the connection is closed, its facts remain."""
    plain = socket.create_connection(("127.0.0.1", port), timeout=5)
    with context.wrap_socket(plain, server_hostname=NAME, session=session) as sock:
        sock.sendall(request("GET", path))
        return Answer(hear(sock)), sock


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("size", [1, 100_000, 5_000_000])
def test_content_is_the_same_under_tls(secured: Daemon, folder: Path, version: ssl.TLSVersion, size: int) -> None:
    answer, _ = get(secured.port, trusting(folder, version), f"/objects/{size}B/a")
    assert (answer.status, answer.body == content("a", size, 0, size)) == (200, True)


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("tickets", [True, False])
def test_clients_resume_sessions(secured: Daemon, folder: Path, version: ssl.TLSVersion, tickets: bool) -> None:
    if not tickets and version is ssl.TLSVersion.TLSv1_3:
        return  # TLS 1.3 has no other way
    context = trusting(folder, version)
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    session, resumed = None, []
    for _ in range(3):
        plain = socket.create_connection(("127.0.0.1", secured.port), timeout=5)
        with context.wrap_socket(plain, server_hostname=NAME, session=session) as sock:
            sock.sendall(request("GET", "/objects/1B/a"))
            hear(sock)
            resumed.append(sock.session_reused)
            session = sock.session
            sock.unwrap()
    assert resumed == [False, True, True]


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_an_old_version_is_refused_and_the_server_goes_on(secured: Daemon, folder: Path) -> None:
    context = trusting(folder)
    context.minimum_version, context.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    with pytest.raises(ssl.SSLError):
        get(secured.port, context, "/healthz")
    assert get(secured.port, trusting(folder), "/healthz")[0].body == b"ok\n"


def test_http_in_plain_or_nonsense_is_closed(secured: Daemon, folder: Path) -> None:
    for said in (request("GET", "/healthz"), b"\0" * 100, b"\x16\x03\x01\xff\xff" + b"x" * 200):
        with socket.create_connection(("127.0.0.1", secured.port), timeout=5) as sock:
            sock.sendall(said)
            assert b"200 OK" not in hear(sock)
    assert get(secured.port, trusting(folder), "/healthz")[0].body == b"ok\n"


def test_a_handshake_that_stalls_holds_up_nobody(secured: Daemon, folder: Path) -> None:
    stalled = [socket.create_connection(("127.0.0.1", secured.port)) for _ in range(20)]
    for sock in stalled:
        sock.sendall(b"\x16\x03\x01")
    began = time.monotonic()
    assert get(secured.port, trusting(folder), "/healthz")[0].body == b"ok\n"
    assert time.monotonic() - began < 1
    for sock in stalled:
        sock.close()


def test_an_edge_with_tls_on_both_sides(secured: Daemon, folder: Path, edge_for: Edges) -> None:
    edge = edge_for(f"https://127.0.0.1:{secured.port}", "--origin-authority", str(folder / "ca.pem"),
                    "--tls-authority", str(folder), name=NAME)  # fmt: skip
    context = trusting(folder)
    for said in ("stored", "hit"):
        answer, _ = get(edge.port, context, "/objects/300KB/a")
        assert answer.body == content("a", 300_000, 0, 300_000)
        assert said in answer.fields["cache-status"]


@pytest.mark.parametrize("node_tls", [True, False])
def test_a_balancer_with_tls_on_one_side_or_both(
    secured: Daemon, origin: Daemon, folder: Path, start: Starts, tmp_path: Path, node_tls: bool
) -> None:
    url = f"https://127.0.0.1:{secured.port}" if node_tls else origin.url
    (tmp_path / "members.json").write_text(json.dumps({"zones": {"z": {}}, "nodes": {"n": {"zone": "z", "url": url}}}))
    balancer = start("balancer", "--members", str(tmp_path / "members.json"), "--name", NAME, "--checks", "off",
                     "--tls-authority", str(folder), "--origin-authority", str(folder / "ca.pem"))  # fmt: skip
    for size in (1000, 3_000_000, 1000):  # the second and third on a connection to the node that was kept
        answer, _ = get(balancer.port, trusting(folder), f"/objects/{size}B/a")
        assert (answer.status, answer.body == content("a", size, 0, size)) == (200, True)


def test_an_edge_that_does_not_know_the_authority_says_so(secured: Daemon, edge_for: Edges) -> None:
    answer = edge_for(f"https://127.0.0.1:{secured.port}").get("/objects/1KB/a")
    assert answer.status == 502
    assert b"could not verify the origin" in answer.body
    assert b"from an authority that is not trusted here" in answer.body


def test_an_edge_may_trust_anyone_when_told_so(secured: Daemon, edge_for: Edges) -> None:
    edge = edge_for(f"https://127.0.0.1:{secured.port}", "--origin-insecure")
    assert edge.get("/objects/1KB/a").body == content("a", 1000, 0, 1000)


def test_a_certificate_from_files(start: Starts, tmp_path: Path) -> None:
    leaf: Leaf = issue(tmp_path, [NAME])
    daemon = start("origin", "--tls-certificate", str(leaf.certificate), "--tls-key", str(leaf.key), "--tls-version", "1.3")
    assert get(daemon.port, trusting(tmp_path, ssl.TLSVersion.TLSv1_3), "/healthz")[0].body == b"ok\n"
    with pytest.raises(ssl.SSLError):
        get(daemon.port, trusting(tmp_path, ssl.TLSVersion.TLSv1_2), "/healthz")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tls-certificate", "/nowhere.pem"], ["use the TLS certificate /nowhere.pem", "no such file", "--tls-certificate"]),
        (["--tls-key", "/nowhere.pem"], ["there is no certificate", "--tls-certificate"]),
        (["--tls-version", "1.3"], ["there is no certificate"]),
        (["--tls-version", "1.1"], ["--tls-version", "'1.1'", "1.2"]),
        (["--tls-authority", "DIR", "--tls-key", "x"], ["--tls-authority stands beside", "give one of them"]),
    ],
)
def test_a_wrong_option_is_told_at_the_start(arguments: list[str], words: list[str], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nodes.origin", *(str(tmp_path) if one == "DIR" else one for one in arguments)]
    done = subprocess.run(command, env=ENV, capture_output=True, text=True, timeout=10, check=False)
    assert done.returncode == 2
    assert done.stderr.startswith("longhaul: could not ")
    for word in words:
        assert word in done.stderr


def test_keys_are_written_where_the_environment_wants_them_and_nowhere_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    leaf = issue(tmp_path, [NAME])
    monkeypatch.delenv("SSLKEYLOGFILE", raising=False)
    for made in (server_context(leaf.certificate, leaf.key), ClientTls().context()):
        assert made.keylog_filename is None
    monkeypatch.setenv("SSLKEYLOGFILE", str(tmp_path / "tls.keys"))
    for made in (server_context(leaf.certificate, leaf.key), ClientTls().context()):
        assert made.keylog_filename == str(tmp_path / "tls.keys")


def test_a_wrong_authority_for_origins_is_told_at_the_start(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "nodes.edge", "--origin", "https://a", "--cache", str(tmp_path), "--capacity", "1MiB"]
    for extra, word in ((["--origin-authority", "/nowhere.pem"], "no such file"),
                        (["--origin-authority", "/nowhere.pem", "--origin-insecure"], "give one of them")):  # fmt: skip
        done = subprocess.run([*command, *extra], env=ENV, capture_output=True, text=True, timeout=10, check=False)
        assert (done.returncode, word in done.stderr) == (2, True)


def test_workers_resume_each_others_sessions(start: Starts, tmp_path: Path) -> None:
    issue(tmp_path, ["unused"])
    daemon = start("edge", "--origin", "http://127.0.0.1:9", "--cache", str(tmp_path / "cache"), "--capacity", "1MiB",
                   "--workers", "2", "--tls-authority", str(tmp_path), "--name", NAME)  # fmt: skip
    context, session, resumed = trusting(tmp_path), None, []
    for _ in range(12):  # the kernel spreads connections over the workers
        plain = socket.create_connection(("127.0.0.1", daemon.port), timeout=5)
        with context.wrap_socket(plain, server_hostname=NAME, session=session) as sock:
            sock.sendall(request("GET", "/-/healthz"))
            hear(sock)
            resumed.append(sock.session_reused)
            session = sock.session
    assert resumed == [False] + [True] * 11


def test_plain_daemons_stay_plain(origin: Daemon) -> None:
    assert ask(origin.port, "GET", "/healthz").body == b"ok\n"
