"""The command-line options of TLS: a server's certificate, and how a daemon trusts origins.

It reads options; `tls.py` makes the contexts.
"""

from __future__ import annotations

import argparse
import ssl
from pathlib import Path

from nodes.http import authority
from nodes.http.failure import USAGE, Failure
from nodes.http.tls import VERSIONS, ClientTls, server_context


def add_server(made: argparse.ArgumentParser) -> None:
    """Options of every daemon that listens."""
    made.add_argument("--tls-certificate", metavar="FILE", type=Path,
                      help="speak TLS with this certificate chain (PEM, leaf first)")  # fmt: skip
    made.add_argument("--tls-key", metavar="FILE", type=Path, help="its key (PEM); left out: in the same file")
    made.add_argument("--tls-authority", metavar="DIR", type=Path,
                      help="speak TLS with a new certificate for --name and the address of --listen, from the lab's "
                           "authority in DIR, which is made when DIR has none")  # fmt: skip
    made.add_argument("--tls-version", choices=sorted(VERSIONS), help="this TLS version alone (default both)")


def server(options: argparse.Namespace, name: str, host: str) -> ssl.SSLContext | None:
    """The context of `add_server`'s options, None for plain HTTP. Raises Failure."""
    files = certificate(options, name, host)
    return None if files is None else server_context(*files, options.tls_version)


def certificate(options: argparse.Namespace, name: str, host: str) -> tuple[Path, Path | None] | None:
    """The files of `add_server`'s certificate and key (None: in the same file), None for plain HTTP. Raises Failure."""
    chain, key, folder = options.tls_certificate, options.tls_key, options.tls_authority
    if folder is not None:
        if chain is not None or key is not None:
            raise Failure("choose a certificate", "--tls-authority stands beside --tls-certificate or --tls-key",
                          "give one of them", USAGE)  # fmt: skip
        leaf = authority.issue(folder, _names(name, host))
        return leaf.certificate, leaf.key
    if chain is None:
        if key is not None or options.tls_version is not None:
            raise Failure("speak TLS", "there is no certificate", "add --tls-certificate or --tls-authority", USAGE)
        return None
    return chain, key


def add_client(made: argparse.ArgumentParser) -> None:
    """Options of a daemon that asks origins."""
    made.add_argument("--origin-authority", metavar="FILE", type=Path,
                      help="trust the CA certificates in this file for https origins (default: the system's)")  # fmt: skip
    made.add_argument("--origin-insecure", action="store_true", help="trust any certificate of an https origin")
    made.add_argument("--origin-tls-version", choices=sorted(VERSIONS), help="this TLS version alone (default both)")


def client(options: argparse.Namespace) -> ClientTls:
    """What `add_client`'s options say; tried at once, so that a wrong file is told at the start. Raises Failure."""
    if options.origin_insecure and options.origin_authority is not None:
        raise Failure("choose whom to trust", "--origin-insecure stands beside --origin-authority", "give one of them", USAGE)
    made = ClientTls(options.origin_authority, not options.origin_insecure, options.origin_tls_version)
    made.context()
    return made


def _names(name: str, host: str) -> list[str]:
    """What a daemon's certificate is for: its name where it can be a host's, where it listens, and this machine."""
    names = [name] if all(char.isalnum() or char in ".-" for char in name) else []
    for one in (host, "localhost", "127.0.0.1", "::1"):
        if one and one not in names and one not in ("0.0.0.0", "::"):
            names.append(one)
    return names
