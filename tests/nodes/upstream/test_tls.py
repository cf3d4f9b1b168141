"""TLS to origins: versions, resumption, whom to trust, and what is said when it fails."""

import asyncio
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from nodes.http.authority import Leaf, issue
from nodes.http.failure import Failure
from nodes.http.origin_address import Origin
from nodes.http.pool import Pool
from nodes.http.timeouts import Timeouts
from nodes.http.tls import ClientTls, server_context
from tests.nodes.upstream.exchanges import HASTY, PATIENT, Outcome, exchange, with_pool
from tests.nodes.wirekit import ScriptedOrigin, ok

Answer = Callable[[str, socket.socket], bool | None]


@pytest.fixture(scope="module")
def leaf(tmp_path_factory: pytest.TempPathFactory) -> Leaf:
    return issue(tmp_path_factory.mktemp("ca"), ["localhost", "127.0.0.1", "origin1.az1.virginia"])


@pytest.fixture
def secured(leaf: Leaf) -> Iterator[Callable[..., ScriptedOrigin]]:
    running: list[ScriptedOrigin] = []

    def make(what: Answer, context: ssl.SSLContext | None = None) -> ScriptedOrigin:
        running.append(ScriptedOrigin(what, context or server_context(leaf.certificate, leaf.key)))
        return running[-1]

    yield make
    for one in running:
        one.close()


def hello(head: str, sock: socket.socket) -> None:
    sock.sendall(ok(b"hello"))


def ask(behind: ScriptedOrigin, tls: ClientTls, timeouts: Timeouts = PATIENT, name: str = "") -> Outcome:
    origin = Origin("127.0.0.1", behind.port, "https", name)
    seen: Outcome = with_pool(lambda pool: exchange(pool, origin), timeouts, tls=tls)
    return seen


@pytest.mark.parametrize("version", ["1.2", "1.3"])
def test_both_versions_are_spoken(secured: Callable[..., ScriptedOrigin], leaf: Leaf, version: str) -> None:
    spoken: list[tuple[str | None, str | None]] = []

    def answer(head: str, sock: socket.socket) -> None:
        assert isinstance(sock, ssl.SSLSocket)
        spoken.append((sock.version(), sock.selected_alpn_protocol()))
        sock.sendall(ok(b"hello"))

    behind = secured(answer, server_context(leaf.certificate, leaf.key, version))
    assert ask(behind, ClientTls(leaf.authority)).content == b"hello"
    assert spoken == [(f"TLSv{version}", "http/1.1")]


@pytest.mark.parametrize(("version", "tickets"), [("1.3", True), ("1.2", True), ("1.2", False)])
def test_a_second_connection_resumes_the_session(
    secured: Callable[..., ScriptedOrigin], leaf: Leaf, version: str, tickets: bool
) -> None:
    """RFC 8446, section 2.2; RFC 5077; RFC 5246, section 7.3 (without tickets, from the server's cache)."""
    context = server_context(leaf.certificate, leaf.key, version)
    if not tickets:
        context.options |= ssl.OP_NO_TICKET
    resumed: list[bool | None] = []

    def answer(head: str, sock: socket.socket) -> bool:
        assert isinstance(sock, ssl.SSLSocket)
        resumed.append(sock.session_reused)
        sock.sendall(ok(b"hello", "Connection: close"))
        sock.unwrap()  # OpenSSL's cache forgets a session that does not end with close_notify
        return False

    behind = secured(answer, context)

    async def thrice(pool: Pool) -> None:
        for _ in range(3):
            assert (await exchange(pool, Origin("127.0.0.1", behind.port, "https"))).content == b"hello"
        assert (pool.opened_total, pool.resumed_total) == (3, 2)

    with_pool(thrice, tls=ClientTls(leaf.authority))
    assert resumed == [False, True, True]


