"""The checkout on its way into a guest, results on their way back, and the cache of images."""

import io
import json
import os
import subprocess
import tarfile

import pytest

from experiments.harness.status import UsageError
from experiments.harness.vm import bring, cache, checkout
from experiments.harness.vm.errors import VmError

FACTS = {"base": "b", "kernel": "6.1-1", "suite": "bookworm", "built": "2026-01-01T00:00:00+00:00"}


@pytest.fixture
def tree(tmp_path):
    """A checkout with a tracked, a changed, an untracked, a deleted and several ignored files."""
    root = tmp_path / "tree"
    ignored = ".venv/\n.venv.lock\nresults/runs/\n__pycache__/\n"
    for name, text in {".gitignore": ignored, "longhaul": "#!/bin/sh\n", "a/tracked.py": "old", "gone.py": "",
                       "a/__pycache__/x.pyc": "", ".venv/bin/python": "", ".venv.lock": "",
                       "results/runs/e/1/trials.csv": "", "results/report.py": ""}.items():  # fmt: skip
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (root / "longhaul").chmod(0o755)
    git = ["git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@t.test"]
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run([*git, *command], check=True)
    (root / "gone.py").unlink()
    (root / "a/tracked.py").write_text("as it is")
    (root / "a/new file.py").write_text("untracked")
    (root / "link").symlink_to("longhaul")
    return root


SENT = [".gitignore", "a/new file.py", "a/tracked.py", "link", "longhaul", "results/report.py"]


def test_the_working_tree_goes_as_it_is_without_what_git_ignores(tree):
    assert checkout.files(tree) == SENT


def test_a_tree_that_is_no_git_checkout_goes_too(tree):
    subprocess.run(["rm", "-r", str(tree / ".git")], check=True)
    assert checkout.files(tree) == SENT


def test_the_archive_holds_job_and_files_as_roots_and_leaves_out_what_vanished(tree):
    archive = io.BytesIO()
    job = checkout.Job(["sh", "-c", "echo 'a b'"], ["results/runs"], False, {"TERM": "xterm"})
    checkout.pack(tree, [*SENT, "vanished.py"], job, archive)
    archive.seek(0)
    with tarfile.open(fileobj=archive) as tar:
        members = {member.name: member for member in tar}
        assert set(members) == {"longhaul.job.json", *(f"longhaul/{name}" for name in SENT)}
        assert {member.uid for member in members.values()} == {0}
        assert members["longhaul/longhaul"].mode & 0o111
        assert members["longhaul/link"].linkname == "longhaul"
        assert tar.extractfile("longhaul/a/tracked.py").read() == b"as it is"
        assert json.load(tar.extractfile("longhaul.job.json")) == {
            "command": ["sh", "-c", "echo 'a b'"], "bring": ["results/runs"], "terminal": False,
            "environment": {"TERM": "xterm"},
        }  # fmt: skip
    assert len(archive.getvalue()) % 512 == 0, "a disk is whole sectors"


