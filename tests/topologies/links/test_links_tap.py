from __future__ import annotations

import errno
import os

import pytest

from topologies.emulator.links import tap
from topologies.emulator.links.backend import BackendError, End, UnsupportedError

HERE = End(os.getpid(), "t0", "02:00:00:00:00:01")


@pytest.mark.parametrize(
    ("number", "wanted"),
    [
        (errno.ENOENT, "could not open /dev/net/tun: No such file or directory; run: sudo modprobe tun, or pass the"),
        (errno.ENODEV, "could not open /dev/net/tun: No such device; run: sudo modprobe tun"),
        (errno.EACCES, "could not open /dev/net/tun: Permission denied; run as root"),
        (errno.EMFILE, "could not open /dev/net/tun: Too many open files; free file descriptors"),
    ],
)
@pytest.mark.lab
def test_a_machine_without_tap_is_told_what_to_do(number: int, wanted: str) -> None:
    def refuse(path: str, flags: int) -> int:
        assert path == "/dev/net/tun"
        raise OSError(number, os.strerror(number))

    with pytest.raises(UnsupportedError) as caught:
        tap.make(HERE, 1500, open_device=refuse)
    assert str(caught.value).startswith(wanted)


@pytest.mark.lab
def test_an_ended_node_is_named() -> None:
    with pytest.raises(BackendError, match="could not enter the network namespace of process 4194305"):
        tap.make(End(4194305, "t0", "02:00:00:00:00:01"), 1500)
