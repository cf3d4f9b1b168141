"""The runner's decisions: the order of trials, what counts, what is remembered."""

import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import experiments
from experiments.harness import capture, catalogue, trial
from experiments.harness.manifest import manifest
from experiments.harness.order import schedule
from experiments.harness.progress import Progress, time_left
from results.manifest import parse

ARMS = [{"path": "direct"}, {"path": "cold"}, {"path": "warm"}]


@given(st.integers(1, 20), st.integers(0, 3), st.integers(0, 2**31))
def test_every_block_has_every_arm_once_and_warmups_come_first(repetitions, warmup, seed):
    slots = schedule(ARMS, repetitions, warmup, seed)
    assert len(slots) == 3 * (repetitions + warmup)
    assert [slot.number for slot in slots] == list(range(1, len(slots) + 1))
    for block in range(0, len(slots), 3):
        assert sorted(slot.arm["path"] for slot in slots[block : block + 3]) == ["cold", "direct", "warm"]
    assert [slot.warmup for slot in slots] == [True] * 3 * warmup + [False] * 3 * repetitions
    assert {slot.repetition for slot in slots if not slot.warmup} == set(range(1, repetitions + 1))


def test_the_order_is_random_and_the_seed_repeats_it():
    assert schedule(ARMS, 10, 1, 7) == schedule(ARMS, 10, 1, 7)
    assert schedule(ARMS, 10, 1, 7) != schedule(ARMS, 10, 1, 8)
    first = [slot.arm["path"] for slot in schedule(ARMS, 30, 0, 1)][::3]
    assert len(set(first)) == 3, "no arm always begins"


LAST_WORDS = "120 packets captured\n123 packets received by filter\n{} packets dropped by kernel\n"


def test_a_capture_that_lost_packets_says_so():
    found = capture.counts(LAST_WORDS.format(7))
    assert capture.problem_of(found, 120) == "the kernel dropped 7 packets of the capture"


def test_a_whole_capture_has_no_problem_though_packets_came_while_it_was_stopped():
    assert capture.problem_of(capture.counts(LAST_WORDS.format(0)), 120) == ""
    assert capture.counts("1 packet captured\n1 packet received by filter\n0 packets dropped by kernel\n")["captured"] == 1


def test_a_capture_that_cannot_tell_is_a_problem():
    assert "did not say" in capture.problem_of(capture.counts("tcpdump: killed"), 0)


def test_a_file_that_holds_less_than_tcpdump_captured_is_a_problem():
    assert "holds 119 packets" in capture.problem_of(capture.counts(LAST_WORDS.format(0)), 119)


def test_the_clients_words_become_columns():
    row = trial.client_columns({"ok": True, "new_connection": False, "headers": {"cache-status": "e; hit"}, "tls_ms": None,
                                "tcp_info": {"total_retrans": 3}, "first_byte_ms": 61.5})  # fmt: skip
    assert (row["ok"], row["connection"], row["cache_status"], row["retransmits"]) == (1, "reuse", "e; hit", 3)
    assert (row["first_byte_ms"], row["tls_ms"]) == (61.5, "")


@pytest.mark.parametrize("name", catalogue.names(experiments))
def test_every_experiment_makes_a_manifest_that_the_results_can_read(name):
    kind = catalogue.experiment(name)
    experiment = catalogue.build(kind, {})
    document = manifest(experiment, 1, "longhaul run") | {"run_id": "run"}
    checked = parse(json.loads(json.dumps(document)))
    assert checked.claims, "an experiment that claims nothing cannot fail"
    arms = [dict(arm) for arm in experiment.arms()]
    assert len({tuple(arm.items()) for arm in arms}) == len(arms)
    for claim in checked.claims:
        assert dict(claim.where) in arms, f"{claim.name} is about an arm that is never tried"
    assert experiment.question().endswith("?")


def test_an_experiments_settings_are_shared_out_between_it_and_its_topology():
    experiment = catalogue.build(catalogue.experiment("edge-vs-origin"), {"sizes": "1KiB", "edges": "Singapore"})
    assert experiment.sizes == (1024,)
    assert "Singapore" in experiment.question()
    with pytest.raises(ValueError, match=r"could not set sized.*did you mean sizes"):
        catalogue.build(catalogue.experiment("edge-vs-origin"), {"sized": "1KiB"})


def test_the_published_band_is_kept_for_the_published_settings_only():
    kind = catalogue.experiment("new-vs-warm-connection")
    published = {claim["name"]: (claim["low"], claim["high"]) for claim in catalogue.build(kind, {}).claims()}
    assert published == {"new connection": (264.0, 272.0), "warm connection": (96.0, 106.0)}
    (new, *_) = catalogue.build(kind, {"rtt": "112ms"}).claims()
    assert new["low"] < 4 * 112 + 40 + 5.2 < new["high"], "four round trips, the think time, serialisation"


def test_progress_is_plain_where_there_is_no_terminal():
    now = [0.0]
    out = io.StringIO()
    progress = Progress(4, out, lambda: now[0])
    for _ in range(4):
        now[0] += 6.0
        progress.step("direct")
    assert out.getvalue().splitlines() == ["trial 2 of 4, about 10 s left", "trial 4 of 4, done"]


@pytest.mark.parametrize(("seconds", "words"), [(0, "done"), (7, "about 7 s left"), (83, "about 1 min 25 s left")])
def test_time_left_in_words(seconds, words):
    assert time_left(seconds) == words


def test_any_experiment_with_an_edge_takes_its_engine():
    kind = catalogue.experiment("edge-vs-origin")
    assert catalogue.build(kind, {}).edge__engine == "longhaul"
    chosen = catalogue.build(kind, {"edge.engine": "nginx"})
    assert chosen.edge__engine == "nginx"
    assert manifest(chosen, 1, "longhaul run")["settings"]["edge.engine"] == "nginx"
    with pytest.raises(ValueError, match=r"edge.engine to 'squid'.*longhaul, nginx"):
        catalogue.build(kind, {"edge.engine": "squid"})


def test_an_engine_for_an_edge_that_is_not_there_is_refused():
    with pytest.raises(ValueError, match="the topology has no edge"):
        catalogue.build(catalogue.experiment("new-vs-warm-connection"), {"edge.engine": "nginx"})
