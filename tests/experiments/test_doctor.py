"""The doctor says of the VM whether it could run, and what would change that; labs run without it."""

import shutil

import pytest

from experiments.harness import doctor
from experiments.harness.vm import build


@pytest.fixture
def qemu(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda tool: f"/usr/bin/{tool}")


def test_without_qemu_the_vm_is_absent_and_labs_are_not_limited(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda tool: None)
    found = doctor.guest()
    assert (found.level, found.remedy) == ("without", "sudo ./provision.sh --vm")


@pytest.mark.usefixtures("qemu")
@pytest.mark.parametrize(("image", "level", "remedy"), [(None, "without", "sudo ./longhaul vm build"), (object(), "can", "")])
def test_the_vm_can_run_once_its_image_is_built(monkeypatch, image, level, remedy):
    monkeypatch.setattr(build, "current", lambda where: image)
    found = doctor.guest()
    assert (found.level, found.remedy) == (level, remedy)


@pytest.mark.usefixtures("qemu")
def test_a_processor_without_a_guest_is_named(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    found = doctor.guest()
    assert found.level == "without"
    assert "riscv64" in found.words
