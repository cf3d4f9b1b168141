"""Runs from end to end: real daemons, real captures, a verdict."""

import csv
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from results.captures.exchanges import exchanges
from results.captures.transfer import follow
from tests.labkit import ATTEMPTS, INVALID, LONGHAUL, ROOT, longhaul, manifest, rows, stock_mininet_pings

pytestmark = pytest.mark.lab

SHORT = ("--set", "sizes=16KiB", "--repetitions", "2", "--set", "warmup=0")


@pytest.fixture(scope="module")
def main_job(tmp_path_factory):
    """The main job, small, as everybody reads it below."""
    out = tmp_path_factory.mktemp("main") / "run"
    done = longhaul("run", "edge-vs-origin", *SHORT, "--json", "--out", out, check=0)
    return out, done


def test_the_main_job_holds_and_says_so(main_job):
    out, done = main_job
    said = json.loads(done.stdout)
    assert (said["outcome"], done.returncode) == ("holds", 0), done.stdout + done.stderr
    assert "Mumbai" in said["answer"]
    assert Path(said["report"]) == out / "report.html"


def test_each_path_is_what_it_claims_to_be(main_job):
    for row in rows(main_job[0]):
        assert (row["valid"], row["ok"], row["digest_ok"], row["connection"]) == ("1", "1", "1", "new"), row
        wanted = {"direct": "", "cold": "fwd=uri-miss", "warm": "hit"}[row["path"]]
        assert wanted in row["cache_status"]
        assert bool(row["cache_status"]) == (row["path"] != "direct")


def test_a_warm_edge_asks_the_origin_nothing_and_a_cold_one_uses_its_open_connection(main_job):
    out, _ = main_job
    for row in rows(out):
        at_origin = follow(out / "captures" / f"trial-{int(row['trial']):04}.origin1.az1.virginia.pcapng").analysis
        data = [bool(at_origin.table["begun_before"][one]) for one in range(at_origin.segments.connections)
                if exchanges(at_origin, one)]  # fmt: skip
        if row["path"] == "warm":
            assert not data
        elif row["path"] == "cold":
            assert data == [True], "the connection to the origin was to be open already"
        else:
            assert data == [False]


def test_client_and_capture_agree(main_job):
    for row in rows(main_job[0]):
        assert row["disagreement"] == ""
        connected_ms = float(row["connect_ms"]) - float(row["dns_ms"])
        assert float(row["cap_connect_ms"]) == pytest.approx(connected_ms, abs=3)


def test_captures_open_in_wireshark_and_say_where_they_are_from(main_job):
    out, _ = main_job
    capture = next((out / "captures").glob("trial-0001.client1.chennai.pcapng"))
    assert capture.read_bytes()[:4] == b"\x0a\x0d\x0d\x0a"
    text = capture.read_bytes()
    assert manifest(out)["run_id"].encode() in text
    assert b"eth0" in text


def test_the_run_directory_is_whole(main_job):
    out, _ = main_job
    found = manifest(out)
    assert found["ended"]
    assert found["verdict"]["outcome"] == "holds"
    assert found["sysctls"]["net.ipv4.tcp_no_metrics_save"] == "1"
    assert found["machine"]["kernel"] == os.uname().release
    assert not (out / "scratch").exists(), "caches are no result"
    links = {row["name"]: row for row in json.loads((out / "links.json").read_text())["links"]}
    assert links["virginia-mumbai"]["during"]["a_to_b"]["packets"] > 0
    logs = {path.name for path in (out / "logs").glob("*.jsonl")}
    assert logs == {"origin1.az1.virginia.jsonl", "edge1.az1.mumbai.jsonl", "client1.chennai.jsonl"}


def test_the_report_can_be_made_again_from_the_files_alone(main_job, tmp_path):
    out, done = main_job
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", out, copy], check=True)
    for made in (copy / "report.html", *(copy / "figures").glob("*")):
        made.unlink()
    again = json.loads(longhaul("report", copy, "--json", check=0).stdout)
    assert again["answer"] == json.loads(done.stdout)["answer"]
    assert (copy / "report.html").read_text() == (out / "report.html").read_text().replace(str(out), str(copy))


def test_a_report_needs_no_mininet(main_job):
    script = ("import sys; sys.modules.update(dict.fromkeys(['mininet', 'mininet.net', 'mininet.topo', 'pyroute2']))\n"
              "from experiments.harness.cli import main; sys.exit(main(['report', sys.argv[1]]))")  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script, str(main_job[0])], capture_output=True, text=True, check=False,
                          cwd="/", env={"PYTHONPATH": str(ROOT), "PATH": ""})  # fmt: skip
    assert done.returncode == 0, done.stderr


