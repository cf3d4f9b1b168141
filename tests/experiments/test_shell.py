"""The shell's `link` command: what a backend refuses is said, and the lab goes on; without its links it is over."""

from types import SimpleNamespace

import pytest

from experiments.harness.verbs.shell import Shell
from tests.labkit import longhaul
from topologies.emulator.links.backend import BackendError, UnsupportedError


def shell(error, trouble=""):
    def change(which, words):
        raise error

    made = Shell.__new__(Shell)
    made.lab = SimpleNamespace(change=change, topology=SimpleNamespace(links_info=[]),
                               links=SimpleNamespace(alive=lambda: trouble))  # fmt: skip
    return made


@pytest.mark.lab
def test_a_script_with_a_line_that_is_refused_fails_and_its_other_lines_are_run():
    done = longhaul("shell", "two_hosts", input="link client nowhere down\nclient echo one\nclint echo two\n", check=1)
    assert done.stdout.split() == ["one"]
    said = [line.split(": could")[0] for line in done.stderr.splitlines() if "could not" in line]
    assert said == ["longhaul: line 1", "longhaul: line 3"]
    assert "could not run 'clint': it is neither a command nor a node; nodes: client server" in done.stderr


@pytest.mark.parametrize("error", [
    UnsupportedError("could not change the link a-b: netem has no CoDel; use --link relay"),
    BackendError("could not change the link a-b: the kernel refused; it is what it was"),
])  # fmt: skip
def test_what_cannot_be_is_said_and_the_lab_goes_on(capsys, error):
    shell(error).do_link("a b codel")
    assert capsys.readouterr().err == f"longhaul: line 0: {error}\n"


def test_all_emulated_links_are_changed_by_one_star():
    changed = []
    emulated, cable = SimpleNamespace(unshaped=False), SimpleNamespace(unshaped=True)
    made = Shell.__new__(Shell)
    made.lab = SimpleNamespace(change=lambda which, words: changed.append((which, words)), topology=SimpleNamespace(links_info=[
        SimpleNamespace(name="a-b", spec=emulated), SimpleNamespace(name="b-c", spec=cable),
        SimpleNamespace(name="c-d", spec=emulated)]))  # fmt: skip
    made.do_link("* loss 1%")
    assert changed == [("a-b", "loss 1%"), ("c-d", "loss 1%")]


def test_a_lab_whose_links_are_gone_is_over():
    with pytest.raises(BackendError, match="killed by signal 9"):
        shell(BackendError("could not use the relay: killed by signal 9"), "killed by signal 9").do_link("a b down")
