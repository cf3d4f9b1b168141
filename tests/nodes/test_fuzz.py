"""A moment of fuzzing guided by coverage, where atheris is installed: `pip install atheris` (it has wheels for x86-64 alone).

What hypothesis makes up by itself stands in `test_framing.py` and `test_store_record.py`, and runs everywhere.
"""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from nodes.edge.store.record import FOOTER_BYTES, encode
from nodes.edge.stored import Part, Stored
from tests.nodes.framing_cases import CASES
from tests.nodes.wirekit import ENV

SECONDS = 1

STORED = Stored(
    "/a accept=x", "/a", "http://a/a", "GET", 200, "OK", (("ETag", '"é"'),), (("accept", "x"),), 1.5, 2.5, 5,
    (Part(0, 5, bytes(16)),),
)  # fmt: skip
SEEDS = {
    "requests": [bytes(2) + said for section in CASES.values() for said, _ in section if len(said) < 1000],
    "metadata": [b"w" + encode(STORED, 3)[:-FOOTER_BYTES], b"r" + encode(STORED, 3),
                 b'q["uri","http://a/a",1,0.0]\n["keyed-prefix","http://a\\t/b",2,0.0]\n["count","",9,0]'],
}  # fmt: skip


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris is not installed")
@pytest.mark.parametrize("what", SEEDS)
def test_nothing_breaks_what_reads_strange_bytes(what: str, tmp_path: Path) -> None:
    corpus = tmp_path / "corpus"
    corpus.mkdir()
    for number, seed in enumerate(SEEDS[what]):
        (corpus / str(number)).write_bytes(seed)
    ran = subprocess.run(
        [sys.executable, "-m", f"tests.nodes.fuzz_{what}", f"-max_total_time={SECONDS}", "-max_len=600",
         f"-artifact_prefix={tmp_path}/", str(corpus)],
        env=ENV, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-3000:]
    assert "Done " in ran.stderr
