"""Netlink messages: attributes are read as they were written; one of many that is refused is named and stops no other."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from topologies.emulator.links import netlink, netns
from topologies.emulator.links.netlink import ACK, CREATE, EXCL, RTM_NEWLINK, KernelError, Netlink, Request

PLAIN = "mtu=1500 length=1000 gso=65536 queue=noop state=down mac=02:00:00:00:00:01"


@given(st.dictionaries(st.integers(0, 0x3FFF), st.binary(max_size=40), max_size=8), st.binary(max_size=16))
def test_attributes_are_read_as_they_were_written(values, before):
    data = before + b"".join(netlink.attribute(number, value) for number, value in values.items())
    assert netlink.attributes(data, len(before)) == values


@pytest.mark.parametrize(("operstate", "said"), [(0, "up"), (2, "down"), (6, "up")])
def test_an_interface_whose_state_the_kernel_has_not_come_to_is_up(operstate, said):
    numbers = dict.fromkeys((netlink.IFLA_MTU, netlink.IFLA_TXQLEN, netlink.IFLA_GSO_MAX_SIZE), bytes(4))
    texts = {netlink.IFLA_QDISC: b"noqueue\0", netlink.IFLA_ADDRESS: bytes(6), netlink.IFLA_OPERSTATE: bytes([operstate])}
    assert f"state={said} " in netlink.Interface(1, {**numbers, **texts}).settings()


@given(st.binary(max_size=200))
def test_no_answer_holds_the_reader_for_ever(data):
    netlink.attributes(data)


def pair(number, name=None):
    """A veth pair, named for its number."""
    peer = netlink.kind("veth", netlink.attribute(netlink.VETH_INFO_PEER, netlink.interface(f"b{number}", up=False)))
    body = netlink.interface(name or f"a{number}", "02:00:00:00:00:01", up=False, extra=peer)
    return Request(f"pair {number}", RTM_NEWLINK, CREATE | EXCL, body)


@pytest.fixture
def kernel():
    here = netns.fresh()
    with netns.entered_fd(here), Netlink() as opened:
        yield opened
    os.close(here)


@pytest.mark.lab
def test_many_requests_are_all_done(kernel):
    kernel.ask_all([pair(number) for number in range(230)])
    found = kernel.interfaces()
    assert set(found) == {"lo", *(f"{end}{number}" for end in "ab" for number in range(230))}
    assert found["a7"].settings() == PLAIN
    assert len({known.number for known in found.values()}) == 461


@pytest.mark.lab
def test_of_many_the_first_refused_is_named_with_the_kernels_words_and_the_others_are_done(kernel):
    wrong = [pair(number) for number in range(120)]
    wrong[30], wrong[115] = pair(30, "lo"), pair(115, "lo")
    with pytest.raises(KernelError, match="pair 30: File exists"):
        kernel.ask_all(wrong)
    found = kernel.interfaces()
    assert "a30" not in found
    assert {"a29", "a31", "a114", "a116", "a119"} < set(found)


@pytest.mark.lab
def test_a_hundred_refusals_at_once_are_all_heard_and_the_socket_is_good_afterwards(kernel):
    with pytest.raises(KernelError, match="pair 0: File exists"):
        kernel.ask_all([pair(number, "lo") for number in range(netlink.BATCH)])
    kernel.ask_all([pair(1)])
    assert kernel.index("a1") == kernel.interfaces()["a1"].number


@pytest.mark.lab
def test_nothing_to_ask_is_nothing_asked(kernel):
    kernel.ask_all([])
    assert set(kernel.interfaces()) == {"lo"}


@pytest.mark.lab
def test_one_request_that_is_refused_says_why(kernel):
    with pytest.raises(KernelError) as caught:
        kernel.ask(RTM_NEWLINK, ACK, netlink.interface("none-such"))
    assert caught.value.strerror == "No such device"
