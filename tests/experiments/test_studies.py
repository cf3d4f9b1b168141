"""Studies as a whole: each can be run quickly, says what was published, and judges by it only where it may."""

import itertools
import json
import random

import pytest

from experiments.harness import catalogue, cli
from experiments.harness.verbs import studies
from results import published

STUDIES = sorted(studies.known())


@pytest.mark.parametrize("name", STUDIES)
def test_a_study_says_what_was_published_and_can_be_run_quickly(name):
    kind = catalogue.experiment(name)
    full, quick = catalogue.build(kind, {}), catalogue.build(kind, dict(kind.quick))
    assert (full.mode(), quick.mode()) == ("full", "quick")
    assert kind.claim.endswith(".")
    assert full.published.source
    assert any(not one.get("incomparable") for one in quick.claims()), "a quick run can fail too"
    assert kind.quick_minutes <= 2 or kind.quick_minutes < kind.minutes / 2


@pytest.mark.parametrize("name", [name for name in STUDIES if catalogue.experiment(name).paper])
def test_every_published_value_is_about_columns_and_factors_that_its_study_has(name):
    experiment = catalogue.build(catalogue.experiment(name), {})
    for value in published.read(experiment.paper).value:
        assert set(value.where) == set(experiment.arms()[0])
        assert value.metric in {**experiment.columns, "total_ms": ""}


def test_all_of_them_quickly_take_less_than_the_time_that_is_promised():
    kinds = [catalogue.experiment(name) for name in STUDIES]
    assert sum(kind.quick_minutes for kind in kinds) < 12
    assert sum(kind.minutes for kind in kinds) < 90


def test_at_other_settings_than_the_papers_its_values_are_shown_and_not_judged():
    kind = catalogue.experiment("rate-step")
    longer = catalogue.build(kind, {"rtt": "60ms"})
    assert longer.mode() == "other"
    judged = [one["name"] for one in longer.claims() if not one.get("incomparable")]
    shown = [one["incomparable"] for one in longer.claims() if one.get("incomparable")]
    assert judged == ["delivery before the step, bbr"]
    assert shown == ["it was published for rtt 40ms, and this run has 60ms"] * 2
    same = catalogue.build(kind, {"rtt": "0.04s"})
    assert not any(one.get("incomparable") for one in same.claims()), "the same, said otherwise"


def test_changed_links_are_not_the_papers():
    kind = catalogue.experiment("new-vs-warm-connection")
    changed = catalogue.build(kind, {"changes": "client-server: jitter 1ms"}).claims()
    assert [bool(one.get("incomparable")) for one in changed] == [False, False, True, True]
    assert "changes of links" in changed[-1]["incomparable"]


def test_a_queue_of_chance_does_not_count_where_the_sender_was_late():
    study = catalogue.build(catalogue.experiment("poisson-queue"), {})
    chance = random.Random(3)
    due_s = list(itertools.accumulate(chance.expovariate(300) for _ in range(2000)))
    sound = study.row(due_s, [at + 0.0001 for at in due_s], [13.0] * 2000)
    assert (sound["unexpected"], sound["waiting_packets"]) == ("", pytest.approx(0.3, rel=0.05))
    bunched = [due_s[turn - turn % 20 + 19] for turn in range(2000)]
    assert "a late sender changed the queue by" in study.row(due_s, bunched, [13.0] * 2000)["unexpected"]
    assert not study.row(due_s, due_s, [13.0] * 1999 + [None])["ok"]


def test_an_unknown_study_names_the_nearest(capsys):
    assert cli.main(["studies", "rate-stop"]) == 2
    assert "did you mean rate-step" in capsys.readouterr().err
    assert cli.main(["studies", "edge-vs-origin"]) == 2


def test_the_table_lists_every_study_also_without_a_run(capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(studies, "RUNS", tmp_path)
    assert cli.main(["studies", "--json"]) == 0
    assert [row["name"] for row in json.loads(capsys.readouterr().out)] == STUDIES


@pytest.mark.parametrize(("statuses", "status"), [([0, 0], 0), ([0, 127], 0), ([127, 127], 127), ([0, 1], 1), ([1, 3], 3),
                                                  ([0, 130], 130), ([0, -9], 3)])  # fmt: skip
def test_one_status_speaks_for_all(statuses, status):
    assert studies.worst(statuses) == status
