"""The kernel's own netem is proved in the VM, because many machines have none: by the suite, and by its own tests."""

import re

import pytest

from tests.labkit import ATTEMPTS, INVALID, longhaul

pytestmark = [pytest.mark.lab, pytest.mark.slow]

NEED_NETEM = ("tests/topologies/links/test_links_netem.py", "tests/topologies/links/test_links_order.py",
              "tests/experiments/vm/test_vm_wrong_links.py")  # fmt: skip
NOT_NETEMS = ("CoDel is an option of the relay", "netem follows no trace", "a seed was asked for, and this kernel's netem")


def test_every_quick_check_of_the_conformance_suite_is_inside_with_netem():
    suite = ("./longhaul", "verify", "--all", "--quick", "--link", "netem")
    for _ in range(ATTEMPTS):
        done = longhaul("vm", "run", "--timeout", "4min", "--", *suite)
        if " 0 outside" in done.stdout:
            break
    # What the emulated processors were too slow for proves nothing of netem, neither way.
    assert done.returncode in (0, INVALID), done.stdout + done.stderr
    assert "RTT 76 ms, idle link" in done.stdout
    assert " 0 outside" in done.stdout
    assert int(re.search(r"^(\d+) inside,", done.stdout, re.MULTILINE)[1]) > 55
    reasons = re.findall("^  unsupported: (.*)$", done.stdout, re.MULTILINE)
    assert [reason for reason in reasons if not any(words in reason for words in NOT_NETEMS)] == []


def test_the_tests_that_need_netem_pass_in_the_guest_and_none_is_skipped():
    failed, said = in_the_guest(NEED_NETEM)
    # Emulated processors stand still for milliseconds at times. What failed beside that must pass by itself, twice in a row.
    passed = 0
    for _ in range(ATTEMPTS if failed else 0):
        again, said = in_the_guest(failed)
        passed = 0 if again else passed + 1
        if passed == 2:
            break
    assert not failed or passed == 2, said


def in_the_guest(tests):
    """Those that fail, and all that was said."""
    pytest_there = ("env", "PYTHONPATH=.", ".venv/bin/python", "-P", "-m", "pytest", "-rfEs")
    done = longhaul("vm", "run", "--timeout", "4min", "--", *pytest_there, *tests)
    failed = re.findall(r"^(?:FAILED|ERROR) (tests/.*?)(?: - .*)?$", done.stdout, re.MULTILINE)
    assert done.returncode == (1 if failed else 0), done.stdout + done.stderr
    assert failed or re.search(r"^(=+ )?\d+ passed in ", done.stdout, re.MULTILINE), done.stdout
    return failed, done.stdout
