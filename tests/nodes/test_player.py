"""The player: its rates follow throughput, its buffer fills, waits and runs empty, and it plays over one connection."""

import json
import subprocess
import sys

import pytest

from nodes.client.order import Order
from nodes.client.result import Result
from nodes.player import play as playing
from nodes.player.adaptation import LadderError, Player, Settings, ladder
from tests.nodes.wirekit import ENV, Daemon

STEPS = ladder([(2000, 1800), (1000, 900), (0, 250)])


def settings(**more: float) -> Settings:
    return Settings(STEPS, **({"buffer_s": 12.0, "estimate_of": 3} | more))  # type: ignore[arg-type]


def fed(player: Player, now: float, kbps: float) -> None:
    """A segment of 4 s at 250 kbit/s came at that throughput."""
    player.arrived(now, 125_000, 1000 / kbps)


def test_it_begins_at_the_lowest_rate_and_follows_the_mean_of_the_last_throughputs() -> None:
    player = Player(settings())
    assert player.rate_kbps() == 250
    fed(player, 0, 3000)
    assert player.rate_kbps() == 1800
    fed(player, 1, 500)
    assert (player.estimate_kbps, player.rate_kbps()) == (1750, 900)
    for now in (2, 3, 4):
        fed(player, now, 500)
    assert (player.estimate_kbps, player.rate_kbps()) == (500, 250), "what is longer ago is forgotten"
    for now in (5, 6, 7):
        fed(player, now, 2000)
    assert player.rate_kbps() == 900, "a threshold is to be exceeded"


def test_it_waits_while_a_segment_does_not_fit() -> None:
    player = Player(settings())
    for now in (0.0, 0.1, 0.2):
        assert player.wait_s(now) == 0
        fed(player, now, 5000)
    assert player.buffered_s(0.2) == pytest.approx(11.8)
    assert player.wait_s(0.2) == pytest.approx(3.8)
    assert player.wait_s(4.0) == pytest.approx(0)


def test_it_stalls_for_as_long_as_nothing_is_left_to_show() -> None:
    player = Player(settings())
    fed(player, 1.0, 5000)
    fed(player, 3.0, 5000)
    assert player.stalled_s == 0
    fed(player, 11.5, 5000)
    assert player.stalled_s == pytest.approx(2.5)
    assert player.buffered_s(11.5) == pytest.approx(4)


@pytest.mark.parametrize("pairs", [[], [(0, 250), (2000, 1800)], [(2000, 1800)], [(1000, 900), (0, 900)], [("x", 1)], [(0,)]])
def test_a_ladder_that_does_not_fall_to_the_ground_is_refused(pairs: list[tuple[float, float]]) -> None:
    with pytest.raises(LadderError):
        Settings(ladder(pairs))


class Clock:
    """Time that sleeping and fetching alone advance."""

    def __init__(self, kbps: float) -> None:
        self.now, self.kbps, self.urls = 0.0, kbps, list[str]()

    def fetch(self, order: Order) -> Result:
        self.urls.append(order.url)
        size = int(order.url.split("/")[4].removesuffix("B"))
        self.now += size * 8e-3 / self.kbps
        return Result(order.url, ok=True, new_connection=len(self.urls) == 1)

    def sleep(self, seconds: float) -> None:
        self.now += seconds


def test_a_playback_is_back_to_back_until_the_buffer_is_full_and_in_pieces_then(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(5000)
    monkeypatch.setattr(playing.time, "monotonic", lambda: clock.now)
    monkeypatch.setattr(playing.time, "sleep", clock.sleep)
    found = playing.play(clock, "http://h/objects/{size}B/v-{number}-{rate}", settings(), 60, 5)
    assert found.ok
    rates = [one["rate_kbps"] for one in found.segments]
    assert rates == [250] + [1800] * (len(rates) - 1)
    assert clock.urls[1] == "http://h/objects/900000B/v-2-1800"
    later = [one for one in found.segments if one["at_s"] > 20]
    assert all(one["off_s"] == pytest.approx(4 - 1.44, abs=0.01) for one in later), "one segment every 4 s, idle in between"
    assert all(one["throughput_kbps"] == pytest.approx(5000) for one in found.segments)
    assert [one["new_connection"] for one in found.segments] == [1] + [0] * (len(rates) - 1)


def test_it_plays_from_an_origin_over_one_connection(origin: Daemon) -> None:
    orders = [{"url": origin.url + "/objects/{size}B/v{number}", "for_s": 0.5, "segment_s": 0.1, "buffer_s": 0.3,
               "ladder": [[0, 100]]}, {"url": origin.url + "/none/{size}", "for_s": 1}, {"url": "x"}, {"fast": 1}]  # fmt: skip
    done = subprocess.run([sys.executable, "-m", "nodes.player", "--worker"], input="\n".join(map(json.dumps, orders)),
                          capture_output=True, text=True, env=ENV, timeout=20, check=True)  # fmt: skip
    good, missing, nothing, odd = [json.loads(line) for line in done.stdout.splitlines()]
    assert good["ok"]
    assert good["stalled_s"] == 0
    assert 5 <= len(good["segments"]) <= 9
    assert sum(one["new_connection"] for one in good["segments"]) == 1
    assert missing["error"] == "segment 1: the server answered 404"
    assert "no http URL with {size}" in nothing["error"]
    assert "unknown field 'fast'" in odd["error"]


