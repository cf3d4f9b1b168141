"""What an image is made of, and the name that follows from it. It is pure; `build` makes images, `cache` keeps them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping

RECIPE = (
    "longhaul", "provision.sh", "requirements.lock", "experiments/harness/vm/build.py", "experiments/harness/vm/customise.sh",
    "experiments/harness/vm/initramfs.py", "experiments/harness/vm/guest/initramfs.sh",
)  # fmt: skip
"""The files of the checkout that an image depends on. The agent and init.sh come with the checkout of each run instead."""


def base(suite: str, architecture: str, recipe: Mapping[str, bytes]) -> str:
    """The name of an image without its kernel: changes with the suite, the architecture and every file of the recipe."""
    digest = hashlib.sha256()
    for name in sorted(recipe):
        digest.update(f"{name}\0{len(recipe[name])}\0".encode() + recipe[name])
    return f"{suite}-{architecture}-{digest.hexdigest()[:12]}"


def name(base_name: str, kernel_version: str) -> str:
    """The name of an image, with the version of the kernel's package."""
    return f"{base_name}-{re.sub(r'[^A-Za-z0-9.+~-]', '_', kernel_version)}"
