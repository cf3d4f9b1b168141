"""Private network namespaces for the tests of links, each held by one sleeping process that the test ends."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Callable, Iterator

import pytest

from tests.topologies.links.bed import within

Space = Callable[[], int]


@pytest.fixture
def space() -> Iterator[Space]:
    """Makes a namespace and gives the pid of its holder."""
    holders: list[subprocess.Popen[bytes]] = []

    def make() -> int:
        own = os.readlink("/proc/self/ns/net")
        holder = subprocess.Popen(["unshare", "--net", "--kill-child", "sleep", "60"])
        holders.append(holder)
        for _ in range(400):
            if holder.poll() is not None:
                pytest.skip("network namespaces cannot be made here")
            if os.readlink(f"/proc/{holder.pid}/ns/net") != own:
                break
            time.sleep(0.005)
        within(holder.pid, "ip", "link", "set", "lo", "up")
        within(holder.pid, "sh", "-c", "for one in default all; do echo 1 >/proc/sys/net/ipv6/conf/$one/disable_ipv6; done")
        return holder.pid

    yield make
    for holder in holders:
        holder.kill()
        holder.wait()
