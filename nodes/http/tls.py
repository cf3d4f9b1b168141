"""TLS 1.2 and 1.3 for servers and for connections to origins, by the standard library, and its errors in words.

It makes no certificates (`authority.py` does) and reads no socket. Sessions are resumed on both sides: by tickets, or
under TLS 1.2 by the server's session cache. ALPN offers `http/1.1` alone.
"""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from nodes.http.failure import USAGE, Failure

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}
ALPN = ["http/1.1"]


class ClientContext(ssl.SSLContext):
    """A client's context for one origin, which offers the session that is put into `offered`.

    asyncio makes its TLS objects by `wrap_bio` and has no parameter for a session; hence this class.
    """

    offered: ssl.SSLSession | None = None
    trust: ClientTls

    def wrap_bio(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO, server_side: bool = False,
                 server_hostname: Any = None, session: ssl.SSLSession | None = None) -> ssl.SSLObject:  # fmt: skip
        """As SSLContext.wrap_bio."""
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session or self.offered)


@dataclass(frozen=True)
class ClientTls:
    """How origins are trusted: `authority` is a PEM file of CA certificates, None the system's; `verify` False trusts
    anyone. `version` pins TLS `1.2` or `1.3`."""

    authority: Path | None = None
    verify: bool = True
    version: str | None = None

    def context(self) -> ClientContext:
        """A new context. Raises Failure when the authority cannot be read."""
        context = ClientContext(ssl.PROTOCOL_TLS_CLIENT)
        context.trust = self
        context.set_alpn_protocols(ALPN)
        _bound(context, self.version)
        if not self.verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        elif self.authority is None:
            context.load_default_certs(ssl.Purpose.SERVER_AUTH)
        else:
            try:
                context.load_verify_locations(self.authority)
            except OSError as error:  # ssl.SSLError is one: a file without certificates
                cause = "it holds no certificates" if isinstance(error, ssl.SSLError) else (error.strerror or str(error))
                raise Failure(f"trust the authority {self.authority}", cause.lower(), "name a PEM file of CA certificates",
                              USAGE) from error  # fmt: skip
        return context


def server_context(certificate: Path, key: Path | None = None, version: str | None = None) -> ssl.SSLContext:
    """A server's context from PEM files: the chain, leaf first, and its key (None: in the same file). Raises Failure.

    Tickets are sealed by keys that live in this object: processes resume each other's sessions only if it was made
    before they were forked.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_alpn_protocols(ALPN)
    _bound(context, version)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        names = f"{certificate}" + (f" with {key}" if key else "")
        if isinstance(error, ssl.SSLError):
            mismatch = "KEY_VALUES_MISMATCH" in str(error.reason)
            cause = "the key is not the certificate's" if mismatch else "no PEM certificate and key are in there"
        else:
            cause = (error.strerror or str(error)).lower()
        raise Failure(f"use the TLS certificate {names}", cause,
                      "name PEM files with --tls-certificate and --tls-key", USAGE) from error  # fmt: skip
    return context


def _bound(context: ssl.SSLContext, version: str | None) -> None:
    if keys := os.environ.get("SSLKEYLOGFILE"):  # as browsers and libcurl do, so that a capture can be decrypted
        context.keylog_filename = keys
    context.minimum_version = VERSIONS[version] if version else ssl.TLSVersion.TLSv1_2
    if version:
        context.maximum_version = VERSIONS[version]


_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH = 62, 64
_EXPIRED, _NOT_YET = 10, 9
_UNKNOWN = {18, 19, 20, 21}
"""X509_V_ERR_*: self-signed, self-signed in the chain, no local issuer, no chain."""


def is_for_another(error: ssl.SSLError) -> bool:
    """Whether the certificate is good but for other names than the one that was wanted."""
    code = error.verify_code if isinstance(error, ssl.SSLCertVerificationError) else 0
    return code in (_HOSTNAME_MISMATCH, _ADDRESS_MISMATCH)


def tls_fault(error: ssl.SSLError, where: str, name: str, names: tuple[str, ...] = ()) -> str:
    """A failed handshake with the origin at `where`, which should be `name`, in one sentence; `names` are those of its
    certificate where they are known."""
    if not isinstance(error, ssl.SSLCertVerificationError):
        if error.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "UNEXPECTED_MESSAGE", "RECORD_LAYER_FAILURE"):
            return f"the origin {where} does not speak TLS"
        words = (error.reason or str(error)).replace("_", " ").lower()
        return f"the TLS handshake with the origin {where} failed: {words}"
    code = error.verify_code
    if is_for_another(error):
        shown = ", ".join(names[:5]) + (", ..." if len(names) > 5 else "")
        why = f"its certificate is {f'for {shown}, ' if names else ''}not for {name}"
    elif code == _EXPIRED:
        why = "its certificate has expired"
    elif code == _NOT_YET:
        why = "its certificate is not valid yet"
    elif code in _UNKNOWN:
        why = "its certificate is from an authority that is not trusted here"
    else:
        why = error.verify_message.lower()
    return f"could not verify the origin {where}: {why}"