def test_a_session_is_not_offered_to_another_origin(secured: Callable[..., ScriptedOrigin], leaf: Leaf) -> None:
    context = server_context(leaf.certificate, leaf.key)

    def close(head: str, sock: socket.socket) -> bool:
        sock.sendall(ok(b"x", "Connection: close"))
        return False

    one, other = secured(close, context), secured(close, context)

    async def both(pool: Pool) -> None:
        for behind in (one, other):
            await exchange(pool, Origin("127.0.0.1", behind.port, "https"))
        assert pool.resumed_total == 0

    with_pool(both, tls=ClientTls(leaf.authority))


def test_the_name_that_is_asked_for_is_the_origins_own(secured: Callable[..., ScriptedOrigin], leaf: Leaf) -> None:
    asked: list[str | None] = []
    context = server_context(leaf.certificate, leaf.key)
    context.sni_callback = lambda sock, name, _: asked.append(name)  # type: ignore[assignment,misc]
    assert ask(secured(hello, context), ClientTls(leaf.authority), name="origin1.az1.virginia").content == b"hello"
    assert asked == ["origin1.az1.virginia"]


def test_a_certificate_for_another_name(secured: Callable[..., ScriptedOrigin], leaf: Leaf) -> None:
    behind = secured(hello)
    seen = ask(behind, ClientTls(leaf.authority), name="origin2.az1.virginia")
    assert seen.failed.phase == "tls"
    assert str(seen.failed) == (f"could not verify the origin 127.0.0.1:{behind.port}: "
                                "its certificate is for localhost, 127.0.0.1, origin1.az1.virginia, "
                                "not for origin2.az1.virginia")  # fmt: skip
    assert behind.heads == []


def test_an_unknown_authority(secured: Callable[..., ScriptedOrigin], leaf: Leaf, tmp_path: Path) -> None:
    other = issue(tmp_path, ["x"])
    for tls in (ClientTls(other.authority), ClientTls()):
        seen = ask(secured(hello), tls)
        assert (seen.failed.phase, seen.failed.status) == ("tls", 502)
        assert "its certificate is from an authority that is not trusted here" in str(seen.failed)


def test_an_expired_certificate(secured: Callable[..., ScriptedOrigin], tmp_path: Path) -> None:
    old = issue(tmp_path, ["127.0.0.1"], -3600)
    seen = ask(secured(hello, server_context(old.certificate, old.key)), ClientTls(old.authority))
    assert "its certificate has expired" in str(seen.failed)


def test_whoever_trusts_anyone_asks_for_it(secured: Callable[..., ScriptedOrigin], tmp_path: Path) -> None:
    old = issue(tmp_path, ["elsewhere"], -3600)
    behind = secured(hello, server_context(old.certificate, old.key))
    assert ask(behind, ClientTls(verify=False)).content == b"hello"


def test_no_common_version(secured: Callable[..., ScriptedOrigin], leaf: Leaf) -> None:
    behind = secured(hello, server_context(leaf.certificate, leaf.key, "1.2"))
    seen = ask(behind, ClientTls(leaf.authority, version="1.3"))
    assert seen.failed.phase == "tls"
    assert "alert protocol version" in str(seen.failed)


def test_an_origin_without_tls(leaf: Leaf) -> None:
    def speak(head: str, sock: socket.socket) -> None:
        return None

    plain = ScriptedOrigin(speak)
    try:
        with socket.create_server(("127.0.0.1", 0)) as held:

            async def both(pool: Pool) -> Outcome:
                asked = asyncio.ensure_future(exchange(pool, Origin("127.0.0.1", held.getsockname()[1], "https")))
                await asyncio.sleep(0.05)
                sock, _ = held.accept()
                with sock:
                    sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                    return await asked

            seen = with_pool(both, tls=ClientTls(leaf.authority))
    finally:
        plain.close()
    assert seen.failed.phase == "tls"
    assert "does not speak TLS" in str(seen.failed)


