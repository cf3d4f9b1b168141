"""What is decided about a VM before anything is started: its image's name, its sources, its machine, its limits."""

import gzip
import itertools
import lzma
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiments.harness.machine import code
from experiments.harness.vm import accelerator, frames, image, initramfs, sources
from experiments.harness.vm.console import Console
from experiments.harness.vm.deadlines import Deadlines, Limits
from experiments.harness.vm.errors import VmUnsupportedError
from experiments.harness.vm.machine import counts_steadily, machine
from experiments.harness.vm.qemu import Files, Shape, command
from tests.labkit import ROOT

RECIPE = {"provision.sh": b"a b", "requirements.lock": b"c"}
DEBIAN = 'ID=debian\nVERSION_CODENAME=bookworm\nPRETTY_NAME="Debian GNU/Linux 12"\n'
UBUNTU = "ID=ubuntu\nVERSION_CODENAME=noble\n"


def test_an_image_has_another_name_when_anything_it_is_made_of_is_another():
    names = {
        image.name(image.base("bookworm", "amd64", RECIPE), "6.1-1"),
        image.name(image.base("bookworm", "amd64", RECIPE), "6.1-2"),
        image.name(image.base("trixie", "amd64", RECIPE), "6.1-1"),
        image.name(image.base("bookworm", "arm64", RECIPE), "6.1-1"),
        *(image.name(image.base("bookworm", "amd64", {**RECIPE, name: b"!"}), "6.1-1") for name in RECIPE),
        image.name(image.base("bookworm", "amd64", {"provision.sh": b"a ", "requirements.lock": b"bc"}), "6.1-1"),
    }
    assert len(names) == 7
    assert image.base("bookworm", "amd64", RECIPE) == image.base("bookworm", "amd64", dict(reversed(RECIPE.items())))


def test_the_name_of_an_image_is_the_name_of_a_folder_whatever_the_version_of_the_kernel():
    assert image.name("b", "1:6.1.1/2~bpo+1") == "b-1_6.1.1_2~bpo+1"


def test_every_file_of_the_recipe_exists():
    assert [name for name in image.RECIPE if not (ROOT / name).is_file()] == []


def test_a_debian_machine_gives_its_own_sources_and_only_debians():
    targets = ("http://mirror.test/debian/|bookworm|bookworm|main\n"
               "http://mirror.test/debian/|bookworm|bookworm|main\n"
               "http://mirror.test/debian/|bookworm|bookworm|contrib\n"
               "http://mirror.test/debian-security/|oldstable-security|bookworm-security|main\n"
               "https://elsewhere.test/node|nodistro|nodistro|main\n")  # fmt: skip
    suite = sources.suite(DEBIAN)
    assert suite == "bookworm"
    assert sources.lines(suite, targets) == [
        "deb http://mirror.test/debian/ bookworm main", "deb http://mirror.test/debian-security/ oldstable-security main",
    ]  # fmt: skip


def test_another_distribution_gets_debian_from_debians_mirror():
    suite = sources.suite(UBUNTU)
    lines = sources.lines(suite, "http://archive.test/ubuntu/|noble|noble|main\n")
    assert suite == "bookworm"
    assert lines[0] == "deb http://deb.debian.org/debian bookworm main"
    assert len(lines) == 3


def test_a_proxy_of_apt_is_handed_on_and_nothing_else_is():
    dump = ('Acquire::http::Proxy "http://proxy.test:3128";\nAcquire::https::proxy::host.test "DIRECT";\n'
            'Acquire::http::Pipeline-Depth "5";\nAcquire::http::proxy "";\n')  # fmt: skip
    assert sources.proxies(dump) == [
        'Acquire::http::Proxy "http://proxy.test:3128";', 'Acquire::https::proxy::host.test "DIRECT";',
        'Acquire::http::proxy "";',
    ]  # fmt: skip


def test_the_candidate_of_apt_is_read_and_none_is_none():
    assert sources.candidate("linux:\n  Installed: 6.1-1\n  Candidate: 6.1-2\n  Version table:\n") == "6.1-2"
    assert sources.candidate("linux:\n  Installed: (none)\n  Candidate: (none)\n") == ""
    assert sources.candidate("") == ""


