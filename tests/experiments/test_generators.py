"""What generators' records say of the generators themselves, and when they have ended for certain."""

from experiments.harness.generators import GRACE_S, LATE_MS, judged, longest_s


def row(due_ms, late_ms=0.1, error="", took_ms=20.0):
    return {"due_ms": due_ms, "late_ms": late_ms, "latency_ms": None if error else took_ms, "last_byte_ms": due_ms + 20,
            "error": error}  # fmt: skip


def test_failed_requests_are_a_result_and_not_a_reason_for_distrust():
    found = judged([row(0), row(10, error="the server answered 503")])
    assert (found["ok"], found["failed"], found["errors"]) == (True, 1, "1 x the server answered 503")
    assert "unexpected" not in found


def test_a_generator_that_was_late_itself_sets_the_trial_aside():
    punctual = [row(number) for number in range(98)]
    assert "unexpected" not in judged([*punctual, row(98), row(99, late_ms=50.0)])
    assert f"{LATE_MS:g} ms are allowed" in judged([*punctual, row(98, late_ms=50.0), row(99, late_ms=50.0)])["unexpected"]


def test_how_late_it_may_be_is_also_a_share_of_what_requests_take():
    for took_ms, said in ((300.0, False), (100.0, True)):
        rows = [row(number, late_ms=8.0, took_ms=took_ms) for number in range(100)]
        assert ("unexpected" in judged(rows)) == said


def test_of_a_burst_nobody_expects_that_all_leave_at_once():
    assert "unexpected" not in judged([row(0.0, late_ms=float(number)) for number in range(50)])


def test_no_request_at_all_is_no_result():
    assert judged([])["unexpected"] == "no request was due: nothing was loaded"


def test_a_generator_has_ended_for_certain_after_its_time_and_its_patience():
    assert longest_s(["--rate", "5/s", "--time", "2s", "--timeout", "500ms"]) == 2.5 + GRACE_S
    assert longest_s(["--rate", "5/s", "--origin-insecure", "--time", "1s"]) == 1 + 10 + GRACE_S
