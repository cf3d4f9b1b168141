"""The shell's `link` command: what a backend refuses is said, and the lab goes on; without its links it is over."""

from types import SimpleNamespace

import pytest

from experiments.harness.verbs.shell import Shell
from topologies.emulator.links.backend import BackendError, UnsupportedError


def shell(error, trouble=""):
    def change(which, words):
        raise error

    made = Shell.__new__(Shell)
    made.lab = SimpleNamespace(change=change, topology=SimpleNamespace(links_info=[]),
                               links=SimpleNamespace(alive=lambda: trouble))  # fmt: skip
    return made


@pytest.mark.parametrize("error", [
    UnsupportedError("could not change the link a-b: netem has no CoDel; use --link relay"),
    BackendError("could not change the link a-b: the kernel refused; it is what it was"),
])  # fmt: skip
def test_what_cannot_be_is_said_and_the_lab_goes_on(capsys, error):
    shell(error).do_link("a b codel")
    assert capsys.readouterr().err == f"longhaul: {error}\n"


def test_a_lab_whose_links_are_gone_is_over():
    with pytest.raises(BackendError, match="killed by signal 9"):
        shell(BackendError("could not use the relay: killed by signal 9"), "killed by signal 9").do_link("a b down")
