"""Work that ends with the links: whatever is waited for is given up when they die, and not before."""

import signal
import subprocess
import sys
import time

import pytest

from experiments.harness import lifeline
from experiments.harness.verbs import shell
from topologies.emulator.links.backend import BackendError
from topologies.emulator.links.spec import LinkError

KNOWN = ["virginia-mumbai", "line"]


def test_a_wait_is_given_up_when_the_links_die():
    began = time.monotonic()
    dead = "the relay process was killed by signal 9"
    said = f"could not go on without the links: {dead}; run it again"
    with pytest.raises(BackendError, match=said), lifeline.tied_to(lambda: dead if time.monotonic() > began + 0.2 else ""):
        subprocess.run([sys.executable, "-c", "import time; time.sleep(20)"], check=True)
    assert time.monotonic() - began < 2


def test_what_ended_just_after_the_links_did_is_not_taken_for_done():
    with pytest.raises(BackendError, match="without the links: gone"), lifeline.tied_to(lambda: "gone"):
        pass


def test_an_error_of_ones_own_is_not_covered_by_the_death_of_the_links():
    with pytest.raises(ValueError, match="own"), lifeline.tied_to(lambda: "gone"):
        raise ValueError("own")


def test_while_the_links_live_nothing_is_interrupted_and_afterwards_nothing_stays():
    before = signal.getsignal(signal.SIGUSR1)
    with lifeline.tied_to(lambda: ""):
        time.sleep(2.5 * lifeline.LOOK_EVERY_S)
    assert signal.getsignal(signal.SIGUSR1) == before


@pytest.mark.parametrize(("line", "which", "words"), [
    ("virginia mumbai rate 10mbit loss 1%", "virginia-mumbai", "rate 10mbit loss 1%"),
    ("virginia-mumbai rate 10mbit", "virginia-mumbai", "rate 10mbit"), ("line down", "line", "down"), ("line", "line", ""),
    ("virginia > mumbai loss 1%", "virginia>mumbai", "loss 1%"), ("virginia>mumbai loss 1%", "virginia>mumbai", "loss 1%"),
    ("virginia> mumbai", "virginia>mumbai", ""), ("virginia mumbai", "virginia-mumbai", ""),
    ("virginia mumbai up", "virginia-mumbai", "up"), ("line lossy", "line", "lossy"), ("*", "*", ""),
])  # fmt: skip
def test_the_shells_link_command_names_a_link_in_any_way(line, which, words):
    assert shell.parse_link(line, KNOWN) == (which, words)


def test_a_link_command_without_a_link_says_what_to_write():
    with pytest.raises(LinkError, match="none is named; write for example link virginia mumbai"):
        shell.parse_link("", KNOWN)
