"""A TCP dialogue written down packet by packet and saved as a capture. It is no TCP: it says what it is told to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from scapy.layers.inet import IP, TCP
from scapy.layers.l2 import Ether
from scapy.utils import PcapWriter

START_NS = 1_790_000_000 * 10**9
OPTIONS = [("NOP", None), ("NOP", None), ("Timestamp", (1, 2))]
CLIENT, SERVER = "10.0.0.1", "10.0.1.1"


class Dialogue:
    """Segments between one client port and port 8080; `at_ms` counts from START_NS."""

    def __init__(self, client_port: int = 40_000, client_seq: int = 1000, server_seq: int = 5000) -> None:
        self.port, self.client_seq, self.server_seq = client_port, client_seq, server_seq
        self.packets: list[Any] = []

    def client(self, at_ms: float, flags: str = "A", payload: int = 0, seq: int = 1) -> Dialogue:
        """A segment from the client; `seq` counts from its SYN, so its first byte has 1."""
        return self._add(at_ms, (CLIENT, self.port), (SERVER, 8080), self.client_seq + seq, flags, payload)

    def server(self, at_ms: float, flags: str = "A", payload: int = 0, seq: int = 1) -> Dialogue:
        return self._add(at_ms, (SERVER, 8080), (CLIENT, self.port), self.server_seq + seq, flags, payload)

    def handshake(self, rtt_ms: float = 80.0, at_ms: float = 0.0) -> Dialogue:
        self.client(at_ms, "S", seq=0).server(at_ms + rtt_ms, "SA", seq=0)
        return self.client(at_ms + rtt_ms + 0.05)

    def _add(self, at_ms: float, source: tuple[str, int], to: tuple[str, int], seq: int, flags: str, size: int) -> Dialogue:
        tcp = TCP(sport=source[1], dport=to[1], seq=seq % 2**32, flags=flags, options=OPTIONS)
        ether = Ether(src="02:00:00:00:00:01", dst="02:00:00:00:00:02")
        packet = ether / IP(src=source[0], dst=to[0]) / tcp / (b"x" * size)
        packet.time = START_NS + round(at_ms * 1e6)
        self.packets.append(packet)
        return self

    def save(self, path: Path, snap_bytes: int = 65_535, nano: bool = True) -> Path:
        """A classic pcap with the packets in the order they were said."""
        writer = PcapWriter(str(path), nano=nano, linktype=1, sync=True)
        writer.write_header(None)
        for packet in self.packets:
            raw, time_ns = bytes(packet), int(packet.time)
            writer.write_packet(raw[:snap_bytes], sec=time_ns // 10**9, usec=time_ns % 10**9 // (1 if nano else 1000),
                                caplen=min(len(raw), snap_bytes), wirelen=len(raw))  # fmt: skip
        writer.close()
        return path


def page(response_bytes: int = 4000, port: int = 40_000, server_seq: int = 5000) -> Dialogue:
    """A whole fetch on a new connection over 80 ms: handshake, one request of 120 bytes, a response, the end."""
    talk = Dialogue(port, server_seq=server_seq).handshake(80.0)
    talk.client(80.1, "PA", payload=120)
    sent = 0
    while sent < response_bytes:
        size = min(1448, response_bytes - sent)
        talk.server(160.1 + sent / 1448, payload=size, seq=1 + sent)
        sent += size
    end_ms = 161.0 + response_bytes / 1448
    talk.client(end_ms, seq=121).client(end_ms + 1, "FA", seq=121)
    return talk.server(end_ms + 81, "FA", seq=1 + response_bytes).client(end_ms + 81.1, seq=122)
