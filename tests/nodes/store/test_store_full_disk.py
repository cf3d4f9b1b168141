"""A disk that refuses: what comes passes through, what is there stays, and every refusal is counted."""

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest
from storekit import Cache, response

ROOT = Path(__file__).parents[3]


def refuse(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "no space left on device")


def test_a_disk_that_is_full_at_the_beginning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    cache.put("/a", b"there")
    monkeypatch.setattr("nodes.edge.store.spool.os.open", refuse)
    assert cache.store.begin("/b", 5) is None
    monkeypatch.undo()
    assert cache.counted("disk_errors") == 1
    assert cache.store.index.reserved_bytes == 0
    assert cache.get("/a") == b"there"


def test_a_disk_that_fills_while_the_body_comes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    spool = cache.store.begin("/a", 10)
    assert spool is not None
    spool.write(b"12345")
    monkeypatch.setattr("nodes.edge.store.spool.os.pwrite", refuse)
    with pytest.raises(OSError, match="no space"):
        spool.write(b"67890")
    assert spool.read(0, 10) == b"12345", "readers still get what is there"
    spool.abandon()
    assert cache.files() == []
    assert cache.store.index.reserved_bytes == 0


@pytest.mark.parametrize("call", ["spool.os.pwrite", "shelf.os.rename", "spool.os.fsync", "shelf.os.fsync"])
def test_a_disk_that_fills_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    cache = Cache(tmp_path, fsync=True)
    cache.put("/a", b"old")
    spool = cache.store.begin("/a", 3)
    assert spool is not None
    spool.write(b"new")
    monkeypatch.setattr(f"nodes.edge.store.{call}", refuse)
    assert cache.store.commit(spool, response("/a")) is None
    monkeypatch.undo()
    assert cache.counted("disk_errors") == 1
    assert cache.get("/a") in (b"old", b"new")
    assert len(cache.files()) == 1
    assert cache.store.index.used_bytes == cache.files()[0].stat().st_size
    assert cache.store.index.reserved_bytes == 0


def test_metadata_that_cannot_be_renewed_ends_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    stored = cache.put("/a", b"x")
    assert stored is not None
    monkeypatch.setattr("nodes.edge.store.store.os.pwrite", refuse)
    cache.store.update(stored, response("/a", received_s=9.0))
    monkeypatch.undo()
    assert cache.store.find("/a") == ()
    assert cache.files() == []
    assert cache.counted("disk_errors") == 1


def test_a_purge_that_cannot_be_written_down_still_purges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    stored = cache.put("/a", b"x")
    assert stored is not None
    cache.store.find("/a")
    monkeypatch.setattr("nodes.edge.store.purging.os.open", refuse)
    assert cache.store.purge_uri(stored.uri) == 1
    monkeypatch.undo()
    assert cache.counted("disk_errors") == 1
    cache.crash()
    assert cache.store.find("/a") == ()


def test_an_object_whose_name_the_disk_does_not_take_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path, fsync=True)
    assert cache.put("/a", b"old") is not None
    monkeypatch.setattr(cache.store._shelf, "sync", refuse)
    assert cache.put("/a", b"new") is None
    assert cache.put("/b", b"x") is None
    monkeypatch.undo()
    assert cache.files() == []
    assert (len(cache.store), cache.store.index.used_bytes, cache.store.index.reserved_bytes) == (0, 0, 0)
    assert cache.counted("disk_errors") == 2


def test_too_many_open_files_say_nothing_of_the_object(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    stored = cache.put("/a", b"x")
    assert stored is not None
    cache.store.find("/a")

    def too_many(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    monkeypatch.setattr("nodes.edge.store.objects.os.open", too_many)
    assert cache.store.open(stored) is None
    monkeypatch.undo()
    assert cache.counted("bad_objects") == 0
    assert cache.get("/a") == b"x"


def test_nor_do_they_when_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = Cache(tmp_path)
    assert cache.put("/a", b"x") is not None

    def too_many(*_: object, **__: object) -> None:
        raise OSError(errno.EMFILE, "too many open files")

    for what in ("shelf.os.open", "shelf.os.listdir"):
        monkeypatch.setattr(f"nodes.edge.store.{what}", too_many)
        assert cache.store.find("/a") == ()
        monkeypatch.undo()
    assert (cache.counted("bad_objects"), cache.counted("disk_errors")) == (0, 2)
    assert cache.get("/a") == b"x"


SMALL_DISK = """
import sys
from pathlib import Path
sys.path.insert(0, "tests/nodes/store")
from storekit import Cache, response
cache = Cache(Path(sys.argv[1]) / "cache", 100_000_000)
stored = passed = 0
for number in range(200):
    body = bytes([number]) * 100_000
    spool = cache.store.begin(f"/{number}", len(body))
    try:
        if spool is None:
            raise OSError("refused at the beginning")
        spool.write(body)
        stored += cache.store.commit(spool, response(f"/{number}")) is not None
    except OSError:
        passed += 1
        if spool is not None:
            spool.abandon()
assert 10 < stored < 60, stored
assert sum(cache.get(f"/{number}") == bytes([number]) * 100_000 for number in range(200)) == stored
assert cache.counted("bad_objects") == 0
assert cache.store.index.reserved_bytes == 0
for number in range(10):
    cache.store.remove(f"/{number}")
assert cache.put("/again", b"x" * 100_000) is not None
print("held", stored)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    mount = f"mount -t tmpfs -o size=4m none {tmp_path} && exec {sys.executable} -P -c '{SMALL_DISK}' {tmp_path}"
    done = subprocess.run(["unshare", "--mount", "sh", "-c", mount], cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)},
                          capture_output=True, text=True, timeout=60, check=False)  # fmt: skip
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip(done.stderr)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("held")