def test_qemu_gets_no_network_no_default_device_and_an_image_that_it_may_not_change():
    files = Files(ROOT / "vmlinuz", ROOT / "initramfs.gz", ROOT / "a,b.img")
    line = command(machine("x86_64"), files, Shape(2 << 30, 3, "tcg", True), "/dev/fd/9", 7, 8)
    pairs = dict(itertools.pairwise(line))
    assert line[0] == "qemu-system-x86_64"
    assert "-nodefaults" in line
    assert pairs["-nic"] == "none"
    assert pairs["-m"] == "2048M"
    assert pairs["-smp"] == "3"
    assert pairs["-accel"] == "tcg,thread=multi"
    assert f"if=none,id=image,format=raw,file={ROOT}/a,,b.img,snapshot=on,cache=unsafe" in line
    assert "if=none,id=job,format=raw,file=/dev/fd/9,readonly=on" in line
    assert "socket,id=port,fd=7" in line
    assert "socket,id=console,fd=8" in line


def test_the_processor_chooses_the_machine():
    arm = machine("aarch64")
    line = command(arm, Files(ROOT, ROOT, ROOT), Shape(1 << 30, 1, "kvm", True), "job", 3, 4)
    assert (arm.debian, arm.kernel_package) == ("arm64", "linux-image-cloud-arm64")
    assert line[0] == "qemu-system-aarch64"
    assert "host" in line
    assert any(word.startswith("console=ttyAMA0") for word in line)
    with pytest.raises(VmUnsupportedError, match=r"could not choose a guest: there is none for riscv64; .*x86_64"):
        machine("riscv64")


@pytest.mark.parametrize(("processor", "accelerator", "steady", "trusts"), [
    ("x86_64", "tcg", True, True), ("x86_64", "tcg", False, False), ("x86_64", "kvm", True, False),
    ("aarch64", "tcg", True, False),
])  # fmt: skip
def test_an_emulated_guest_trusts_its_counter_where_the_machines_own_is_steady(processor, accelerator, steady, trusts):
    line = command(machine(processor), Files(ROOT, ROOT, ROOT), Shape(1 << 30, 1, accelerator, steady), "job", 3, 4)
    assert ("tsc=reliable" in line[line.index("-append") + 1].split()) is trusts


@pytest.mark.parametrize(("flags", "steady"), [
    ("fpu tsc constant_tsc nonstop_tsc", True), ("fpu tsc constant_tsc", False), ("fpu tsc nonstop_tsc", False), ("", False),
])  # fmt: skip
def test_a_counter_is_steady_when_it_keeps_its_rate_and_never_stops(flags, steady):
    assert counts_steadily(f"processor\t: 0\nflags\t\t: {flags}\nbugs\t\t: constant_tsc nonstop_tsc\n\n") is steady
    assert not counts_steadily("processor\t: 0\nFeatures\t: fp asimd\n")


@pytest.mark.parametrize(("asked", "usable", "remembered", "decided"), [
    ("auto", False, None, "tcg"), ("auto", True, None, "try"), ("auto", True, False, "tcg"), ("auto", True, True, "kvm"),
    ("auto", False, True, "tcg"), ("tcg", True, True, "tcg"), ("kvm", True, False, "kvm"),
])  # fmt: skip
def test_kvm_is_taken_only_where_a_guest_has_booted_under_it(asked, usable, remembered, decided):
    assert accelerator.decide(asked, usable, remembered) == decided


def test_kvm_that_is_not_here_is_refused_when_it_was_asked_for():
    with pytest.raises(VmUnsupportedError, match="could not use KVM: /dev/kvm"):
        accelerator.decide("kvm", False, None)


def test_the_answer_about_kvm_is_remembered_for_this_kernel(tmp_path, monkeypatch):
    assert accelerator.recall(tmp_path) is None
    accelerator.remember(tmp_path, False)
    assert accelerator.recall(tmp_path) is False
    monkeypatch.setattr(accelerator.platform, "release", lambda: "7.0-other")
    assert accelerator.recall(tmp_path) is None


def test_a_run_in_a_guest_knows_the_revision_that_it_was_told(monkeypatch, tmp_path):
    (tmp_path / "units.py").touch()
    monkeypatch.setenv("LONGHAUL_REVISION", "abc123 dirty")
    assert code(tmp_path)["revision"] == "abc123"
    assert code(tmp_path)["dirty"] is True
    monkeypatch.setenv("LONGHAUL_REVISION", "abc123")
    assert code(tmp_path)["dirty"] is False
    monkeypatch.delenv("LONGHAUL_REVISION")
    assert code(tmp_path)["revision"].startswith("unknown")


