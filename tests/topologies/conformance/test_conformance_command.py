"""`longhaul verify --all` as a user meets it."""

import json

import pytest

from tests.labkit import longhaul
from topologies.emulator.conformance import suite
from topologies.emulator.links import netem

WRONG = [
    (["verify"], "name one of `longhaul list`, or write --all"),
    (["verify", "--all", "two_hosts"], "two_hosts would not change them"),
    (["verify", "--all", "--set", "rtt=1ms"], "--set would not change them"),
    (["verify", "--all", "--only", "goodputt"], "did you mean goodput"),
    (["verify", "two_hosts", "--only", "rtt"], "belongs to --all"),
    (["verify", "two_hosts", "--quick"], "belongs to --all"),
    (["verify", "--all", "--tolerance-time", "3"], "has no unit"),
    (["verify", "--all", "--tolerance-rate", "400%"], "below 100%"),
    (["verify", "--all", "--tolerance-time=-3ms"], "not negative"),
]


@pytest.mark.parametrize(("arguments", "said"), WRONG)
def test_what_cannot_be_verified_is_said_in_one_line(arguments, said):
    done = longhaul(*arguments, check=2)
    assert done.stderr.startswith("longhaul: could not verify")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.mark.lab
@pytest.mark.skipif(not netem.ability().reason, reason="this kernel has netem")
def test_a_backend_that_is_not_there_is_unsupported_and_not_a_table_of_unsupported_rows():
    done = longhaul("verify", "--all", "--link", "netem", check=127)
    assert "could not use the netem links" in done.stderr
    assert done.stdout == ""


@pytest.mark.lab
def test_the_table_has_a_line_for_each_figure_and_says_how_it_was_judged():
    done = longhaul("verify", "--all", "--quick", "--only", "mtu", "--only", "asymmetric", "--tolerance-time", "3ms", check=0)
    assert "tolerance: 3 ms" in done.stdout
    assert "MTU 1500 B" in done.stdout
    assert [line.split()[-1] for line in done.stdout.splitlines() if "arrived, 150" in line] == ["inside", "inside"]
    assert "0 outside" in done.stdout


@pytest.mark.lab
@pytest.mark.slow
def test_every_quick_check_is_inside_on_this_machine():
    found = json.loads(longhaul("verify", "--all", "--quick", "--json", check=0).stdout)
    assert found["backend"] != "relay" or not [row for row in found["rows"] if row["verdict"] == "unsupported"]
    assert {row["check"] for row in found["rows"]} == set(suite.names())
    outside = [(row["what"], row["figure"], row["achieved_text"]) for row in found["rows"] if row["verdict"] == "outside"]
    assert outside == []
