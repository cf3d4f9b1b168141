"""What memcached is told on its command line, for each way of keeping values. It starts nothing.

`ram`: memory alone. `ssd`: values go to the file at once and are read from there; memory holds keys. `ram-over-ssd`: values
stay in memory until it is nearly full, then the coldest go to the file (memcached's doc/storage.txt; `-o ext_*`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from units import show_bytes

MIB = 2**20
STORES = ("ram", "ssd", "ram-over-ssd")
PAGE_BYTES = 8 * MIB
"""Of the file; it is freed page by page. memcached's own 64 MiB would make a small file all one page."""
FEWEST_PAGES = 16
"""memcached keeps pages for several kinds of items open at the same time; with fewer it drops what it has just written."""


@dataclass(frozen=True)
class Wish:
    """What somebody wants."""

    host: str
    port: int
    store: str
    memory_bytes: int
    ssd: Path | None
    ssd_bytes: int
    threads: int
    connections: int


def wrong(wish: Wish) -> str:
    """Why it cannot be, or nothing."""
    if wish.memory_bytes < 8 * MIB:
        return f"a memory of {show_bytes(wish.memory_bytes)} is below 8 MiB"
    if wish.store == "ram":
        return "" if wish.ssd is None else "--store ram uses no --ssd file"
    if wish.ssd is None or not wish.ssd_bytes:
        return f"--store {wish.store} needs --ssd FILE and --ssd-size SIZE"
    if not str(wish.ssd).isprintable() or any(mark in str(wish.ssd) for mark in ",:"):
        return f"memcached cannot read the name {str(wish.ssd)!r}: it takes commas and colons for its own"
    if wish.ssd_bytes < FEWEST_PAGES * PAGE_BYTES:
        return f"an SSD file of {show_bytes(wish.ssd_bytes)} is below {show_bytes(FEWEST_PAGES * PAGE_BYTES)}"
    return ""


def arguments(wish: Wish, user: str | None) -> list[str]:
    """Behind the program's name."""
    given = ["-l", wish.host, "-p", str(wish.port), "-U", "0", "-m", str(wish.memory_bytes // MIB), "-t", str(wish.threads),
             "-c", str(wish.connections), "-R", "500"]  # fmt: skip
    if user is not None:
        given += ["-u", user]
    if wish.store != "ram":
        pages = [f"ext_page_size={PAGE_BYTES // MIB}", "ext_wbuf_size=8", "ext_item_size=512", "ext_threads=2",
                 f"ext_path={wish.ssd}:{wish.ssd_bytes // MIB}m"]  # fmt: skip
        if wish.store == "ssd":
            pages += ["ext_item_age=0", "ext_recache_rate=0"]
        given += ["-o", ",".join(pages)]
    return given
