"""Orders to a worker of bulk flows: understood whole, or refused with the reason."""

import json

import pytest

from nodes.flow.order import Flow, OrderError, Sending, Sink, parse

FLOW = {"host": "127.0.0.1", "port": 5000, "seconds": 1}


def test_a_sink_and_flows_are_understood():
    assert parse('{"sink": {"host": "10.0.0.1", "window_bytes": 65535}}') == Sink("10.0.0.1", window_bytes=65535)
    order = parse(json.dumps({"flows": [{**FLOW, "congestion_control": "bbr", "start_s": 2.5}], "begin_ns": 7}))
    assert order == Sending((Flow("127.0.0.1", 5000, seconds=1, congestion_control="bbr", start_s=2.5),), begin_ns=7)


@pytest.mark.parametrize(("order", "words"), [
    ("nonsense", "not JSON"),
    ('{"sink": {}, "flows": []}', "either sink or flows"),
    ('{"flows": []}', "1 to 256"),
    ('{"sink": {"host": "a", "windows": 1}}', "unknown field 'windows'; allowed are host, port, window_bytes"),
    ('{"sink": {}}', "missing 1 required positional argument: 'host'"),
    ('{"sink": {"host": "a", "window_bytes": 0}}', "window_bytes 0 is not a number of at least 1"),
    ('{"sink": {"host": "a", "port": 70000}}', "70000 is not from 0"),
    ({**FLOW, "size_bytes": 1}, "either seconds or size_bytes"),
    ({"host": "a", "port": 1}, "either seconds or size_bytes"),
    ({**FLOW, "seconds": -1}, "seconds -1 is not"),
    ({**FLOW, "seconds": True}, "seconds True is not"),
    ({**FLOW, "start_s": 3600}, "over within 3600 s"),
    ({**FLOW, "congestion_control": 7}, "congestion_control 7 is no text"),
])  # fmt: skip
def test_what_cannot_be_carried_out_is_refused_with_the_reason(order, words):
    line = order if isinstance(order, str) else json.dumps({"flows": [order]})
    with pytest.raises(OrderError, match=words.replace("(", r"\(")):
        parse(line)