def test_the_verdict_comes_from_the_files_and_not_from_what_was_said_before(main_job, tmp_path):
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", main_job[0], copy], check=True)
    table = rows(copy)
    for row in table:
        row["first_byte_ms"] = str(2 * float(row["first_byte_ms"]))
    with (copy / "trials.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, table[0].keys())
        writer.writeheader()
        writer.writerows(table)
    assert longhaul("report", copy).returncode == 1


def test_the_published_connection_times_come_out(tmp_path):
    longhaul("run", "new-vs-warm-connection", "--repetitions", "5", "--out", tmp_path / "run", check=0)
    new, warm = ([float(r["total_ms"]) for r in rows(tmp_path / "run") if r["state"] == state and r["warmup"] == "0"]
                 for state in ("new", "warm"))  # fmt: skip
    assert 264 <= statistics.median(new) <= 272
    assert 96 <= statistics.median(warm) <= 106


def test_a_claim_that_does_not_hold_fails_with_status_1(tmp_path):
    block = next(block for block in readme_blocks() if "SmallOverFast" in block)
    (tmp_path / "wrong.py").write_text(block.replace('"server", size)', '"server", size // 100)'))
    done = longhaul("run", tmp_path / "wrong.py", "--repetitions", "2", "--set", "rtt=10ms", "--out", tmp_path / "run", check=1)
    assert "verdict: fails" in done.stdout


def readme_blocks():
    return re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)


@pytest.mark.parametrize("which", [0, 1])
def test_the_examples_of_the_readme_work_as_they_stand(tmp_path, which):
    block = readme_blocks()[which]
    assert len(block.splitlines()) < 40
    if which == 0:
        (tmp_path / "branch.py").write_text(block)
        longhaul("verify", tmp_path / "branch.py", "--set", "rtt=76ms", check=0)
        assert stock_mininet_pings(tmp_path / "branch.py", "branch")
    else:
        (tmp_path / "small_over_fast.py").write_text(block)
        done = longhaul("run", tmp_path / "small_over_fast.py", "--set", "rate=10mbit", "--repetitions", "3",
                        "--out", tmp_path / "run", check=0)  # fmt: skip
        assert manifest(tmp_path / "run")["experiment"]["name"] == "small-over-fast"
        assert "verdict: holds" in done.stdout


def test_an_ordinary_user_runs_it_too(request):
    if os.geteuid() != 0:
        pytest.skip("the other tests run as an ordinary user already")
    reach = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", "test", "-r", LONGHAUL]
    if subprocess.run(reach, check=False).returncode:
        pytest.skip("this checkout stands where an ordinary user may not look")
    home = Path(tempfile.mkdtemp())  # tmp_path stands in what is root's alone
    request.addfinalizer(lambda: shutil.rmtree(home))
    os.chown(home, 65534, 65534)
    # An open /dev/net/tun, for this test alone.
    script = (f"mount -t tmpfs none /dev/net && mknod -m 666 /dev/net/tun c 10 200 && exec setpriv --reuid 65534 --regid 65534 "
              f"--clear-groups {LONGHAUL} run new-vs-warm-connection --repetitions 3 --out {home}/the-run")  # fmt: skip
    for attempt in range(ATTEMPTS):  # without real-time priority the relay is late more often
        done = subprocess.run(["unshare", "-m", "sh", "-c", script + str(attempt)], capture_output=True,
                              text=True, timeout=120, check=False)  # fmt: skip
        if done.returncode != INVALID:
            break
    assert done.returncode == 0, done.stdout + done.stderr
    assert {path.stat().st_uid for path in home.rglob("*")} == {65534}


@pytest.mark.slow
def test_four_labs_at_once_measure_what_one_measures(tmp_path):
    def medians(out):
        return {state: statistics.median(float(r["total_ms"]) for r in rows(out) if r["state"] == state and r["warmup"] == "0")
                for state in ("new", "warm")}  # fmt: skip

    longhaul("run", "new-vs-warm-connection", "--repetitions", "5", "--out", tmp_path / "alone", check=0)
    alone = medians(tmp_path / "alone")
    for attempt in range(ATTEMPTS):
        outs = [tmp_path / f"{attempt}-{n}" for n in range(4)]
        together = [subprocess.Popen([LONGHAUL, "run", "new-vs-warm-connection", "--repetitions", "5", "--out", out],
                                     stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) for out in outs]  # fmt: skip
        said = [process.communicate(timeout=120)[0] for process in together]
        for out in outs:
            for state, ms in medians(out).items():
                assert ms == pytest.approx(alone[state], rel=0.05), "whatever the verdict"
        if [process.returncode for process in together] == [0] * 4:
            break
    else:
        pytest.fail("not once were all four valid:\n" + "\n".join(said))
