"""Repr-Digest (RFC 9530) of sha-256: writing the field and reading it.

It does not hash: it turns digests into fields and back. Other algorithms in the field are ignored.
"""

from __future__ import annotations

import base64
import binascii
import re

_SHA256 = re.compile(r"(?:^|,)\s*sha-256=:([A-Za-z0-9+/=]+):", re.ASCII)


def repr_digest(sha256: bytes) -> str:
    """The field's value for a digest of 32 bytes."""
    return f"sha-256=:{base64.b64encode(sha256).decode('ascii')}:"


def sha256_of(value: str | None) -> bytes | None:
    """The sha-256 a Repr-Digest field states, or None when it states none that is well formed."""
    match = _SHA256.search(value or "")
    if not match:
        return None
    try:
        digest = base64.b64decode(match.group(1), validate=True)
    except binascii.Error:
        return None
    return digest if len(digest) == 32 else None


def wants_sha256(value: str | None) -> bool:
    """Whether a Want-Repr-Digest field asks for sha-256 with a preference above zero (RFC 9530, section 4)."""
    for member in (value or "").split(","):
        name, _, preference = member.strip().partition("=")
        if name.strip() == "sha-256":
            return preference.strip() != "0"
    return False
