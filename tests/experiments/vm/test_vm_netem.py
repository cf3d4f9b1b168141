"""The kernel's own netem is held to the same suite as the relay, in the VM: many machines have none."""

import pytest

from tests.labkit import longhaul

pytestmark = [pytest.mark.lab, pytest.mark.slow]


def test_every_quick_check_of_the_conformance_suite_is_inside_with_netem():
    suite = ("./longhaul", "verify", "--all", "--quick", "--link", "netem")
    done = longhaul("vm", "run", "--timeout", "4min", "--", *suite, check=0)
    assert "RTT 76 ms, idle link" in done.stdout
    assert "these links are not to be trusted" not in done.stdout
