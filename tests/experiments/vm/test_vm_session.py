"""The talk with a guest, held with a small program in QEMU's place: what it sends, what becomes of it, and how it may fail."""

import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import time

import pytest

from experiments.harness.vm import session
from experiments.harness.vm.deadlines import Limits
from experiments.harness.vm.errors import VmError
from tests.labkit import ROOT, wait_until

GUEST = f"""
import os, socket, sys, time
sys.path.insert(0, {str(ROOT)!r})
from experiments.harness.vm import frames
port = socket.socket(fileno=int(sys.argv[1]))
console = socket.socket(fileno=int(sys.argv[2]))
send = lambda kind, payload=b"": port.sendall(frames.frame(kind, payload))
reader = frames.Reader()
"""


def talk(script, limits=None, given=None):
    """What `run` answers, and the bytes of both streams and of the files."""
    files = io.BytesIO()

    def command(port, console):
        return [sys.executable, "-c", GUEST + textwrap.dedent(script), str(port), str(console)]

    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        streams = session.Streams(given, out.fileno(), err.fileno(), files)
        ended = session.run(command, (), streams, limits or Limits(10, 10, 20))
        return ended, *(file.seek(0) or file.read() for file in (out, err)), files.getvalue()


@pytest.mark.parametrize("cause", [PermissionError(1, "no"), OSError(22, "no such class"), ProcessLookupError(3, "gone")])
def test_a_guest_that_is_not_preferred_runs_all_the_same(monkeypatch, cause):
    def refuse(*_):
        raise cause

    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    ended, *_ = talk("send(frames.UP), send(frames.STATUS, b'5'), send(frames.DONE), time.sleep(60)")
    assert ended.status == 5


def test_what_breaks_before_the_talk_begins_ends_the_guest(monkeypatch):
    pids = []

    def interrupted(pid, *_):
        pids.append(pid)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "sched_setscheduler", interrupted)
    with pytest.raises(KeyboardInterrupt):
        talk("time.sleep(60)")
    with pytest.raises(ProcessLookupError):
        os.kill(pids[0], 0)


def test_each_stream_the_status_and_the_files_arrive_byte_for_byte():
    ended, out, err, files = talk(r"""
        send(frames.UP)
        console.sendall(b"console noise\r\n")
        send(frames.OUT, b"a\nb\r\n\0\xff")
        send(frames.ERR, b"e")
        send(frames.OUT, b"c")
        send(frames.STATUS, b"7")
        send(frames.MISSING, b"nope")
        send(frames.FILES, b"ta")
        send(frames.FILES, b"r")
        send(frames.DONE)
        time.sleep(60)
    """)
    assert (out, err, files) == (b"a\nb\r\n\0\xffc", b"e", b"tar")
    assert (ended.status, ended.missing) == (7, ["nope"])


ECHO = r"""
    send(frames.UP)
    while True:
        for kind, payload in reader.feed(port.recv(100)):
            if kind == frames.IN_END:
                send(frames.STATUS, b"0")
                send(frames.DONE)
                time.sleep(60)
            send(frames.OUT, payload)
"""


def test_standard_input_is_forwarded_to_its_end(tmp_path):
    (tmp_path / "in").write_bytes(os.urandom(300_000))
    with (tmp_path / "in").open("rb") as file:
        assert talk(ECHO, given=file.fileno())[1] == (tmp_path / "in").read_bytes()


def test_an_empty_standard_input_ends_at_once():
    assert talk(ECHO)[1] == b""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may ask for real-time priority")
def test_the_thread_that_serves_the_guests_timers_goes_before_the_guests_processors():
    _, out, _, _ = talk("""
        import threading
        policies = [os.sched_getscheduler(0)]
        processor = threading.Thread(target=lambda: policies.append(os.sched_getscheduler(0)))
        processor.start()
        processor.join()
        send(frames.UP)
        send(frames.OUT, repr(policies).encode())
        send(frames.STATUS, b"0")
        send(frames.DONE)
        time.sleep(60)
    """)
    assert out.decode() == repr([os.SCHED_FIFO | os.SCHED_RESET_ON_FORK, os.SCHED_OTHER])


@pytest.mark.parametrize(("script", "why"), [
    ("send(frames.UP); console.sendall(b'[1] Kernel panic - not syncing: lost\\r\\nRAX 0\\r\\n')",
     r"the guest ended before the command did; .* From its console:\n  \[1\] Kernel panic - not syncing: lost$"),
    ("console.sendall(b'longhaul: could not mount the image in the guest\\r\\n')",
     r"the guest ended before it was up; .*\n  longhaul: could not mount the image in the guest$"),
    ("print('qemu-system-x86_64: no such option', file=sys.stderr, flush=True); sys.exit(1)",
     r"the guest ended before it was up; .*\n  qemu-system-x86_64: no such option$"),
    ("send(frames.UP); port.sendall(b'login: '); time.sleep(60)", r"something else than the agent wrote to its port"),
])  # fmt: skip
def test_a_guest_that_fails_is_an_error_with_its_cause(script, why):
    with pytest.raises(VmError) as error:
        talk(script)
    assert re.search(why, str(error.value)), str(error.value)


@pytest.mark.parametrize(("script", "limits", "why"), [
    ("time.sleep(60)", Limits(0.3, 60), "the guest did not come up within 300 ms"),
    ("send(frames.UP); time.sleep(60)", Limits(60, 0.3), "the guest gave no sign of life for 300 ms"),
    ("send(frames.UP)\nwhile True:\n    send(frames.BEAT)\n    time.sleep(0.01)", Limits(60, 60, 0.5),
     "the command did not end within 500 ms; give it longer with --timeout"),
])  # fmt: skip
def test_a_guest_that_hangs_is_ended(script, limits, why):
    began = time.monotonic()
    with pytest.raises(VmError, match=why):
        talk(script, limits)
    assert time.monotonic() - began < 5


def test_a_guest_dies_with_the_command_that_is_killed(tmp_path):
    code = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
from experiments.harness.vm import session
from experiments.harness.vm.deadlines import Limits
guest = "import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(60)"
session.run(lambda port, console: [sys.executable, "-c", guest], (), session.Streams(None, 1, 2, None), Limits())
"""
    with subprocess.Popen([sys.executable, "-c", code]) as command:
        assert wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
        guest = (tmp_path / "pid").read_text()
        command.kill()
    assert wait_until(lambda: not _alive(guest))


def _alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_a_reader_of_ours_who_takes_long_is_not_the_guests_silence():
    reading, writing = os.pipe()
    slow = subprocess.Popen([sys.executable, "-c", "import sys, time; time.sleep(1); sys.stdin.buffer.read()"], stdin=reading)
    os.close(reading)
    script = """
        send(frames.UP)
        for _ in range(20):
            send(frames.OUT, bytes(50000))
        send(frames.STATUS, b"0")
        send(frames.DONE)
        time.sleep(60)
    """

    def command(port, console):
        return [sys.executable, "-c", GUEST + textwrap.dedent(script), str(port), str(console)]

    ended = session.run(command, (), session.Streams(None, writing, 2, io.BytesIO()), Limits(10, 0.5))
    os.close(writing)
    slow.wait()
    assert ended.status == 0
