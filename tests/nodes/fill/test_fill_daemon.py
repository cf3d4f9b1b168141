"""Fill as a process: real edges fetch what it plans, within the window, at the rate, one copy from afar for a region."""

import json
import re
import time

import pytest

from nodes.fill.config import ConfigError, parse
from nodes.origin.generate import sha256
from tests.labkit import wait_until

TITLES = [f"/objects/16KiB/t{n}" for n in range(6)]


@pytest.fixture
def edges(start, origin, tmp_path):
    """Edges that store only what they are told to."""

    def make(*names, options=("--admission", "never")):
        return {name: start("edge", "--origin", origin.url, "--cache", str(tmp_path / name), "--capacity", "4MiB", "--name",
                            name, "--log", str(tmp_path / f"{name}.jsonl"), *options) for name in names}  # fmt: skip

    return make


def config(origin, edges, tmp_path, *, day="1h", rate="80mbit", disk="64KiB", window='["00:00", "00:00"]'):
    sites = "".join(f"""
[[site]]
name = "{name}"
region = "india"
window = {window}
rate = "{rate}"
[[site.edge]]
name = "{name}"
url = "{edge.url}"
disk = "{disk}"
log = "{tmp_path / f'{name}.jsonl'}"
""" for name, edge in edges.items())
    files = "\n".join(f'"{title}" = "16KiB"' for title in TITLES)
    path = tmp_path / "fill.toml"
    path.write_text(f'origin = "{origin.url}"\nday = "{day}"\nmidnight = "now"\n{sites}\n[files]\n{files}\n')
    return str(path)


def has(edge, title):
    return edge.get(title, "Cache-Control: only-if-cached").status == 200


def night(fill):
    """Let a night begin and be over; gives how it went by site."""
    assert fill.get("/-/night", method="POST").status == 200
    assert wait_until(lambda: not json.loads(fill.get("/-/state").body)["busy"], 15)
    return json.loads(fill.get("/-/state").body)["sites"]


def play(edges, plays):
    for edge in edges.values():
        for title, count in plays.items():
            for _ in range(count):
                assert edge.get(title).status == 200
    time.sleep(0.3)  # the log is at most 0.2 s late


def from_afar(tmp_path):
    records = [json.loads(line) for line in (tmp_path / "fill.jsonl").read_text().splitlines()]
    return [(one["fill"], one["kind"]) for one in records if "fill" in one]


def test_what_was_played_most_is_there_after_the_night_and_one_copy_came_from_afar(start, origin, edges, tmp_path):
    made = edges("mumbai", "chennai")
    fill = start("fill", "--config", config(origin, made, tmp_path), "--log", str(tmp_path / "fill.jsonl"))
    plays = dict(zip(TITLES, (6, 5, 4, 3, 1, 1), strict=True))
    play(made, plays)
    assert made["mumbai"].stats()["objects"] == 0, "nothing is stored on demand"
    went = night(fill)
    assert {name: (one["copied"], one["failed"]) for name, one in went.items()} == {"mumbai": (4, 0), "chennai": (4, 0)}
    for edge in made.values():
        assert [has(edge, title) for title in TITLES] == [True] * 4 + [False] * 2, "64 KiB hold four of 16 KiB"
        assert edge.get(TITLES[0]).body and sha256("t0", 16384).hex()  # noqa: PT018
    copies = from_afar(tmp_path)
    assert sorted(copies) == sorted([(title, kind) for title in TITLES[:4] for kind in ("origin", "peer")])
    play(made, {TITLES[5]: 30})
    went = night(fill)
    assert (went["mumbai"]["gone"], went["mumbai"]["copied"]) == (1, 1)
    assert has(made["chennai"], TITLES[5])
    assert not has(made["chennai"], TITLES[3])
    assert re.search(r'^longhaul_fill_copies_total\{node="[^"]+",kind="peer"\} \d+$', fill.metrics(), re.M)


def test_a_restart_asks_the_edges_what_they_have(start, origin, edges, tmp_path):
    made = edges("mumbai")
    path = config(origin, made, tmp_path)
    first = start("fill", "--config", path)
    play(made, {TITLES[0]: 2})
    night(first)
    assert first.stop() == (0, "")
    again = start("fill", "--config", path)
    assert wait_until(lambda: json.loads(again.get("/-/state").body)["sites"]["mumbai"]["held"] == {"mumbai": 1}, 5)


def test_the_rate_is_kept_and_what_the_window_has_no_time_for_waits(start, origin, edges, tmp_path):
    """16 KiB at 256 kbit/s are half a second; a window of an hour of a day of 36 s is 1.5 s."""
    made = edges("mumbai")
    path = config(origin, made, tmp_path, day="36s", rate="256kbit", disk="1MiB", window='["12:00", "13:00"]')
    fill = start("fill", "--config", path, "--log", str(tmp_path / "fill.jsonl"))
    play(made, dict.fromkeys(TITLES, 1))
    began = time.monotonic()
    went = night(fill)["mumbai"]
    assert (went["planned"], went["left_off"]) == (2, 4), "48 KB of files of 16 KiB fit into the window at that rate"
    assert time.monotonic() - began >= 0.5
    assert made["mumbai"].stats()["objects"] == 2