DEP = ("kernel/virtio.ko:\nkernel/virtio-ring.ko: kernel/virtio.ko\n"
       "kernel/virtio_pci.ko: kernel/modern.ko kernel/virtio.ko kernel/virtio-ring.ko\nkernel/modern.ko:\n"
       "kernel/virtio_blk.ko.xz: kernel/virtio.ko kernel/virtio-ring.ko\n")  # fmt: skip


def test_modules_are_loaded_behind_what_they_need_and_once():
    order = initramfs.load_order(DEP, "kernel/fs/ext4/ext4.ko\n", ("virtio_pci", "virtio_blk", "ext4"))
    assert sorted(order) == sorted(line.partition(":")[0] for line in DEP.splitlines())
    assert order.index("kernel/virtio.ko") < order.index("kernel/virtio-ring.ko") < order.index("kernel/virtio_pci.ko")


def test_a_module_that_the_kernel_has_not_is_no_quiet_omission():
    with pytest.raises(KeyError, match="virtio_console"):
        initramfs.load_order(DEP, "", ("virtio_console",))


@pytest.mark.skipif(not shutil.which("cpio"), reason="no cpio here to read it with")
def test_the_archive_is_what_cpio_reads(tmp_path):
    modules = {"kernel/a-b.ko": b"one", "kernel/c.ko.xz": lzma.compress(b"two")}
    (tmp_path / "archive").write_bytes(gzip.decompress(initramfs.build(b"box", b"script", modules)))
    subprocess.run(["cpio", "--quiet", "-idm", "-F", "archive"], cwd=tmp_path, check=True)
    assert (tmp_path / "bin/busybox").read_bytes() == b"box"
    assert (tmp_path / "init").stat().st_mode & 0o111
    assert (tmp_path / "modules/order").read_text() == "00-a_b.ko\n01-c.ko\n"
    assert (tmp_path / "modules/01-c.ko").read_bytes() == b"two"
    assert (tmp_path / "proc").is_dir()


def test_a_guest_has_each_of_its_three_limits():
    limits = Limits(boot_s=10, silence_s=5, total_s=100)
    late = Deadlines(limits, 1000.0)
    assert late.overdue(1009.9) == ""
    assert late.overdue(1010.0).startswith("the guest did not come up within 10 s")
    up = Deadlines(limits, 1000.0)
    up.heard(1009.0)
    assert up.overdue(1013.9) == ""
    assert up.left_s(1013.0) == 1.0
    assert up.overdue(1014.0).startswith("the guest gave no sign of life for 5000 ms")
    for now in range(1010, 1100):
        up.heard(float(now))
    assert up.left_s(1099.5) == 0.5
    assert up.overdue(1100.0).startswith("the command did not end within 100 s")


def test_without_a_limit_on_the_whole_a_guest_that_lives_may_take_for_ever():
    deadlines = Deadlines(Limits(10, 5, None), 0.0)
    deadlines.heard(1e6)
    assert deadlines.overdue(1e6 + 1) == ""


def test_the_console_tells_the_panic_rather_than_the_last_lines_and_keeps_its_size():
    console = Console()
    assert console.last_words() == " (it said nothing)"
    console.add(b"booting\r\nfine\r\n")
    assert console.last_words() == "\n  booting\n  fine"
    console.add(b"[ 1.0] Kernel panic - not syncing: no root\r\n" + b"RAX: 0\r\n" * 50)
    assert console.last_words() == "\n  [ 1.0] Kernel panic - not syncing: no root"
    console.add(b"x\n" * (1 << 16))
    assert "panic" not in console.last_words()
    assert not console.out_of_memory
    console.add(b"Out of memory: Killed process 1\n")
    assert console.out_of_memory


@given(st.lists(st.tuples(st.sampled_from(sorted(frames.KINDS)), st.binary(max_size=100))), st.integers(1, 50))
def test_frames_arrive_as_they_were_sent_in_pieces_of_any_size(sent, size):
    stream = b"".join(frames.frame(kind, payload) for kind, payload in sent)
    reader, got = frames.Reader(), []
    for at in range(0, len(stream), size):
        got += reader.feed(stream[at : at + size])
    assert got == sent


@pytest.mark.parametrize("noise", [b"login: ", b"\x01\xff\xff\xff\xff", b"\0\0\0\0\0"])
def test_bytes_that_are_no_frame_are_refused(noise):
    with pytest.raises(frames.FrameError):
        frames.Reader().feed(noise)
    with pytest.raises(frames.FrameError):
        frames.frame(frames.OUT, bytes(frames.MOST_BYTES + 1))
