"""A certificate authority for a lab: a folder with the authority's certificate and key, and leaf certificates for names.

It is for machines that everyone here owns: the authority's key lies beside the certificate, readable by its owner
alone. `trustme` makes the certificates; what they say is decided here.
"""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from nodes.http.failure import USAGE, Failure

if TYPE_CHECKING:
    import trustme

AUTHORITY, AUTHORITY_KEY = "ca.pem", "ca.key"
DEFAULT_LIFETIME_S = 365 * 24 * 3600.0
BACKDATED = timedelta(hours=1)
"""A leaf is valid from an hour ago: the clocks of a lab's machines need not agree to the second."""

_UNSAFE = re.compile(r"[^A-Za-z0-9.\-]")


@dataclass(frozen=True)
class Leaf:
    """Where a leaf's chain and key are, and the authority that clients are to trust."""

    certificate: Path
    key: Path
    authority: Path


def issue(folder: Path, names: Sequence[str], lifetime_s: float = DEFAULT_LIFETIME_S) -> Leaf:
    """A new leaf for all `names` (host names and addresses), in files called after the first of them.

    The authority is made when the folder has none. A lifetime below zero gives a leaf that has expired. Raises Failure.
    """
    if not names:
        raise Failure("issue a certificate", "no name is given", "name a host or an address", USAGE)
    attempt = f"issue a certificate in {folder}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            authority = _authority(folder)
            now = datetime.now(UTC)
            ends = now + timedelta(seconds=lifetime_s)
            leaf = authority.issue_cert(*names, not_before=min(now - BACKDATED, ends - BACKDATED), not_after=ends)
            stem = _UNSAFE.sub("_", names[0])
            stem = "ca_" if stem == "ca" else stem  # a host may be called so; its files must not replace the authority's
            made = Leaf(folder / f"{stem}.pem", folder / f"{stem}.key", folder / AUTHORITY)
            _write(made.key, leaf.private_key_pem.bytes(), 0o600)
            _write(made.certificate, b"".join(blob.bytes() for blob in leaf.cert_chain_pems), 0o644)
    except OSError as error:
        cause = (error.strerror or str(error)).lower()
        raise Failure(attempt, cause, "name a folder that can be written") from error
    except (ValueError, OverflowError) as error:
        raise Failure(attempt, str(error), f"names are host names or addresses; {AUTHORITY} and {AUTHORITY_KEY} must be "
                                           "a pair, or both be absent", USAGE) from error  # fmt: skip
    return made


def _authority(folder: Path) -> trustme.CA:
    """The folder's authority, made when there is none."""
    import trustme  # a tenth of a second, which only those who want certificates should wait for

    certificate, key = folder / AUTHORITY, folder / AUTHORITY_KEY
    if certificate.exists() or key.exists():
        return trustme.CA.from_pem(certificate.read_bytes(), key.read_bytes())
    made = trustme.CA(organization_name="Longhaul lab", organization_unit_name="not for use outside it")
    _write(key, made.private_key_pem.bytes(), 0o600)
    _write(certificate, made.cert_pem.bytes(), 0o644)
    return made


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Daemons of one lab may start at once and share the folder; the first makes the authority."""
    handle = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def _write(path: Path, data: bytes, mode: int) -> None:
    """Whole or not at all, and never readable by more than `mode` allows."""
    beside = path.with_name(path.name + ".new")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, mode)
    with os.fdopen(handle, "wb") as file:
        file.write(data)
    os.replace(beside, path)
