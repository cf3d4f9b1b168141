"""TLS of a measured fetch: whom to trust, which version, whose session; and what the handshake was.

It does not measure: the time of the handshake is libcurl's APPCONNECT.
"""

from __future__ import annotations

import re

import pycurl

from nodes.client.order import Order

_VERSIONS = {
    None: pycurl.SSLVERSION_TLSv1_2, "1.2": pycurl.SSLVERSION_TLSv1_2 | pycurl.SSLVERSION_MAX_TLSv1_2,
    "1.3": pycurl.SSLVERSION_TLSv1_3,
}  # fmt: skip
_SPOKEN = re.compile(r"SSL connection using TLSv(1\.\d)")
_CERTIFICATE = re.compile(r"TLSv1\.\d \(IN\), TLS handshake, Certificate \(11\)")
"""The server's; a handshake that resumes a session has none."""


class Handshake:
    """What libcurl says of the handshake, if there was one."""

    def __init__(self) -> None:
        self.version: str | None = None
        self.session_offered: bool | None = None
        self.session_resumed: bool | None = None
        self._offers = self._certified = False

    def hear(self, kind: int, line: bytes) -> None:
        """One line of libcurl's account; there is no other way to ask it."""
        if kind != pycurl.INFOTYPE_TEXT:
            return
        text = line.decode("latin-1")
        if text.startswith("SSL reusing session"):
            self._offers = True
        elif _CERTIFICATE.match(text):
            self._certified = True
        elif spoken := _SPOKEN.match(text):
            self.version, self.session_offered = spoken[1], self._offers
            self.session_resumed = self._offers and not self._certified


def secure(handle: pycurl.Curl, order: Order, handshake: Handshake) -> None:
    """Set up a handle for an https URL."""
    handle.setopt(pycurl.SSLVERSION, _VERSIONS[order.tls_version])
    handle.setopt(pycurl.SSL_SESSIONID_CACHE, order.tls_session == "reuse")
    if order.early_data:
        handle.setopt(pycurl.SSL_OPTIONS, pycurl.SSLOPT_EARLYDATA)
    if order.tls_groups is not None:
        handle.setopt(pycurl.SSL_EC_CURVES, order.tls_groups)
    if order.cacert is not None:
        handle.setopt(pycurl.CAINFO, order.cacert)
    if order.insecure:
        handle.setopt(pycurl.SSL_VERIFYPEER, 0)
        handle.setopt(pycurl.SSL_VERIFYHOST, 0)
    handle.setopt(pycurl.VERBOSE, 1)
    handle.setopt(pycurl.DEBUGFUNCTION, handshake.hear)
