"""The pytest plugin: the example of the documentation as it stands, and what becomes of tests that go wrong in a lab."""

import re
import subprocess

import pytest

from tests.labkit import ATTEMPTS, LONGHAUL, ROOT

pytestmark = pytest.mark.lab


def run(path, *options):
    done = subprocess.run([LONGHAUL, "pytest", path, "-p", "no:cacheprovider", *options], capture_output=True, text=True,
                          timeout=120, check=False, cwd=path.parent)  # fmt: skip
    return done.stdout + done.stderr


def test_the_example_of_the_documentation_passes_as_it_stands(tmp_path):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "ecosystem.md").read_text(), re.S)
    (tmp_path / "test_warm_edge.py").write_text(example)
    for _ in range(ATTEMPTS):  # a machine that was disturbed says so, and is asked again
        said = run(tmp_path / "test_warm_edge.py")
        if "could not trust" not in said:
            break
    assert "2 passed" in said, said


GOING_WRONG = """
import os
import pytest

made = []

@pytest.fixture(scope="module")
def outside():
    made.append(os.getpid())
    yield made
    print(f"taken down {len(made)} times in", os.getpid() == made[0])

def test_no_lab(outside):
    assert len(outside) == 1

def test_that_fails(lab, outside):
    print("said in the lab")
    assert lab.address("server") == "here"

def test_that_is_killed(lab):
    os.kill(os.getpid(), 9)

@pytest.mark.longhaul("two_hostz")
def test_of_no_topology(lab):
    pass

@pytest.mark.longhaul(rate="10")
def test_of_a_wrong_setting(lab):
    pass

def test_skipped(lab):
    pytest.skip("not today")

def test_no_lab_after(outside):
    assert len(outside) == 1
"""


def test_what_goes_wrong_is_reported_as_everywhere(tmp_path):
    (tmp_path / "test_wrong.py").write_text(GOING_WRONG)
    said = run(tmp_path / "test_wrong.py", "-rs")
    assert "said in the lab" in said
    assert "AssertionError: assert '10.0.0.2' == 'here'" in said
    assert "the lab of this test ended with status 137 before the test did" in said
    assert "could not find topology 'two_hostz'" in said
    assert "could not set rate to '10'" in said
    assert "not today" in said
    assert "2 failed, 2 passed, 1 skipped, 2 errors" in said, said
