"""The source of truth as a dialogue, over SQLite and PostgreSQL: versions, durability, a database that is locked or away."""

import base64
import json
import os
import signal
import socket
import sqlite3
import subprocess
import time
from pathlib import Path

import pytest

from nodes.programs import UNPACKED
from nodes.truth.rows import Row
from tests.nodes.wirekit import Daemon

# Debian's server, installed or unpacked by provision.sh; its programs are in no PATH.
INITDB = next((found for root in (Path("/"), UNPACKED / "postgresql")
               for found in sorted((root / "usr/lib/postgresql").glob("*/bin/initdb"), reverse=True)), None)  # fmt: skip


# PostgreSQL refuses to run as root. In a user namespace root may have another name and keep its rights to files.
AS_NOBODY = [] if os.geteuid() else ["unshare", "--user", "--map-user=1000", "--map-group=1000"]


class Server:
    """PostgreSQL on loopback, in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        assert INITDB is not None
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.dsn = f"postgresql://longhaul@127.0.0.1:{self.port}/postgres"
        command = [*AS_NOBODY, str(INITDB), "-D", str(folder), "-U", "longhaul", "-A", "trust", "-N"]
        subprocess.run(command, check=True, capture_output=True)
        self.start()

    def start(self) -> None:
        assert INITDB is not None
        self.process = subprocess.Popen(
            [*AS_NOBODY, str(INITDB.with_name("postgres")), "-D", str(self.folder), "-h", "127.0.0.1", "-p", str(self.port),
             "-k", ""], stderr=subprocess.DEVNULL,
        )  # fmt: skip
        for _ in range(500):
            try:
                from nodes.truth.databases.postgresql import PostgreSQL

                PostgreSQL(self.dsn).close()
                return
            except Exception:  # noqa: BLE001 - it is not up yet
                time.sleep(0.02)
        raise AssertionError("PostgreSQL did not start")

    def stop(self) -> None:
        self.process.send_signal(signal.SIGINT)
        self.process.wait(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if INITDB is None:
        pytest.skip("PostgreSQL is not here: sudo ./provision.sh --peers")
    one = Server(tmp_path_factory.mktemp("pg"))
    yield one
    one.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def truth(request, start, tmp_path):
    if request.param == "sqlite":
        return start("truth", "--database", str(tmp_path / "truth.db"))
    return start("truth", "--database", request.getfixturevalue("server").dsn)


def put(truth: Daemon, key: str, version: int, value: bytes) -> int:
    return truth.get(f"/rows/{key}", f"Longhaul-Version: {version}", method="PUT", body=value).status


def test_the_newest_version_stands_whatever_the_order(truth: Daemon) -> None:
    absent = truth.get("/rows/a")
    assert (absent.status, "longhaul-version" in absent.fields) == (404, False)
    assert put(truth, "a", 5, b"five\0\xff") == 204
    row = truth.get("/rows/a")
    assert (row.status, row.body, row.fields["longhaul-version"]) == (200, b"five\0\xff", "5")
    older = truth.get("/rows/a", "Longhaul-Version: 4", method="PUT", body=b"four")
    assert (older.status, older.fields["longhaul-version"]) == (409, "5")
    assert put(truth, "a", 5, b"five\0\xff") == 204  # the same write again, after an answer that was lost
    other = truth.get("/rows/a", "Longhaul-Version: 5", method="PUT", body=b"another writer's")
    assert (other.status, other.fields["longhaul-version"], truth.get("/rows/a").body) == (409, "5", b"five\0\xff")
    gone = truth.get("/rows/a", "Longhaul-Version: 6", method="DELETE")
    assert (gone.status, gone.fields["longhaul-version"]) == (204, "6")
    assert put(truth, "a", 5, b"back") == 409
    row = truth.get("/rows/a")
    assert (row.status, row.fields["longhaul-version"]) == (404, "6")
    assert put(truth, "%C3%A9/x", 2**62, b"") == 400  # far ahead of this clock
    assert truth.get("/rows/%C3%A9/x", method="PUT", body=b"own version").status == 204
    several = json.loads(truth.get("/rows", method="POST", body=json.dumps(["a", "é/x", "none"]).encode()).body)
    assert several["a"] == {"version": 6, "value": None}
    assert base64.b64decode(several["é/x"]["value"]) == b"own version"
    assert set(several) == {"a", "é/x"}


def test_all_keys_are_listed_in_pages(truth: Daemon) -> None:
    versions = {key: int(truth.get(f"/rows/list-{key}", method="PUT", body=b"v").fields["longhaul-version"]) for key in "bac"}
    versions["a"] = int(truth.get("/rows/list-a", method="DELETE").fields["longhaul-version"])
    listed = json.loads(truth.get("/rows?after=list-").body)
    assert listed[:3] == [[f"list-{key}", versions[key]] for key in "abc"]  # a deleted row has a version too
    assert json.loads(truth.get("/rows?after=list-a").body) == listed[1:]
    assert json.loads(truth.get("/rows?after=%F4%8F%BF%BF").body) == []  # behind every other character
    assert truth.get("/rows?from=a").status == 400


def test_a_wrong_version_or_key_is_refused(start, tmp_path) -> None:
    truth = start("truth", "--database", str(tmp_path / "truth.db"))
    for wrong in ("x", "0", "-1", str(2**63), "9" * 30):
        assert truth.get("/rows/a", f"Longhaul-Version: {wrong}", method="PUT", body=b"a").status == 400
    for key in ("a%20b", "%FF", "", "x" * 256, "%00"):
        assert put(truth, key, 1, b"") == 400
    for keys in (["a b"], ["\ud800"], ["a", ""], ["\0"]):
        assert truth.get("/rows", method="POST", body=json.dumps(keys).encode()).status == 400
    assert truth.get("/rows?after=%00").status == 400
    assert truth.get("/rows/a", method="POST").status == 405
    assert truth.get("/rows", method="POST", body=b"{").status == 400
    assert truth.get("/other").status == 404


def test_a_locked_database_is_said_and_nothing_is_acknowledged(start, tmp_path) -> None:
    path = tmp_path / "truth.db"
    truth = start("truth", "--database", str(path))
    assert put(truth, "a", 1, b"one") == 204
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    answer = truth.get("/rows/a", "Longhaul-Version: 2", method="PUT", body=b"two")
    assert answer.status == 503
    assert b"did not take the write: database is locked; nothing was acknowledged" in answer.body
    assert truth.get("/rows/a").body == b"one"  # WAL: readers go on
    other.execute("ROLLBACK")
    assert put(truth, "a", 2, b"two") == 204


def test_what_was_acknowledged_survives_the_daemons_death(start, tmp_path) -> None:
    truth = start("truth", "--database", str(tmp_path / "truth.db"))
    assert put(truth, "a", 1, b"one") == 204
    truth.process.kill()
    truth.process.wait()
    assert start("truth", "--database", str(tmp_path / "truth.db")).get("/rows/a").body == b"one"


def test_postgresql_that_is_away_is_said_and_used_again_when_it_is_back(start, server: Server) -> None:
    truth = start("truth", "--database", server.dsn)
    assert put(truth, "back", 1, b"one") == 204
    server.stop()
    answer = truth.get("/rows/back", "Longhaul-Version: 2", method="PUT", body=b"two")
    assert answer.status == 503
    assert b"PostgreSQL did not take the write: " in answer.body
    assert b"PostgreSQL cannot be read: " in truth.get("/rows/back").body
    server.start()
    assert truth.get("/rows/back").body == b"one"
    assert put(truth, "back", 2, b"two") == 204


def test_postgresql_that_cannot_be_durable_is_refused_and_a_dsns_own_options_count(start, server: Server) -> None:
    import psycopg

    from nodes.truth.databases.postgresql import PostgreSQL

    with psycopg.connect(server.dsn, autocommit=True) as admin:
        admin.execute("CREATE SCHEMA lab")
        lab = PostgreSQL(server.dsn + "?options=-csearch_path%3Dlab")
        assert lab.put([Row("of-lab", 1, b"v")]) == {"of-lab": Row("of-lab", 1, b"v")}
        plain = PostgreSQL(server.dsn)
        assert plain.get(["of-lab"]) == {}
        for one in (lab, plain):
            one.close()
        try:
            admin.execute("ALTER SYSTEM SET fsync = off")
            admin.execute("SELECT pg_reload_conf()")
            time.sleep(0.2)
            with pytest.raises(AssertionError, match="its server has fsync off"):
                start("truth", "--database", server.dsn)
        finally:
            admin.execute("ALTER SYSTEM RESET fsync")
            admin.execute("SELECT pg_reload_conf()")
            time.sleep(0.2)


def test_a_locked_table_of_postgresql_is_said_and_nothing_is_acknowledged(start, server: Server) -> None:
    import psycopg

    truth = start("truth", "--database", server.dsn)
    assert put(truth, "locked", 1, b"one") == 204
    with psycopg.connect(server.dsn) as other:
        other.execute("LOCK TABLE longhaul_rows IN EXCLUSIVE MODE")
        answer = truth.get("/rows/locked", "Longhaul-Version: 2", method="PUT", body=b"two")
        assert (answer.status, b"statement timeout; nothing was acknowledged" in answer.body) == (503, True), answer.raw
        assert truth.get("/rows/locked").body == b"one"
        other.rollback()
    assert put(truth, "locked", 2, b"two") == 204


def test_writes_that_wait_are_committed_together_and_each_has_its_own_answer(start, tmp_path) -> None:
    import asyncio

    from nodes.truth.batches import Batches
    from nodes.truth.databases import opened

    async def main() -> None:
        rows = Batches(lambda: opened(str(tmp_path / "truth.db")))
        answers = await asyncio.gather(*(rows.put(Row(f"k{n % 50}", n + 1, b"x")) for n in range(200)),
                                       rows.put(Row("k0", 1, b"late")))  # fmt: skip
        assert [row.version for row in answers] == [*range(1, 201), 151]
        assert rows.commits_total < 40
        assert (await rows.get(["k0"]))["k0"] == Row("k0", 151, b"x")
        await rows.close()

    asyncio.run(main())


def test_a_write_that_brings_no_version_is_above_what_stands_once_that_is_known(start, tmp_path) -> None:
    truth = start("truth", "--database", str(tmp_path / "truth.db"))
    ahead = time.time_ns() // 1000 + 60_000_000 << 11
    assert put(truth, "a", ahead, b"of a clock ahead") == 204
    truth.process.kill()
    truth.process.wait()
    again = start("truth", "--database", str(tmp_path / "truth.db"))
    assert again.get("/rows/a", method="PUT", body=b"own").status == 409
    assert again.get("/rows/a", method="PUT", body=b"own").status == 204


def test_whatever_a_database_raises_is_told_and_the_next_write_is_tried() -> None:
    import asyncio

    from nodes.truth.batches import Batches
    from nodes.truth.rows import DatabaseError

    class Odd:
        faults = 1

        def put(self, rows):
            if self.faults:
                self.faults -= 1
                raise RuntimeError("odd")
            return {row.key: row for row in rows}

        def close(self):
            return

    async def main() -> None:
        rows, row = Batches(Odd), Row("k", 1, b"v")
        with pytest.raises(DatabaseError, match="odd") as caught:
            await asyncio.wait_for(rows.put(row), 5)
        assert caught.value.unsure
        assert await asyncio.wait_for(rows.put(row), 5) == row
        await rows.close()

    asyncio.run(main())


def test_more_bytes_than_may_wait_for_a_slow_database_are_refused_at_once(monkeypatch) -> None:
    import asyncio
    import threading

    from nodes.truth import batches
    from nodes.truth.rows import DatabaseError

    going_on = threading.Event()

    class Slow:
        def put(self, rows):
            going_on.wait(10)
            return {row.key: row for row in rows}

        def close(self):
            return

    async def main() -> None:
        rows, large = batches.Batches(Slow), Row("k", 1, bytes(1000))
        first = asyncio.create_task(rows.put(large))
        await asyncio.sleep(0.05)
        with pytest.raises(DatabaseError, match="1000 bytes wait already"):
            await rows.put(Row("l", 1, b"x"))
        going_on.set()
        assert await first == large
        assert await rows.put(large) == large
        await rows.close()

    monkeypatch.setattr(batches, "MOST_BYTES", 100)
    asyncio.run(main())


@pytest.mark.parametrize(
    ("dsn", "words"),
    [("/nowhere/a.db", "could not open the database /nowhere/a.db: unable to open"),
     ("postgresql://127.0.0.1:1/x", "could not open the PostgreSQL database: connection failed")],
)  # fmt: skip
def test_a_database_that_cannot_be_opened_is_an_error_at_the_start(start, dsn: str, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        start("truth", "--database", dsn)