def test_the_window_opens_by_itself_in_local_time(start, origin, edges, tmp_path):
    made = edges("mumbai")
    play(made, {TITLES[0]: 1})
    fill = start("fill", "--config", config(origin, made, tmp_path, day="12s", window='["03:00", "09:00"]'))
    time.sleep(0.5)
    assert made["mumbai"].stats()["objects"] == 0, "it opens 1.5 s after midnight"
    assert wait_until(lambda: made["mumbai"].stats()["objects"] == 1, 5)
    fill.stop()


def test_a_region_has_one_day_though_its_windows_open_one_after_the_other(start, origin, edges, tmp_path):
    made = edges("mumbai", "chennai")
    path = tmp_path / "fill.toml"
    config(origin, made, tmp_path, day="12s", window='["02:00", "08:00"]')
    text = path.read_text().replace('name = "chennai"\nregion', 'name = "chennai"\nutc_offset = "-02:00"\nregion')
    path.write_text(text)
    fill = start("fill", "--config", str(path), "--log", str(tmp_path / "fill.jsonl"))
    play(made, dict(zip(TITLES, (6, 5, 4, 3, 1, 1), strict=True)))
    assert wait_until(lambda: made["mumbai"].stats()["objects"] == 4, 5), "it opens a second after midnight"
    play({"chennai": made["chennai"]}, {TITLES[5]: 40})
    assert wait_until(lambda: made["chennai"].stats()["objects"] == 4, 5), "and this one a second later"
    found = [has(made["chennai"], title) for title in TITLES]
    assert found == [True] * 4 + [False] * 2, "what was played since is of the next day"
    fill.stop()


def test_an_edge_that_is_down_costs_its_copies_and_nothing_else(start, origin, edges, tmp_path):
    made = edges("mumbai", "chennai")
    fill = start("fill", "--config", config(origin, made, tmp_path), "--log", str(tmp_path / "fill.jsonl"))
    play(made, {TITLES[0]: 3, TITLES[1]: 2, TITLES[2]: 1})
    made["chennai"].stop()
    went = night(fill)
    assert went["chennai"]["copied"] == 0
    assert went["chennai"]["failed"] == 3
    assert went["mumbai"]["copied"] + went["mumbai"]["failed"] == 3
    status, said = fill.stop()
    assert status == 0
    assert "could not fill chennai: " in said


def test_a_file_that_no_one_has_costs_itself_alone_and_is_said(start, origin, edges, tmp_path):
    made = edges("mumbai")
    path = tmp_path / "fill.toml"
    config(origin, made, tmp_path)
    path.write_text(path.read_text() + '"/lost/film" = "16KiB"\n')
    fill = start("fill", "--config", str(path))
    play(made, {TITLES[0]: 2})
    with (tmp_path / "mumbai.jsonl").open("a") as log:  # it was there once, and played
        log.write(json.dumps({"target": "/lost/film", "method": "GET", "status": 200, "bytes": 160_000}) + "\nno record\n{}\n")
    went = night(fill)["mumbai"]
    assert (went["copied"], went["failed"]) == (1, 1)
    assert has(made["mumbai"], TITLES[0])
    assert "could not fill mumbai: " in (said := fill.stop()[1])
    assert "the source answered 404" in said


@pytest.mark.parametrize(("change", "cause"), [
    (("origin =", "orign ="), "orign of the configuration is unknown"),
    (('"80mbit"', '"80"'), "rate of site mumbai: "), (('["00:00", "00:00"]', '["25:00", "00:00"]'), "'25:00' is not a time"),
    (('"1h"', '"0s"'), "a day of 0 s"), (('"64KiB"', '"-1KiB"'), "disk of"), (("[[site]]", "[site]"), "site"),
    (('"16KiB"', '"0B"'), "size above zero"), (('name = "mumbai"\nregion', 'name = ""\nregion'), "name of site"),
    (('region = "india"', 'tiers = ["x"]\nregion = "india"'), "has the tier x, which is no site"),
])  # fmt: skip
def test_a_configuration_that_cannot_be_is_refused(tmp_path, change, cause):
    class Somewhere:
        url = "http://127.0.0.1:1"

    with open(config(Somewhere, {"mumbai": Somewhere}, tmp_path)) as file:
        text = file.read()
    assert parse(text, 0.0).sites["mumbai"].site.region == "india"
    with pytest.raises((ConfigError, ValueError), match=cause):
        parse(text.replace(*change), 0.0)
