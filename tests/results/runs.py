"""A made-up run directory with the numbers of the slow-start model and seeded noise. No lab made it."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

from results.models.slow_start import Leg, Timing, through_cold_edge, transfer_time
from tests.results.wires import RATE_BPS, links

SIZES = {"16 KiB": 2**14, "256 KiB": 2**18, "4 MiB": 2**22}
PATHS = ("direct", "cold", "warm")
COLUMNS = """trial,repetition,order,warmup,valid,reason,path,size,started_ns,url,ok,error,http_status,connection,dns_ms
connect_ms,tls_ms,request_sent_ms,first_byte_ms,total_ms,size_bytes,digest_ok,cache_status,retransmits,local_port
cap_connect_ms,cap_first_byte_ms,cap_last_byte_ms,cap_bytes,cap_retransmissions,cap_packets,disagreement""".replace("\n", ",")
HEAD = tuple(COLUMNS.split(","))


def predicted(path: str, size_bytes: int) -> Timing:
    if path == "direct":
        return transfer_time(rtt_ms=223.0, rate_bps=RATE_BPS, size_bytes=size_bytes)
    if path == "warm":
        return transfer_time(rtt_ms=22.0, rate_bps=RATE_BPS, size_bytes=size_bytes)
    return through_cold_edge(client=Leg(22.0, RATE_BPS), origin=Leg(201.0, RATE_BPS, False), size_bytes=size_bytes)


def rows(repetitions: int = 10, seed: int = 1) -> list[dict[str, Any]]:
    noise = random.Random(seed)
    found: list[dict[str, Any]] = []
    for repetition in range(repetitions + 1):
        for path in PATHS:
            for size, size_bytes in SIZES.items():
                timing, late = predicted(path, size_bytes), 0.3 + noise.expovariate(2.5)
                first, total = timing.first_byte_ms + late, timing.total_ms + late + noise.expovariate(0.8)
                found.append(
                    dict.fromkeys(HEAD, "")
                    | {
                        "trial": len(found),
                        "repetition": repetition,
                        "order": len(found),
                        "warmup": int(repetition == 0),
                        "valid": 1,
                        "path": path,
                        "size": size,
                        "started_ns": 1_790_000_000 * 10**9 + len(found) * 10**9,
                        "url": f"http://edge1.az1.mumbai/objects/{size}",
                        "ok": 1,
                        "http_status": 200,
                        "connection": "new",
                        "dns_ms": 0.2,
                        "connect_ms": round(timing.connect_ms + late / 2, 3),
                        "tls_ms": 0,
                        "request_sent_ms": round(timing.connect_ms + late / 2 + 0.1, 3),
                        "first_byte_ms": round(first, 3),
                        "total_ms": round(total, 3),
                        "size_bytes": size_bytes,
                        "digest_ok": 1,
                        "retransmits": 0,
                        "local_port": 40_000 + len(found),
                        "cap_connect_ms": round(timing.connect_ms, 3),
                        "cap_first_byte_ms": round(first - 0.4, 3),
                        "cap_last_byte_ms": round(total - 0.4, 3),
                        "cap_bytes": size_bytes + 300,
                        "cap_retransmissions": 0,
                        "cap_packets": size_bytes // 1000,
                    }
                )
    return found


def manifest(repetitions: int = 10) -> dict[str, Any]:
    claims = []
    for metric in ("first_byte_ms", "total_ms"):
        for path in PATHS:
            for size, size_bytes in SIZES.items():
                wanted = getattr(predicted(path, size_bytes), metric)
                claims.append(
                    {
                        "name": f"{metric.removesuffix('_ms').replace('_', ' ')}, {path}, {size}",
                        "metric": metric,
                        "statistic": "median",
                        "where": {"path": path, "size": size},
                        "predicted": round(wanted, 2),
                        "low": round(wanted * 0.95 - 2, 2),
                        "high": round(wanted * 1.05 + 2, 2),
                        "tolerance": "5 % + 2 ms",
                        "basis": "Slow-start model: handshake, initial window 10, doubling every round trip up to the "
                        "bandwidth-delay product, then the rate of the link.",
                    }
                )

    def node(name: str, role: str, place: str, latitude: float, longitude: float, number: int) -> dict[str, Any]:
        return {
            "name": name,
            "role": role,
            "place": place,
            "latitude": latitude,
            "longitude": longitude,
            "address": f"10.0.0.{number}",
        }

    virginia, mumbai, chennai = ("Virginia", 37.37, -79.82), ("Mumbai", 19.08, 72.88), ("Chennai", 13.08, 80.27)
    return {
        "format": "longhaul-run/1",
        "run_id": "20261123T003000Z-ab12cd",
        "experiment": {
            "name": "edge-vs-origin",
            "question": "What does distance cost, and what does a cache near the client give back?",
            "summary": "A client in Chennai fetches objects from an origin in Virginia: "
            "straight, "
            "through an edge in Mumbai that does not have them yet, and through the same edge "
            "when it does.",
        },
        "settings": {"clients": "1"},
        "seed": 1,
        "repetitions": repetitions,
        "warmup": 1,
        "topology": {
            "name": "open_connect",
            "settings": {"origin": "Virginia", "edge": "Mumbai", "client": "Chennai"},
            "nodes": [
                node("origin1.az1.virginia", "origin", *virginia, 1),
                node("router.virginia", "router", *virginia, 2),
                node("edge1.az1.mumbai", "edge", *mumbai, 3),
                node("router.mumbai", "router", *mumbai, 4),
                node("client1.chennai", "client", *chennai, 5),
                node("router.chennai", "router", *chennai, 6),
            ],
        },
        "link_backend": "relay",
        "started": "2026-11-23T00:30:00Z",
        "ended": "2026-11-23T00:32:10Z",
        "duration_s": 130.4,
        "interrupted": False,
        "code": {"version": "0.1.0", "revision": "0a1b2c3d", "dirty": False},
        "machine": {
            "kernel": "6.1.0-18-amd64",
            "cpus": 2,
            "model": "Example CPU",
            "memory_bytes": 8 * 2**30,
            "load_before": 0.2,
            "load_after": 0.5,
            "steal_fraction": 0.0,
            "pressure_fraction": 0.0312,
            "pressure_source": "/proc/pressure/cpu, some",
            "captured_packets": 184_212,
            "capture_drops": 0,
            "root": True,
        },
        "sysctls": {"net.ipv4.tcp_slow_start_after_idle": "0", "net.ipv4.tcp_congestion_control": "cubic"},
        "tools": {"mininet": "2.3.0", "tcpdump": "4.99.3", "libcurl": "8.10.1"},
        "columns": {
            "first_byte_ms": "from the start of the fetch to the first byte of the response, by libcurl",
            "total_ms": "from the start of the fetch to the last byte of the body, by libcurl",
        },
        "factors": ["path", "size"],
        "levels": {"path": list(PATHS), "size": list(SIZES)},
        "labels": {
            "path": {
                "direct": "straight from the origin in Virginia",
                "cold": "through a cold edge in Mumbai",
                "warm": "through a warm edge in Mumbai",
            }
        },
        "claims": claims,
        "answer": {
            "template": "A 256 KiB object comes whole from a warm edge in {warm} and straight from the origin "
            "in {direct}: "
            "the cache makes it {times} times faster. Through a cold edge it takes {cold}.",
            "values": {
                path: {"metric": "total_ms", "where": {"path": path, "size": "256 KiB"}, "statistic": "median"}
                for path in PATHS
            }
            | {"times": {"ratio": ["direct", "warm"]}},
        },
        "figures": [
            {"kind": "topology"},
            {"kind": "waterfall", "by": "path", "where": {"size": "256 KiB"}, "title": "One typical fetch of 256 KiB"},
            {"kind": "predicted"},
            {
                "kind": "ecdf",
                "metric": "first_byte_ms",
                "by": "path",
                "panels": "size",
                "title": "Time to the first byte",
            },
            {"kind": "ecdf", "metric": "total_ms", "by": "path", "panels": "size", "title": "Time to the last byte"},
            {"kind": "links"},
        ],
        "invalid": [],
    }


def save(
    path: Path,
    *,
    change: Callable[[dict[str, Any]], None] | None = None,
    change_rows: Callable[[list[dict[str, Any]]], None] | None = None,
    change_links: Callable[[dict[str, Any]], None] | None = None,
    repetitions: int = 10,
) -> Path:
    """Write a whole run directory; each `change` may spoil its part first."""
    told, table, wires = manifest(repetitions), rows(repetitions), links()
    if change:
        change(told)
    if change_rows:
        change_rows(table)
    if change_links:
        change_links(wires)
    path.mkdir(parents=True)
    (path / "manifest.json").write_text(json.dumps(told), encoding="utf-8")
    (path / "links.json").write_text(json.dumps(wires), encoding="utf-8")
    with (path / "trials.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(table[0]) if table else HEAD)
        writer.writeheader()
        writer.writerows(table)
    return path
