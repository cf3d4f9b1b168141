"""What the documentation says of mahimahi's shells builds: each row of its table, with traces that are there."""

import re

import pytest

from tests.labkit import ROOT
from topologies.two_hosts import TwoHosts

TABLE = re.findall(r"^\| `(m?m?-.*?)` \| (.*) \|$", (ROOT / "docs" / "ecosystem.md").read_text(), re.M)


@pytest.fixture
def traces(tmp_path):
    """Two traces in mahimahi's format, 1.2 and 12 Mbit/s."""
    for name, every in (("UP", 10), ("DOWN", 1)):
        (tmp_path / name).write_text("".join(f"{at}\n" for at in range(every, 101, every)))
    return tmp_path


def test_the_table_is_there():
    assert len(TABLE) >= 5


@pytest.mark.parametrize(("shell", "words"), TABLE, ids=[shell.split("=")[0] for shell, _ in TABLE])
def test_each_row_is_what_a_link_can_be(traces, shell, words):
    said = re.match(r"`(?:--set )?(.*?)`", words)[1].replace("\\|", "|")
    said = re.sub(r"\b(UP|DOWN)\b", lambda name: str(traces / name[0]), said)
    if said.startswith("rtt="):
        assert TwoHosts(rtt=said.removeprefix("rtt=")).path("client", "server")[0] == 80, "40 ms each way"
        return
    (link,) = TwoHosts(changes=said.removeprefix("changes=")).links_info
    if "UP" in words:
        assert link.spec.a_to_b.trace.mean_bps == pytest.approx(1.2e6)
        assert link.spec.b_to_a.trace.mean_bps == pytest.approx(12e6)
    elif "codel" in words:
        assert (link.spec.b_to_a.queue_packets, link.spec.b_to_a.codel.target_ms) == (100, 5)
    elif "loss" in words:
        assert (link.spec.a_to_b.loss, link.spec.b_to_a.loss) == (0.01, 0)
    else:
        assert (link.spec.a_to_b.queue_packets, link.spec.b_to_a.queue_packets) == (100, None)
