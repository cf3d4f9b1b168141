"""The sandbox: a process tree in its own PID, mount and network namespaces (and user namespace when not root).

It is not a container: it shares the machine's files. Its one property is that it leaves nothing: when the command
ends in any way, `kill -9` included, the kernel ends every process in it and removes every interface and mount.

    command (waits)  --SIGKILL on death-->  holder (owns the namespaces)  --same-->  init (PID 1)  -->  the lab
"""

from __future__ import annotations

import ctypes
import os
import signal
import struct
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

NEWNS, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET = (
    0x00020000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_BIND, MS_REC, MS_PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
PR_SET_PDEATHSIG, PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE = 1, 47, 2
CAPABILITY_VERSION_3 = 0x20080522
FORWARDED = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

_libc = ctypes.CDLL(None, use_errno=True)


class SandboxError(Exception):
    """The machine does not let a lab be made; the message says what was tried, why it failed and what to do."""


def run(lab: Callable[[], int], keep: tuple[Path, ...] = ()) -> int:
    """Run `lab` in a new sandbox and return its exit status (128 + signal number when it was killed).

    `keep` are folders that must stay visible inside. Raises SandboxError when the namespaces cannot be made.
    """
    flush()
    report, tell = os.pipe()
    command = os.getpid()
    holder = os.fork()
    if holder == 0:
        os.close(report)
        _leave(lambda: _hold(lab, command, tell, keep))
    os.close(tell)
    # Ctrl-C reaches every process of the terminal's group; only the lab answers it.
    before = {number: signal.signal(number, lambda n, _f: os.kill(holder, n)) for number in FORWARDED}
    before[signal.SIGINT] = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with os.fdopen(report) as pipe:
            problem = pipe.read()
        status = _wait_for(holder)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if problem:
        raise SandboxError(problem)
    return status


def _hold(lab: Callable[[], int], command: int, tell: int, keep: tuple[Path, ...]) -> int:
    try:
        _make_namespaces(os.geteuid(), os.getegid())
        _die_with(command)
        holder = os.getpid()
        init = os.fork()
        if init == 0:
            _leave(lambda: _init(lab, holder, tell, keep))
    except SandboxError as error:
        os.write(tell, str(error).encode())
        return 1
    os.close(tell)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in FORWARDED:
        signal.signal(number, lambda n, _f: os.kill(init, n))
    return _wait_for(init)


def _init(lab: Callable[[], int], holder: int, tell: int, keep: tuple[Path, ...]) -> int:
    """PID 1 of the lab: mounts, starts the lab, reaps orphans, and takes everything along when it ends."""
    try:
        # The holder is outside this PID namespace, so its death cannot be read from getppid(), which is 0.
        _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if not Path(f"/proc/{holder}").exists():
            return 1
        _make_mounts(keep)
    except (SandboxError, OSError) as error:
        text = str(error) if isinstance(error, SandboxError) else f"could not make the lab's mounts: {error}"
        os.write(tell, text.encode())
        return 1
    os.close(tell)
    main = os.fork()
    if main == 0:
        _leave(lambda: _main(lab))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for number in FORWARDED:
        signal.signal(number, lambda n, _f: os.kill(main, n))
    while True:
        pid, status = os.wait()
        if pid == main:
            return _exit_status(status)


def _main(lab: Callable[[], int]) -> int:
    def interrupt(number: int, _frame: object) -> NoReturn:
        # Once: whoever stops a whole process group says it to everybody above, too, and each of them passes it on.
        for one in FORWARDED:
            signal.signal(one, lambda _n, _f: None)
        raise KeyboardInterrupt(signal.Signals(number).name)

    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in FORWARDED:
        signal.signal(number, interrupt)
    return lab()


def _make_namespaces(uid: int, gid: int) -> None:
    flags = NEWNS | NEWUTS | NEWIPC | NEWPID | NEWNET
    try:
        _call("unshare", flags if uid == 0 else flags | NEWUSER)
    except OSError as error:
        what, then = ("namespaces", "run it on a machine or in a container that lets root make namespaces")
        if uid != 0:
            what, then = "a user namespace", "run it with sudo, or allow user namespaces (`longhaul doctor` says how)"
        raise SandboxError(f"could not make {what} for the lab: {error.strerror}; {then}") from None
    if uid != 0:
        for name, text in (("setgroups", "deny"), ("uid_map", f"{uid} {uid} 1"), ("gid_map", f"{gid} {gid} 1")):
            try:
                Path(f"/proc/self/{name}").write_text(text)
            except OSError as error:
                raise SandboxError(
                    f"could not get power over a user namespace (/proc/self/{name}): {error.strerror}; "
                    "run it with sudo, or allow user namespaces (`longhaul doctor` says how)"
                ) from None
        _keep_powers()


def _keep_powers() -> None:
    """Keep every capability over the new user namespace across exec, as ambient ones (capabilities(7)).

    The user keeps the own user id instead of becoming root of the namespace: tcpdump, nginx, memcached and PostgreSQL
    change to another user when they find themselves root, and here there is no other.
    """
    header = struct.pack("Ii", CAPABILITY_VERSION_3, 0)
    state = ctypes.create_string_buffer(24)
    _call("capget", header, state)
    # Two times (effective, permitted, inheritable): capabilities 0 to 31, then 32 to 63.
    low, permitted, _, high, high_permitted, _ = struct.unpack("6I", state.raw)
    _call("capset", header, struct.pack("6I", low, permitted, permitted, high, high_permitted, high_permitted))
    for number in range(64):
        if (permitted | high_permitted << 32) >> number & 1:
            _call("prctl", PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, number, 0, 0)


def _make_mounts(keep: tuple[Path, ...]) -> None:
    mount("none", "/", "", MS_REC | MS_PRIVATE)
    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC)
    kept = [path.resolve() for path in (*keep, Path.cwd())]
    for candidate in (Path("/run"), Path("/mnt"), Path("/srv")):
        if candidate.is_dir() and not any(path.is_relative_to(candidate) for path in kept):
            mount("tmpfs", str(candidate), "tmpfs", MS_NOSUID | MS_NODEV, "mode=755")
            os.environ["LONGHAUL_SCRATCH"] = str(candidate)
            return
    raise SandboxError("could not make room for the lab's own files: /run, /mnt and /srv are all in use by this "
                       "checkout; move it elsewhere")  # fmt: skip


