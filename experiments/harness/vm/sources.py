"""Where the image's packages come from: this machine's own apt sources when it is a Debian. It is pure.

On another distribution the image is Debian all the same, from Debian's mirror: the kernel is named by Debian's package.
"""

from __future__ import annotations

import re

MIRROR = "http://deb.debian.org/debian"
SECURITY = "http://deb.debian.org/debian-security"
DEFAULT_SUITE = "bookworm"
TARGETS = "$(REPO_URI)|$(RELEASE)|$(CODENAME)|$(COMPONENT)"
"""The format that `lines` reads, for `apt-get indextargets --format` (apt-get(8))."""


def suite(os_release: str) -> str:
    """From the text of os-release(5)."""
    facts = dict(re.findall(r'^(\w+)="?(.*?)"?$', os_release, re.MULTILINE))
    return facts.get("VERSION_CODENAME", DEFAULT_SUITE) if facts.get("ID") == "debian" else DEFAULT_SUITE


def lines(of: str, targets: str) -> list[str]:
    """Lines of sources.list(5) for a suite, from apt's index targets in the format TARGETS, else Debian's mirror."""
    wanted = {of, f"{of}-updates", f"{of}-security"}
    own: dict[str, None] = {}
    for line in targets.splitlines():
        uri, release, codename, component = line.split("|")
        if component == "main" and {release, codename} & wanted:
            own[f"deb {uri} {release} main"] = None
    return list(own) or [f"deb {MIRROR} {of} main", f"deb {MIRROR} {of}-updates main", f"deb {SECURITY} {of}-security main"]


def proxies(apt_config: str) -> list[str]:
    """The lines of `apt-config dump` that name a proxy, as options for the image's apt (apt-transport-http(1))."""
    return [line for line in apt_config.splitlines() if re.match(r"Acquire::\w+::proxy(::\S+)? \"", line, re.IGNORECASE)]


def candidate(policy: str) -> str:
    """The version that `apt-cache policy PACKAGE` would install; empty when it knows none."""
    found = re.search(r"^  Candidate: (\d\S*)$", policy, re.MULTILINE)
    return found[1] if found else ""
