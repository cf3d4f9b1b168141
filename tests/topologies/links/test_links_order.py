from __future__ import annotations

import os
import socket

import pytest

from tests.topologies.links.conftest import Space
from topologies.emulator.links import netem_order
from topologies.emulator.links.netns import entered


@pytest.mark.parametrize(
    ("processor", "written"), [(0, "1"), (3, "8"), (31, "80000000"), (32, "1,00000000"), (70, "40,00000000,00000000")]
)
def test_masks_are_written_as_the_kernel_reads_them(processor: int, written: str) -> None:
    assert netem_order.mask(processor) == written


def test_links_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 2, 3})
    monkeypatch.setattr(netem_order, "_write", lambda _gates, text: written.append(text))
    assert [netem_order.steer(["a", "b"], number) for number in range(4)] == [""] * 4
    assert written == ["4", "8", "20", "4"]


@pytest.mark.lab
def test_a_machine_that_cannot_steer_says_so(space: Space) -> None:
    with entered(space()):
        assert [name for _, name in socket.if_nameindex()] == ["lo"]
        said = netem_order.steer(["lo"], 0)
        assert said == "" or said.startswith("frames may overtake where processors compete: they could not be steered (")
        assert "No such file" in netem_order.steer(["nothing"], 0)
