from __future__ import annotations

import os

import pytest

from topologies.emulator.links import netem_order


def test_the_directions_of_a_link_and_the_links_share_the_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {5, 2, 3})
    assert [netem_order.processors(number) for number in (0, 1, 2)] == [
        {"a_to_b": 2, "b_to_a": 3}, {"a_to_b": 3, "b_to_a": 5}, {"a_to_b": 5, "b_to_a": 2}]  # fmt: skip
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0})
    assert netem_order.processors(7) == {"a_to_b": 0, "b_to_a": 0}


@pytest.mark.parametrize(
    ("processor", "written"), [(0, "1"), (3, "8"), (31, "80000000"), (32, "1,00000000"), (70, "40,00000000,00000000")]
)
def test_masks_are_written_as_the_kernel_reads_them(processor: int, written: str) -> None:
    assert netem_order.mask(processor) == written


@pytest.mark.lab
def test_what_arrives_at_an_interface_is_steered(space) -> None:  # type: ignore[no-untyped-def]
    from topologies.emulator.links.netns import entered

    pid = space()
    with entered(pid):
        try:
            netem_order.steer({"lo": 0})
        except PermissionError:
            pytest.skip("only the machine's own root may steer")
        except FileNotFoundError:
            pytest.skip("this kernel steers nothing")
        with pytest.raises(OSError, match="No such file"):
            netem_order.steer({"nothing": 0})
