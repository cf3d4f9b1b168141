"""The report: one file that says all, from the files of the run alone."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from results.report import answer, write
from results.rundir import RunError, load
from tests.results.runs import save
from tests.results.wires import link


def _page(tmp_path: Path, **changes: Any) -> str:
    return write(save(tmp_path / "run", **changes)).read_text(encoding="utf-8")


def test_it_says_question_answer_verdict_and_how_it_was_made(tmp_path: Path) -> None:
    page = _page(tmp_path)
    for text in (
        "What does distance cost",
        '<span class="badge">holds</span>',
        "all 18 claims lie within their bands",
        "through a warm edge in Mumbai",
        "longhaul run edge-vs-origin --seed 1 --repetitions 10 --link relay --set clients=1",
        "20261123T003000Z-ab12cd",
        "6.1.0-18-amd64",
        "Every one agrees with libcurl",
        "10 repetitions an arm resolve a difference of",
        "estimated from the distance",
    ):
        assert text in page, text


def test_the_answer_has_numbers_with_intervals(tmp_path: Path) -> None:
    said = answer(load(save(tmp_path / "run")))
    assert re.search(r"from a warm edge in 13\d\.\d ms \(13\d\.\d to 13\d\.\d ms\)", said)
    assert re.search(r"makes it 9\.7\d \(9\.\d+ to 9\.\d+\) times faster", said)
    assert "{" not in said


def test_an_answer_whose_numbers_all_lack_an_interval_says_so_once(tmp_path: Path) -> None:
    def keep_one_trial(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["valid"] = int(not row["warmup"] and row["repetition"] == 1)

    said = answer(load(save(tmp_path / "run", change_rows=keep_one_trial)))
    assert said.count("no interval") == 1
    assert said.endswith(" (Each number: one sample: no interval.)")


def test_the_answer_of_an_invalid_run_begins_with_that(tmp_path: Path) -> None:
    run = load(save(tmp_path / "run"))
    assert answer(run, "invalid") == f"Not to be trusted, for the reasons below: {answer(run)}"
    assert answer(run, "fails") == answer(run)


def test_an_answer_without_samples_says_so(tmp_path: Path) -> None:
    def spoil(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row["valid"] = 0

    assert "from a warm edge in (not measured)" in answer(load(save(tmp_path / "run", change_rows=spoil)))


def test_a_template_cannot_reach_into_objects(tmp_path: Path) -> None:
    def wicked(manifest: dict[str, Any]) -> None:
        manifest["answer"]["template"] = "{warm.__class__} {0} {nobody}"

    said = answer(load(save(tmp_path / "run", change=wicked)))
    assert said == "{warm.__class__} (not measured) (not measured)"


def test_it_is_one_file_that_asks_the_network_for_nothing(tmp_path: Path) -> None:
    page = _page(tmp_path)
    links = re.findall(r"""(?:src|href|url\(|@import)\s*=?\s*["'(]?([^"'\s)>]+)""", page)
    assert links == []
    assert "<script" not in page
    assert set(re.findall(r"https?://[^\"'\s<]+", page)) == {"http://www.w3.org/2000/svg"}


class _Balance(HTMLParser):
    """Notes tags that are closed in another order than they were opened."""

    void = frozenset({"meta", "br", "hr", "img"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        if tag not in self.void:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Any) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


def test_its_html_is_balanced(tmp_path: Path) -> None:
    parser = _Balance()
    parser.feed(_page(tmp_path))
    assert (parser.wrong, parser.open) == ([], [])


def test_whatever_a_run_says_is_text_not_markup(tmp_path: Path) -> None:
    evil = "<script>alert(1)</script>\"'&"

    def poison(manifest: dict[str, Any]) -> None:
        manifest["experiment"].update(name=evil, question=evil, summary=evil)
        manifest["answer"]["template"] = evil
        manifest["labels"]["path"]["warm"] = evil
        manifest["machine"]["model"] = evil
        manifest["settings"] = {evil: evil}
        manifest["invalid"] = [evil]
        manifest["claims"][0].update(name=evil, basis=evil, tolerance=evil)
        manifest["figures"][1]["title"] = evil
        manifest["topology"]["nodes"][0].update(name=evil, place=evil, role=evil)

    page = _page(
        tmp_path,
        change=poison,
        change_rows=lambda rows: rows[40].update(disagreement=evil, valid=1),
        change_links=lambda found: found["links"][0].update(name=evil, note=evil, a=evil, ok=False, reasons=[evil]),
    )
    assert "<script" not in page
    assert "alert(1)" in page
    parser = _Balance()
    parser.feed(page)
    assert parser.wrong == []


def test_disagreements_are_shown_with_their_words(tmp_path: Path) -> None:
    words = "first byte: client 63.000 ms, capture 44.000 ms"
    page = _page(tmp_path, change_rows=lambda rows: rows[40].update(disagreement=words))
    assert "1 of them disagrees with" in page
    assert f"trial 40: {words}" in page


def test_a_run_without_captures_says_that_the_times_rest_on_one_clock(tmp_path: Path) -> None:
    def bare(rows: list[dict[str, Any]]) -> None:
        for row in rows:
            row.update({name: "" for name in row if name.startswith("cap_")})

    assert "the client's clock alone" in _page(tmp_path, change_rows=bare).replace("&#39;", "'")


@pytest.mark.parametrize("outcome", ["invalid", "unsupported"])
def test_a_run_that_measured_nothing_still_has_a_report(tmp_path: Path, outcome: str) -> None:
    page = _page(
        tmp_path,
        change=lambda m: m.update({outcome: ["no lab could be built"]}),
        change_rows=lambda rows: rows.clear(),
        change_links=lambda found: found["links"].clear(),
    )
    assert f'<span class="badge">{outcome}</span>' in page
    assert "no lab could be built" in page


def test_a_stored_verdict_that_the_files_contradict_is_said(tmp_path: Path) -> None:
    page = _page(tmp_path, change=lambda m: m.update(verdict={"outcome": "fails", "reasons": []}))
    assert "recorded the verdict &#39;fails&#39;" in page


def test_the_least_manifest_makes_a_report(tmp_path: Path) -> None:
    def least(manifest: dict[str, Any]) -> None:
        kept = ("format", "run_id", "repetitions", "factors")
        question = {"name": "x", "question": "y?"}
        slim = {key: manifest[key] for key in kept} | {"experiment": question}
        manifest.clear()
        manifest.update(slim)

    assert "no claim to judge" in _page(tmp_path, change=least)


def test_writing_again_gives_the_same_files_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = save(tmp_path / "run")
    write(path)
    first = {one.relative_to(path): one.read_bytes() for one in path.rglob("*") if one.is_file()}
    write(path)
    assert {one.relative_to(path): one.read_bytes() for one in path.rglob("*") if one.is_file()} == first
    assert sorted(one.name for one in path.iterdir()) == [
        "figures", "links.json", "manifest.json", "report.html", "trials.csv"]  # fmt: skip
    assert not [one for one in path.rglob("*") if one.name.endswith(".part")]


def test_a_directory_that_cannot_be_written_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    path = save(tmp_path / "run")
    (path / "figures").write_text("in the way")
    with pytest.raises(RunError, match=r"could not write the report of .*longhaul report RUN"):
        write(path)
    assert not (path / "report.html").exists()


def test_importing_results_stays_light() -> None:
    code = (
        "import sys, results.report, results.judge, results.one_way, results.models.slow_start\n"
        "print(sorted({'numpy', 'scipy', 'matplotlib', 'scapy', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_plain_cables_are_one_sentence_and_a_wrong_one_a_row(tmp_path: Path) -> None:
    assert "origin1.az1.virginia is a plain cable, without delay or rate" in _page(tmp_path)
    (tmp_path / "two").mkdir()

    def wrong(links: dict[str, Any]) -> None:
        links["links"][2].update(ok=False, reasons=["RTT 3 ms on a cable"])

    page = _page(tmp_path / "two", change_links=wrong)
    assert "plain cable" not in page
    assert "<li>RTT 3 ms on a cable</li>" in page
    assert "1 of 3 emulated links was not as specified" in page


def test_the_links_stand_on_one_panel_with_bounds_and_words(tmp_path: Path) -> None:
    panel = _panel(_page(tmp_path))
    for text in ("Both emulated links were as specified.", "199.0 to 203.0\u00a0ms", "0 of 200 lost (0 to 2.62\u00a0%)",
                 "p99 at most 2.01\u00a0ms", "✓ inside", "CPU time that the hypervisor gave to others (steal)",
                 "at most 5\u00a0%", "184,212", "How late frames left while the run went on"):  # fmt: skip
        assert text in panel, text
    assert "✗" not in panel
    assert "How links changed" not in panel


def test_many_links_are_folded_behind_the_worst_eight(tmp_path: Path) -> None:
    def many(links: dict[str, Any]) -> None:
        links["links"] = [link(f"link-{n}", f"a{n}", "b", 20.0) for n in range(21)]

    panel = _panel(_page(tmp_path, change_links=many))
    assert "All 21 emulated links were as specified" in panel
    assert "13 more links, all as specified and further inside their bounds" in panel
    assert panel.count('<details class="link">') == 21
    assert " open>" not in panel


def test_changes_of_links_are_shown_where_there_were_any(tmp_path: Path) -> None:
    def change(links: dict[str, Any]) -> None:
        links["changes"] = [{"trial": 1, "link": "mumbai-chennai", "done_ms": 20_000.2, "planned_ms": 20_000, "b_to_a": None,
                             "a_to_b": "delay 11ms rate 20mbit queue 2800000B up"}]  # fmt: skip
        links["handshakes_unchecked"] = {"link mumbai-chennai was changed during the handshake": 3}

    page = _page(tmp_path, change_links=change)
    assert "How links changed while a trial ran" in _panel(page)
    assert "router.mumbai → router.chennai</text>" in _panel(page)
    assert "handshakes of 3 trials were not held against their path: link mumbai-chennai was changed" in page


def _panel(page: str) -> str:
    return page[page.index("<h2>The links</h2>") : page.index("<h2>Can the instrument be trusted?</h2>")]


def test_it_says_how_late_single_packets_may_have_been(tmp_path: Path) -> None:
    def bear(manifest: dict[str, Any]) -> None:
        manifest["bears_ms"] = 50.0

    page = _page(tmp_path, change=bear)
    assert "ms late: what is measured here are means over many" in page
