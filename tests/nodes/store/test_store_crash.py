"""After `kill -9` at any moment each object is whole or absent, and nothing else is left."""

import hashlib
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from storekit import Cache, response

from nodes.edge.stored import Stored

KILLS = 40
CAPACITY = 3_000_000


def body_of(primary: str, version: int) -> bytes:
    """What an object of this name and version consists of, whoever looks."""
    seed = hashlib.sha256(f"{primary} {version}".encode()).digest()
    return (seed * 40_000)[: 1 + int.from_bytes(seed[:2], "big") * 7]


def write_for_ever(folder: Path, seed: int) -> None:
    """Store, replace, remove, purge, in an order of its own; evictions come by themselves."""
    chance, cache = random.Random(seed), Cache(folder, CAPACITY)
    while True:
        primary, version = f"/{chance.randrange(30)}", chance.randrange(1000)
        verb = chance.random()
        if verb < 0.8:
            body = body_of(primary, version)
            spool = cache.store.begin(primary, chance.choice((None, len(body))))
            if spool is not None:
                for start in range(0, len(body), 50_000):
                    spool.write(body[start : start + 50_000])
                cache.store.commit(spool, response(primary, fields=(("Version", str(version)),)))
        elif verb < 0.95:
            cache.store.remove(primary)
        elif verb < 0.99:
            cache.store.purge_uri(response(primary).uri)
        else:
            cache.store.clear()


def update_for_ever(folder: Path, seed: int) -> None:
    """Renew metadata, of any length."""
    chance, cache = random.Random(seed), Cache(folder, CAPACITY)
    while True:
        primary = f"/{chance.randrange(3)}"
        found: Stored | None = next(iter(cache.store.find(primary)), None)
        if found is None:
            cache.put(primary, body_of(primary, 7), fields=(("Version", "7"),))
        else:
            filling = ("X", "y" * chance.randrange(9000))
            cache.store.update(found, response(primary, fields=(("Version", "7"), filling), received_s=chance.random()))


def killed(work: Callable[[Path, int], None], folder: Path, seed: int) -> None:
    """Let it work for a moment in a process of its own."""
    child = os.fork()
    if child == 0:
        try:
            work(folder, seed)
        finally:
            os._exit(1)  # whatever happens, pytest goes on in one process only
    time.sleep(random.Random(seed).uniform(0.005, 0.05))
    os.kill(child, signal.SIGKILL)
    assert os.waitpid(child, 0)[1] == signal.SIGKILL, "it ended by itself"


@pytest.mark.parametrize(("work", "torn"), [(write_for_ever, 0), (update_for_ever, 1)])
def test_whatever_is_cut_is_whole_or_absent(tmp_path: Path, work: Callable[[Path, int], None], torn: int) -> None:
    seen, bad = 0, 0.0
    for seed in range(KILLS):
        killed(work, tmp_path, seed)
        cache = Cache(tmp_path, CAPACITY)
        for number in range(30):
            for stored in cache.store.find(f"/{number}"):
                version = int(stored.headers.get("version") or "-1")
                assert cache.get(f"/{number}") == body_of(f"/{number}", version)
                seen += 1
        files = cache.files()
        assert not [path for path in files if path.parent.name == "tmp"]
        assert len(files) == len(cache.store)
        assert sum(path.stat().st_size for path in files) == cache.store.index.used_bytes <= CAPACITY
        bad += cache.counted("bad_objects")
        cache.store.close()
    assert seen > KILLS
    assert bad <= torn * KILLS / 10, "a new object is never torn; renewed metadata may be, and its object is absent then"