@pytest.mark.parametrize("stalls", [True, False])
def test_a_handshake_that_stalls_or_breaks(leaf: Leaf, stalls: bool) -> None:
    with socket.create_server(("127.0.0.1", 0)) as held:

        async def both(pool: Pool) -> Outcome:
            asked = asyncio.ensure_future(exchange(pool, Origin("127.0.0.1", held.getsockname()[1], "https")))
            await asyncio.sleep(0.05)
            sock, _ = held.accept()
            if not stalls:
                sock.close()
            seen = await asked
            sock.close()
            return seen

        seen = with_pool(both, HASTY, tls=ClientTls(leaf.authority))
    assert (seen.failed.phase, seen.failed.timeout) == ("tls", stalls)
    assert ("did not finish the TLS handshake within 0.15 s" if stalls else "during the TLS handshake") in str(seen.failed)


@pytest.mark.parametrize("orderly", [True, False])
def test_content_until_the_close_needs_close_notify(
    secured: Callable[..., ScriptedOrigin], leaf: Leaf, orderly: bool
) -> None:
    """RFC 9112, section 9.8: a bare FIN can be forged, so content that it alone delimits is not whole."""

    def answer(head: str, sock: socket.socket) -> bool:
        assert isinstance(sock, ssl.SSLSocket)
        sock.sendall(b"HTTP/1.1 200 OK\r\n\r\nhello")
        if orderly:
            sock.unwrap()
        return False

    seen = ask(secured(answer), ClientTls(leaf.authority), Timeouts(5, 5, 2))
    assert seen.content == b"hello"
    assert (seen.error is None) == orderly
    if not orderly:
        assert seen.failed.phase == "content"


@pytest.mark.parametrize("framed", [True, False])
def test_many_bytes_survive_tls_and_a_slow_reader(secured: Callable[..., ScriptedOrigin], leaf: Leaf, framed: bool) -> None:
    body = bytes(range(256)) * 32768  # 8 MiB

    def answer(head: str, sock: socket.socket) -> bool:
        assert isinstance(sock, ssl.SSLSocket)
        sock.sendall(ok(body, "Connection: close") if framed else b"HTTP/1.1 200 OK\r\n\r\n" + body)
        sock.unwrap()
        return False

    behind = secured(answer)

    async def slowly(pool: Pool) -> bytes:
        origin, parts = Origin("127.0.0.1", behind.port, "https"), []
        connection = await pool.take(origin)
        connection.send("GET", b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await connection.head()
        while data := await connection.read():
            parts.append(data)
            if len(parts) < 5:
                await asyncio.sleep(0.05)
        pool.give(origin, connection)
        return b"".join(parts)

    assert with_pool(slowly, tls=ClientTls(leaf.authority)) == body


def test_an_authority_that_vanished_is_an_error_of_the_request(secured: Callable[..., ScriptedOrigin], tmp_path: Path) -> None:
    seen = ask(secured(hello), ClientTls(tmp_path / "gone.pem"))
    assert seen.failed.phase == "tls"
    assert "could not trust the authority" in str(seen.failed)


def test_a_tls_origin_that_is_asked_in_plain(secured: Callable[..., ScriptedOrigin]) -> None:
    behind = secured(hello)
    seen: Outcome = with_pool(lambda pool: exchange(pool, Origin("127.0.0.1", behind.port)))
    assert seen.error is not None
    deadline = time.monotonic() + 2
    while not behind.failed and time.monotonic() < deadline:
        time.sleep(0.01)
    assert behind.heads == []


def test_a_certificate_that_cannot_be_used_is_told_with_its_file(leaf: Leaf, tmp_path: Path) -> None:
    other = issue(tmp_path, ["other"])
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("not a certificate", encoding="ascii")
    cases = [
        ((leaf.certificate, other.key), "the key is not the certificate's"),
        ((nothing, None), "no PEM certificate and key are in there"),
        ((tmp_path / "absent.pem", None), "no such file"),
    ]
    for (certificate, key), words in cases:
        with pytest.raises(Failure, match=words) as caught:
            server_context(certificate, key)
        assert str(certificate) in str(caught.value)
    with pytest.raises(Failure, match="it holds no certificates"):
        ClientTls(nothing).context()
    with pytest.raises(Failure, match="no such file"):
        ClientTls(tmp_path / "absent.pem").context()