def archive(members):
    """A tar archive of names and contents; None makes a folder, a tuple a symbolic link."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            if content is None:
                info.type = tarfile.DIRTYPE
            elif isinstance(content, tuple):
                info.type, info.linkname = tarfile.SYMTYPE, content[0]
            else:
                info.size, info.mode, info.mtime = len(content), 0o640, 1_700_000_000
            tar.addfile(info, io.BytesIO(content if isinstance(content, bytes) else b""))
    made.seek(0)
    return made


def test_files_come_back_with_their_content_mode_and_time(tmp_path):
    members = {"results/runs/e/1": None, "results/runs/e/1/trials.csv": b"rows"}
    written = bring.unpack(archive(members), tmp_path, ["results/runs"])
    path = tmp_path / "results/runs/e/1/trials.csv"
    assert written == [path]
    assert path.read_bytes() == b"rows"
    assert (path.stat().st_mode & 0o777, path.stat().st_mtime) == (0o640, 1_700_000_000)
    assert [entry.name for entry in path.parent.iterdir()] == ["trials.csv"]


@pytest.mark.parametrize("name", ["/etc/passwd", "../outside", "results/runs/../../longhaul", "longhaul", "results/runs2/x"])
def test_nothing_that_was_not_asked_for_is_written(tmp_path, name):
    with pytest.raises(VmError, match="the guest was not asked for it"):
        bring.unpack(archive({"results/runs/fine": b"x", name: b"x"}), tmp_path, ["results/runs"])
    assert list(tmp_path.iterdir()) == []


def test_a_run_is_never_overwritten_and_another_file_is(tmp_path):
    for name in ("results/runs/e/1/x", "docs/x"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text("mine")
    bring.unpack(archive({"docs/x": b"new"}), tmp_path, ["results/runs", "docs"])
    assert (tmp_path / "docs/x").read_text() == "new"
    with pytest.raises(VmError, match=r"could not write .*results/runs/e/1/x: it is there already"):
        bring.unpack(archive({"results/runs/e/1/x": b"new"}), tmp_path, ["results/runs"])
    assert (tmp_path / "results/runs/e/1/x").read_text() == "mine"


def test_a_link_is_left_out_and_said_and_the_rest_is_written(tmp_path):
    with pytest.raises(VmError, match=r"could not bring back docs/evil: neither a file nor a folder"):
        bring.unpack(archive({"docs/evil": ("/etc",), "docs/x": b"x"}), tmp_path, ["docs"])
    assert [path.name for path in (tmp_path / "docs").iterdir()] == ["x"]


@pytest.mark.parametrize("path", ["/etc", "../x", "a/../../x", ""])
def test_only_paths_below_the_checkout_may_be_asked_for(path):
    with pytest.raises(UsageError, match="could not bring back"):
        bring.wanted(path)


def staged(where, size=3):
    path = cache.stage(where)
    for name in (cache.KERNEL, cache.INITRAMFS, cache.DISK):
        (path / name).write_bytes(bytes(size))
    return path


def test_an_image_is_there_when_it_was_adopted_and_replaces_those_before(tmp_path):
    with cache.lock(tmp_path, ""):
        first = cache.adopt(tmp_path, staged(tmp_path), "b-6.1-1", FACTS)
    assert cache.newest(tmp_path, "b").path == first.path == tmp_path / "b-6.1-1"
    assert cache.newest(tmp_path, "other") is None
    with cache.lock(tmp_path, ""):
        cache.adopt(tmp_path, staged(tmp_path), "b-6.1-2", {**FACTS, "kernel": "6.1-2"})
    assert [image.path.name for image in cache.images(tmp_path)] == ["b-6.1-2"]
    assert not first.path.exists()


def test_images_of_other_checkouts_stay_as_far_as_there_is_room(tmp_path):
    with cache.lock(tmp_path, ""):
        for number, base in enumerate("abcd"):
            cache.adopt(tmp_path, staged(tmp_path), f"{base}-6.1-1", {**FACTS, "base": base, "built": f"2026-01-0{number + 1}"})
    assert [image.facts["base"] for image in cache.images(tmp_path)] == ["d", "c", "b"]


def test_what_a_killed_build_left_is_no_image_and_goes_with_the_next(tmp_path):
    left = staged(tmp_path)
    (left / cache.DESCRIPTION).write_text(json.dumps({**FACTS, "sizes_bytes": {}}))
    assert cache.images(tmp_path) == []
    again = cache.stage(tmp_path)
    assert not left.exists()
    assert again.exists()


@pytest.mark.parametrize("spoil", [
    lambda path: (path / cache.DISK).unlink(),
    lambda path: os.truncate(path / cache.DISK, 2),
    lambda path: (path / cache.DESCRIPTION).write_text("{"),
    lambda path: (path / cache.DESCRIPTION).unlink(),
], ids=["disk gone", "disk cut off", "description cut off", "description gone"])  # fmt: skip
def test_an_image_that_is_not_whole_is_none_and_is_replaced(tmp_path, spoil):
    spoil(cache.adopt(tmp_path, staged(tmp_path), "b-6.1-1", FACTS).path)
    assert cache.newest(tmp_path, "b") is None
    cache.adopt(tmp_path, staged(tmp_path), "b-6.1-1", FACTS)
    assert cache.newest(tmp_path, "b") is not None


def test_the_cache_is_the_callers_through_sudo_and_where_xdg_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache.folder() == tmp_path / "longhaul" / "vm"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/me")
    assert str(cache.folder()) == "/home/me/.cache/longhaul/vm"
    monkeypatch.setenv("SUDO_UID", "1000")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(cache.pwd, "getpwuid", lambda uid: type("entry", (), {"pw_dir": f"/home/user{uid}"}))
    assert str(cache.folder()) == "/home/user1000/.cache/longhaul/vm"


def test_a_cache_that_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(VmError, match=r"could not use the cache .*; name another place in XDG_CACHE_HOME"), \
            cache.lock(tmp_path / "file" / "vm", ""):  # fmt: skip
        pass
