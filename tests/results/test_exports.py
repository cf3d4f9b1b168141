"""A run in the formats of others: what they hold is what the run holds."""

import csv
import gzip
import json
import re
from hashlib import sha256

import pytest

from results import rundir
from results.exports import csv as csv_format
from results.exports import flent, parquet, ro_crate
from results.exports.machinery.request import ExportError, Request
from tests.labkit import longhaul
from tests.results import runs


@pytest.fixture
def folder(tmp_path):
    runs.save(tmp_path / "run", repetitions=3)
    (tmp_path / "run" / "series").mkdir()
    (tmp_path / "run" / "series" / "throughput.csv").write_text("trial,at_s,goodput_mbps\n1,0.5,9.25\n1,1,\n")
    return tmp_path / "run"


def request(folder, **more):
    return Request(rundir.load(folder), **more)


def read(path):
    return list(csv.DictReader(path.open(newline="")))


def unpacked(path):
    return json.loads(gzip.decompress(path.read_bytes()))


def test_csv_has_every_table_with_the_runs_id_in_front(folder, tmp_path):
    written = {path.name: read(path) for path in csv_format.write(request(folder, out=tmp_path / "out"))}
    assert set(written) == {"trials.csv", "links.csv", "claims.csv", "series_throughput.csv"}
    assert all(next(iter(row.items())) == ("run_id", "20261123T003000Z-ab12cd") for rows in written.values() for row in rows)
    assert [row["total_ms"] for row in written["trials.csv"]] == [row["total_ms"] for row in read(folder / "trials.csv")]
    first = written["links.csv"][0]
    link = json.loads((folder / "links.json").read_text())["links"][0]
    assert (first["link"], float(first["delay_ms"])) == (link["name"], link["specified"]["a_to_b"]["delay_ms"])
    assert float(first["rate_before_bps"]) == link["before"]["a_to_b"]["rate_bps"]
    claim = written["claims.csv"][0]
    assert float(claim["low"]) <= float(claim["measured"]) <= float(claim["high"])
    assert (claim["outcome"], claim["path"], claim["size"]) == ("inside", "direct", "16 KiB")
    assert written["series_throughput.csv"][1]["goodput_mbps"] == ""


def test_parquet_has_the_same_tables_with_types(folder, tmp_path):
    pyarrow = pytest.importorskip("pyarrow.parquet")
    written = {path.stem: pyarrow.read_table(path) for path in parquet.write(request(folder, out=tmp_path / "out"))}
    assert set(written) == {"trials", "links", "claims", "series_throughput"}
    types = {field.name: str(field.type) for field in written["trials"].schema}
    assert (types["total_ms"], types["valid"], types["path"]) == ("double", "int64", "string")
    assert written["series_throughput"].to_pydict()["goodput_mbps"] == [9.25, None]


