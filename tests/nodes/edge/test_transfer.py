"""Content on its way: the window of memory, the slowest reader, the file."""

import asyncio
from pathlib import Path
from unittest.mock import AsyncMock, Mock

import pytest

from nodes.edge.fetch import Fetch
from nodes.edge.store.spool import Spool
from nodes.edge.transfer import WINDOW_BYTES, Transfer
from nodes.http.metrics import Metrics
from nodes.http.upstream_error import UpstreamError


class Plenty:
    """Space without end."""

    def reserve(self, size_bytes: int) -> bool:
        return True

    def release(self, size_bytes: int) -> None:
        return None

    def discard(self, path: Path) -> None:
        path.unlink()


def test_without_a_file_the_feeder_waits_for_the_slowest_reader() -> None:
    async def story() -> None:
        transfer = Transfer()
        fast, slow = transfer.attach(), transfer.attach()
        feeding = asyncio.create_task(transfer.feed(bytes(WINDOW_BYTES + 1), stored=False))
        await asyncio.sleep(0)
        assert len(await fast.next()) == WINDOW_BYTES + 1
        await asyncio.sleep(0)
        assert not feeding.done()
        await slow.next()
        await feeding
        transfer.finish()
        assert await fast.next() == await slow.next() == b""

    asyncio.run(story())


def test_without_a_file_a_reader_that_holds_up_others_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodes.edge.transfer.PATIENCE_S", 0.05)

    async def story() -> None:
        transfer = Transfer()
        fast, slow = transfer.attach(), transfer.attach()

        async def feeding() -> None:
            for _ in range(20):
                await transfer.feed(bytes(WINDOW_BYTES // 4), stored=False)
            transfer.finish()

        async def reading() -> int:
            seen = 0
            while data := await fast.next():
                seen += len(data)
            return seen

        _, seen = await asyncio.wait_for(asyncio.gather(feeding(), reading()), 5)
        assert seen == 5 * WINDOW_BYTES
        with pytest.raises(UpstreamError, match="so slowly that others waited"):
            await slow.next()
        slow.close()

    asyncio.run(story())


def test_a_slow_reader_that_holds_up_nobody_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("nodes.edge.transfer.PATIENCE_S", 0.01)

    async def story() -> None:
        transfer = Transfer()
        reader = transfer.attach()
        feeding = asyncio.create_task(transfer.feed(bytes(WINDOW_BYTES * 2), stored=False))
        await asyncio.sleep(0.05)
        assert not feeding.done()
        assert len(await reader.next()) == WINDOW_BYTES * 2
        await feeding

    asyncio.run(story())


def test_a_reader_that_leaves_is_not_waited_for() -> None:
    async def story() -> None:
        transfer = Transfer()
        reader = transfer.attach()
        feeding = asyncio.create_task(transfer.feed(bytes(WINDOW_BYTES * 2), stored=False))
        await asyncio.sleep(0)
        reader.close()
        await feeding

    asyncio.run(story())


def test_a_disk_that_fills_on_the_way_is_followed_by_memory(tmp_path: Path) -> None:
    async def story() -> None:
        spool = Spool(tmp_path / "body", 0, Plenty(), 0)
        transfer = Transfer()
        transfer.use_file(spool)
        reader = transfer.attach()
        spool.write(b"on disk, ")
        await transfer.feed(b"on disk, ", stored=True)
        await transfer.feed(b"in memory", stored=False)
        transfer.finish()
        spool.abandon()
        transfer.release()
        seen = b""
        while data := await reader.next():
            seen += data
        assert seen == b"on disk, in memory"
        reader.close()

    asyncio.run(story())


def test_an_error_comes_after_what_was_there() -> None:
    async def story() -> None:
        transfer = Transfer()
        reader = transfer.attach()
        await transfer.feed(b"part", stored=False)
        transfer.fail(UpstreamError("cut"))
        assert await reader.next() == b"part"
        with pytest.raises(UpstreamError, match="cut"):
            await reader.next()

    asyncio.run(story())


def test_a_reader_that_skips_ahead_gets_what_it_waits_for() -> None:
    async def story() -> None:
        transfer = Transfer()
        reader = transfer.attach()
        reader.skip_to(6)
        await transfer.feed(b"part", stored=False)
        waiting = asyncio.create_task(reader.next())
        await asyncio.sleep(0)
        assert not waiting.done()
        await transfer.feed(b" more", stored=False)
        assert await waiting == b"ore"

    asyncio.run(story())


def test_a_defect_in_a_fetch_is_told_to_who_waits_and_counted_as_one() -> None:
    async def story() -> None:
        metrics, pool = Metrics("edge"), Mock(take=AsyncMock(side_effect=RuntimeError("a defect")))
        fetch = Fetch(Mock(), pool, Mock(), metrics, None)
        with pytest.raises(UpstreamError, match=r"internal error: .*a defect"):
            await fetch.head()
        with pytest.raises(RuntimeError):
            await fetch.task
        assert metrics.value("longhaul_internal_errors_total") == 1

    asyncio.run(story())
