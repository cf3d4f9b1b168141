"""A defect in a user's own file is told in a sentence with file and line; a defect of longhaul stays a traceback."""

import pytest

from experiments.harness.blame import blamed
from experiments.harness.catalogue import build, experiment, topology, world_of
from experiments.harness.manifest import manifest
from experiments.harness.status import USAGE, DefectError, status_of

HEAD = """from experiments.harness.experiment import Experiment
from topologies.two_hosts import TwoHosts


class Mine(Experiment):
    topology = TwoHosts
    minutes = 0.1

    def arms(self):
        return [{"a": "b"}]

"""


QUESTION = """    def question(self):
        return "Is it?"

"""


def mine(tmp_path, body):
    file = tmp_path / "mine.py"
    file.write_text(HEAD + body)
    return file, build(experiment(str(file)), {})


def test_a_typo_names_file_line_and_cause(tmp_path):
    file, made = mine(tmp_path, QUESTION + "    def claims(self):\n        return nothing\n")
    with pytest.raises(DefectError) as caught, blamed(type(made), "begin the run"):
        manifest(made, 1, "longhaul run mine.py")
    assert str(caught.value) == ("could not begin the run: NameError: name 'nothing' is not defined, "
                                 f"at {file}, line 16 (claims); mend the file")  # fmt: skip
    assert status_of(caught.value) == USAGE


def test_what_is_missing_is_named(tmp_path):
    file, made = mine(tmp_path, QUESTION)
    with pytest.raises(DefectError, match=f"Mine has no claims\\(\\); give it one in {file}"), blamed(type(made), "begin"):
        manifest(made, 1, "longhaul run mine.py")


def test_a_topology_is_blamed_likewise(tmp_path):
    file = tmp_path / "odd.py"
    file.write_text("from topologies.emulator.topology import Topology\n\n\nclass Odd(Topology):\n    def build(self):\n"
                    "        self.shapd()\n")  # fmt: skip
    with pytest.raises(DefectError, match=r"no attribute 'shapd', at .*odd.py, line 6 \(build\); mend the file"):
        world_of(topology(str(file)), {})


def test_a_defect_that_is_not_the_files_stays_what_it_is(tmp_path):
    _, made = mine(tmp_path, "")
    with pytest.raises(ZeroDivisionError), blamed(type(made), "begin the run"):
        _ = 1 / 0


def test_a_question_has_a_question_mark(tmp_path):
    _, made = mine(tmp_path, QUESTION.replace("?", "") + "    def claims(self):\n        return [1]\n")
    with pytest.raises(ValueError, match="could not ask 'Is it': it has no question mark"):
        manifest(made, 1, "longhaul run mine.py")