def scratch() -> Path:
    """The lab's own folder in memory, which goes with it. Only inside a sandbox."""
    return Path(os.environ["LONGHAUL_SCRATCH"])


def mount(source: str, target: str, kind: str, flags: int, data: str = "") -> None:
    """mount(2). Raises SandboxError."""
    try:
        _call("mount", source.encode(), target.encode(), kind.encode(), flags, data.encode())
    except OSError as error:
        raise SandboxError(
            f"could not mount {kind or source} on {target} in the lab: {error.strerror}; "
            "run it as root outside a restricted container"
        ) from None


def _die_with(parent: int) -> None:
    # Set after unshare(): a gain of capabilities clears it.
    _call("prctl", PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def _call(name: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char]) -> None:
    wide = [ctypes.c_ulong(a) if isinstance(a, int) else a for a in arguments]
    if getattr(_libc, name)(*wide) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _wait_for(child: int) -> int:
    _, status = os.waitpid(child, 0)
    return _exit_status(status)


def _exit_status(status: int) -> int:
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def flush() -> None:
    """Empty the output buffers, so that a fork does not print them twice."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:  # closed by the caller (`>&-`)
            stream.flush()


def _leave(work: Callable[[], int]) -> NoReturn:
    """Do `work` as all that this forked process does: nothing of the caller's stack may run a second time."""
    status = 70
    try:
        status = work()
    except KeyboardInterrupt:
        status = 130
    except BaseException:  # noqa: BLE001  # whatever it is must not unwind into the caller's copy
        traceback.print_exc()
    finally:
        try:
            flush()
        finally:
            os._exit(status)
