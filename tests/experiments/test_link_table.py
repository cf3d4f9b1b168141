"""What `longhaul verify TOPOLOGY` prints of each link and direction."""

from experiments.harness.link_table import table
from topologies.emulator.watch import BUSY


def way(**more):
    asked = {"delay_ms": 40.0, "rate_bps": 10**8, "queue_bytes": 65536, "queue_packets": None, "codel": None, "trace": None,
             "up": True, "loss": 0.0, "jitter_ms": 0.0, "effects": {}}  # fmt: skip
    return {**asked, **more}


def seen(**more):
    got = {"rate_bps": 99.9e6, "burst_s": 0.02, "sent": 500, "received": 500, "loss_low": 0.0, "loss_high": 0.0106,
           "queue_bytes": 65000, "queue_note": None, "rate_note": None}  # fmt: skip
    return {**got, **more}


def link(name="a-b", there=None, there_seen=None, **more):
    row = {
        "name": name, "backend": "relay", "estimate": False, "ok": True, "reasons": [], "attempts": 1, "slack_ms": 0.0,
        "specified": {"rtt_ms": 80.0, "a_to_b": there or way(), "b_to_a": way(), "queue_rule": "given",
                      "segments": "packets of at most the MTU"},
        "before": {"rtt_ms": {"min": 80.1, "median": 80.2, "p99": 80.9, "samples": 16, "sent": 16},
                   "a_to_b": there_seen or seen(), "b_to_a": seen()},
    }  # fmt: skip
    return {**row, **more}


def said(*rows):
    return table({"backend": "relay", "how": {"why": "asked for"}, "links": list(rows)})


def test_a_link_has_its_round_trip_and_a_line_for_each_direction():
    lines = said(link()).splitlines()
    (rtt,) = [line for line in lines if line.startswith("a-b")]
    assert "80.2 ms (min 80.1, p99 80.9)" in rtt
    (there,) = [line for line in lines if line.startswith("  a to b")]
    for word in ("100 Mbit/s", "99.9 Mbit/s over 20 ms", "64 KiB", "63.48 KiB", "0 of 500 (0.00% to 1.06%)"):
        assert word in there


def test_the_rules_of_queue_and_segments_are_said_once_for_links_that_share_them():
    text = said(link("a-b"), link("b-c"))
    assert text.count("queue: given  (all)") == 1
    assert text.count("segments: packets of at most the MTU  (all)") == 1


def test_what_was_not_measured_is_a_dash_with_its_reason():
    text = said(link(there_seen=seen(queue_bytes=None, queue_note="filling it would take 9 s")))
    assert "queue not measured: filling it would take 9 s  (a-b a to b)" in text


def test_effects_traces_packets_and_down_are_said():
    there = way(effects={"loss": "1%", "jitter": "5ms normal"}, queue_bytes=None, queue_packets=50, rate_bps=None,
                trace={"name": "lte", "mean_bps": 5e6, "period_ms": 100}, codel="5ms 100ms", up=False)  # fmt: skip
    (line,) = [line for line in said(link(there=there)).splitlines() if line.startswith("  a to b")]
    for word in ("loss 1%; jitter 5ms normal; CoDel 5ms 100ms; down", "50 packets", "5 Mbit/s"):
        assert word in line


def test_what_each_way_took_and_how_far_it_spread_is_said():
    there = link(there=way(jitter_ms=5.0, effects={"jitter": "5ms uniform"}), there_seen=seen(delay_ms=40.05, spread_ms=2.9))
    (line,) = [line for line in said(there).splitlines() if line.startswith("  a to b")]
    assert "99.9 Mbit/s over 20 ms; 40.05 ms one way" in line
    assert "jitter 5ms uniform; delay spreads by 2.9 ms" in line


def test_the_closing_sentence_counts_what_was_not_measured():
    assert said(link()).endswith("rate: 5 %)")
    dropped = seen(queue_bytes=None, queue_note="CoDel drops before", codel_note="no queue stands for so long")
    both = link(there=way(codel="5ms 100ms"), there_seen=dropped)
    both["before"]["b_to_a"] = dropped
    text = said(link("x-y"), both)
    assert text.endswith("; 2 queues and CoDel of 1 link were not measured")
    assert "CoDel: not verified: no queue stands for so long  (a-b a to b, a-b b to a)" in text
    one = link(there_seen=seen(jitter_note="64 echoes do not tell"))
    assert said(one).endswith("; jitter of 1 link was not measured")
    assert "jitter not verified: 64 echoes do not tell  (a-b a to b)" in said(one)
    nothing = seen(rate_bps=None, rate_note="without a rate", queue_note="nothing waits")
    endless = said(link(there=way(rate_bps=None), there_seen=nothing))
    assert endless.endswith("rate: 5 %)"), "what was not asked for is not missing"


def test_echoes_that_never_came_back_and_reasons_are_said():
    lost = {"min": None, "median": None, "p99": None, "samples": 0, "sent": 16}
    row = link(ok=False, reasons=["RTT: none of 16 echoes came back"], attempts=5)
    row["before"]["rtt_ms"] = lost
    text = said(row)
    assert "16 of 16 echoes" in text
    assert text.endswith("invalid:\n  a-b: RTT: none of 16 echoes came back")


def test_what_emulated_processors_are_allowed_is_said():
    assert "emulated" not in said(link())
    assert "emulated processors: times up to 3.2 ms)" in said(link(slack_ms=3.2)).splitlines()[-1]


def test_lateness_of_many_links_is_said_once_with_what_to_do():
    late = f"a_to_b: one packet in a hundred was 4 ms late or more where 1 ms is allowed: {BUSY}"
    rows = [{**link(f"l{number}"), "ok": False, "reasons": [late]} for number in range(6)]
    text = said(*rows)
    assert text.count(BUSY) == 3
    assert "and 3 more directions that were late\n  run it again when nothing else takes the processors" in text
    assert "invalid" in text


def test_a_schedule_is_not_run_and_that_is_said():
    row = link()
    row["specified"]["schedule"] = {"a_to_b": "at 2s rate 20mbit", "b_to_a": ""}
    assert said(row).endswith("; the schedule of 1 link was not measured")


def test_what_came_of_effects_on_single_frames_is_counted():
    there = way(effects={"duplicate": "1%", "reorder": "5%"})
    text = said(link(there=there, there_seen=seen(duplicated=92, overtook=521)))
    assert "duplicate 1% (92 frames); reorder 5% (521 frames)" in text
