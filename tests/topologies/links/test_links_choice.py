"""Which backend makes the links, and what it says of its choice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from topologies.emulator.links import backend, choice, netem
from topologies.emulator.links.codel import Codel
from topologies.emulator.links.spec import LinkSpec, symmetric

PATH = symmetric(76, 100_000_000)
LOSSY = symmetric(76, 100_000_000, loss=0.01)
WITH_CODEL = replace(PATH, b_to_a=replace(PATH.b_to_a, codel=Codel()))


class _Made:
    def __init__(self, *_: object, why: str, **__: object) -> None:
        self.why = why


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("topologies.emulator.links.netem.NetemBackend", type("netem", (_Made,), {}))
    monkeypatch.setattr("topologies.emulator.links.relay_backend.RelayBackend", type("relay", (_Made,), {}))


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize(
    ("wanted", "reason", "seed", "demanded", "spec", "backend_name"),
    [
        ("auto", "", True, True, LOSSY, "netem"),
        ("auto", "", False, False, LOSSY, "netem"),
        ("auto", "", False, True, LOSSY, "relay"),
        ("auto", "", False, True, PATH, "netem"),
        ("auto", "", True, False, WITH_CODEL, "relay"),
        ("auto", "no netem", False, False, PATH, "relay"),
        ("relay", "", True, False, PATH, "relay"),
    ],
)
def test_auto_takes_netem_where_it_can_do_what_was_asked(
    monkeypatch: pytest.MonkeyPatch, wanted: str, reason: str, seed: bool, demanded: bool, spec: LinkSpec, backend_name: str
) -> None:
    monkeypatch.setattr(netem, "ability", lambda: netem.Ability(reason, seed, "tc"))
    found = choice.choose(wanted, seed_demanded=demanded, specs=[("plain", symmetric(0, None)), ("ocean", spec)])
    assert type(found).__name__ == backend_name


@pytest.mark.usefixtures("made")
def test_the_relay_says_which_link_netem_could_not_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netem, "ability", lambda: netem.Ability("", True, "tc"))
    found = choice.choose("auto", specs=[("ocean", WITH_CODEL)])
    assert isinstance(found, _Made)
    assert found.why == "netem is not usable here: link ocean: b_to_a: CoDel is an option of the relay"


def test_netem_that_is_not_there_is_an_error_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netem, "ability", lambda: netem.Ability("this kernel has no netem", False, "tc"))
    with pytest.raises(backend.UnsupportedError, match="could not use the netem links: this kernel has no netem; use"):
        choice.choose("netem")


def test_what_netem_cannot_do_is_an_error_when_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netem, "ability", lambda: netem.Ability("", False, "tc"))
    with pytest.raises(backend.UnsupportedError, match="link ocean: a seed was asked for"):
        choice.choose("netem", seed_demanded=True, specs=[("ocean", LOSSY)])


def test_an_unknown_backend_is_refused() -> None:
    with pytest.raises(ValueError, match="none of auto, netem, relay"):
        choice.choose("ovs")