def test_parquet_without_pyarrow_says_what_to_do(folder, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(ExportError, match=r"pyarrow is not installed .*export CSV"):
        parquet.write(request(folder))


def test_flent_gets_one_file_for_each_arm_with_its_trials_that_count(folder):
    paths = flent.write(request(folder))
    assert len(paths) == 9
    assert paths[0].name == "edge-vs-origin-direct_16_KiB.flent.gz"
    found = unpacked(paths[0])
    counting = [row for row in read(folder / "trials.csv")
                if (row["path"], row["size"], row["warmup"]) == ("direct", "16 KiB", "0")]  # fmt: skip
    metric = json.loads((folder / "manifest.json").read_text())["claims"][0]["metric"]
    assert found["version"] == 4
    assert found["results"] == {"HTTP latency": [float(row[metric]) for row in counting]}
    assert [raw["t"] for raw in found["raw_values"]["HTTP latency"]] == pytest.approx(
        [int(row["started_ns"]) / 1e9 for row in counting])  # fmt: skip
    assert found["x_values"][0] == 0
    assert len(found["x_values"]) == len(counting)
    meta = found["metadata"]
    assert (meta["NAME"], meta["TITLE"]) == ("http", "direct · 16 KiB")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", meta["T0"])
    chosen = flent.write(request(folder, metric="connect_ms", out=folder / "other"))[0]
    assert unpacked(chosen)["results"]["HTTP latency"] == [float(row["connect_ms"]) for row in counting]


def test_flent_gets_the_flows_of_a_run_that_has_some(folder):
    first = next(row["trial"] for row in read(folder / "trials.csv") if row["warmup"] == "0")
    rows = "".join(f"{first},{flow},{t},{mbps}\n" for flow, mbps in (("a", 4), ("b", 6)) for t in (0.1, 0.2, 0.3))
    (folder / "series" / "flows.csv").write_text(f"trial,flow,t_s,goodput_mbps\n{rows}99,a,0.1,1\n")
    (path,) = flent.write(request(folder))
    found = unpacked(path)
    assert (found["metadata"]["NAME"], found["metadata"]["TEST_PARAMETERS"]) == ("tcp_ndown", {"download_streams": "2"})
    assert found["results"]["TCP download::2"] == [6, 6, 6]
    assert found["results"]["TCP download sum"] == [10, 10, 10]
    assert found["x_values"] == [0.1, 0.2, 0.3]


@pytest.mark.parametrize(("metric", "words"), [("size_bytes", "is not in ms"), ("no_ms", "has no column no_ms; give one of")])
def test_flent_refuses_what_it_could_not_draw(folder, metric, words):
    with pytest.raises(ExportError, match=words):
        flent.write(request(folder, metric=metric))


def test_flent_itself_reads_it(folder):
    resultset = pytest.importorskip("flent.resultset")
    found = resultset.load(str(flent.write(request(folder))[0]))
    assert found.series_names == ["HTTP latency"]
    assert [value for _, value in found.raw_series("HTTP latency")] == found["HTTP latency"]
    assert [at for at, _ in found.raw_series("HTTP latency")] == pytest.approx(found.x_values, abs=1e-3)


def test_an_ro_crate_describes_every_file_of_the_run_and_how_it_was_made(folder):
    (path,) = ro_crate.write(request(folder, licence="https://spdx.org/licenses/CC0-1.0"))
    assert path == folder / "ro-crate-metadata.json"
    graph = {one["@id"]: one for one in json.loads(path.read_text())["@graph"]}
    assert graph["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    assert graph["ro-crate-metadata.json"]["conformsTo"] == {"@id": "https://w3id.org/ro/crate/1.1"}
    root = graph["./"]
    assert root["license"] == {"@id": "https://spdx.org/licenses/CC0-1.0"}
    assert root["datePublished"] == "2026-11-23T00:32:10Z"
    assert "Verdict: holds" in root["description"]
    files = {one["@id"] for one in root["hasPart"]}
    assert files == {"manifest.json", "links.json", "trials.csv", "series/throughput.csv"}
    trials = graph["trials.csv"]
    assert (trials["@type"], trials["encodingFormat"]) == ("File", "text/csv")
    assert trials["sha256"] == sha256((folder / "trials.csv").read_bytes()).hexdigest()
    assert graph["#longhaul"]["identifier"] == "0a1b2c3d"
    assert graph["#setting-seed"]["value"] == "1"
    named = {value["@id"] for one in graph.values() for found in one.values()
             for value in (found if isinstance(found, list) else [found]) if isinstance(value, dict)}  # fmt: skip
    assert named - {"https://w3id.org/ro/crate/1.1"} <= set(graph), "every reference is described"


def test_exporting_again_describes_the_same_files(folder):
    (path,) = ro_crate.write(request(folder))
    first = path.read_text()
    ro_crate.write(request(folder))
    assert path.read_text() == first


def test_the_verb_names_what_it_wrote_and_refuses_what_a_format_has_no_use_for(folder):
    done = longhaul("export", folder, "--format", "csv", "--json", check=0)
    assert str(folder / "export" / "csv" / "trials.csv") in json.loads(done.stdout)
    for options, words in ((["--format", "cvs"], "there is no such format; did you mean csv?"),
                           (["--format", "ro-crate", "--out", "x"], "ro-crate has no use for it")):  # fmt: skip
        assert words in longhaul("export", folder, *options, check=2).stderr
