"""The daemon: reports in, ranked URLs out, each decision in the log."""

import json
import time

import pytest

CLIENT = "127.0.0.1"


@pytest.fixture
def steering(start, tmp_path):
    return start("steering", "--site", "mumbai", "--site", "singapore", "--log", str(tmp_path / "steering.jsonl"))


def told(steering, edge, site, status=200, **more):
    body = {"edge": edge, "site": site, "url": f"http://{edge}:8080", "at": time.time(), **more}
    answer = steering.get("/-/reports", method="POST", body=json.dumps(body).encode())
    assert answer.status == status, answer.body
    return answer.body.decode()


def test_a_player_gets_ranked_urls_and_the_log_says_why(steering):
    for edge, site, rtt_ms, files in (("near", "mumbai", 15, ["/b"]), ("far", "singapore", 60, ["/a", "/b"])):
        told(steering, edge, site, health={"used": {"cpu": 0.5}}, files=files,
             routes=[{"prefix": "127.0.0.0/8", "as_path": [64500], "rtt_ms": rtt_ms}])  # fmt: skip
    both = json.loads(steering.get("/steer/b").body)
    assert [(one["rank"], one["url"]) for one in both["urls"]] == [(0, "http://near:8080/b"), (1, "http://far:8080/b")]
    assert "round trip 15 ms (measured)" in both["urls"][0]["reason"]
    missed = json.loads(steering.get("/steer/a?client=127.9.9.9").body)
    assert [one["rank"] for one in missed["urls"]] == [1]
    assert missed["miss"] == "content"
    assert missed["passed_over"][0]["site"] == "mumbai"
    metrics = steering.metrics()
    assert 'longhaul_steering_decisions_total{node="' in metrics
    assert 'way="http",outcome="content"} 1' in metrics
    assert steering.stop() == (0, "")
    decisions = [one for line in steering.log.read_text().splitlines() if (one := json.loads(line)).get("decision")]
    assert [one["result"] for one in decisions] == ["rank0", "miss content"]
    assert decisions[0]["decision"]["client"] == CLIENT
    assert decisions[0]["decision"]["urls"] == both["urls"], "of a question without ?client= too"


def test_wrong_reports_leave_the_last_good_state(steering):
    good = {"health": {"used": {"cpu": 0.5}}, "files": ["/a"], "routes": [{"prefix": "127.0.0.0/8"}]}
    told(steering, "near", "mumbai", **good)
    assert "60 s from the future" in told(steering, "near", "mumbai", 409, at=time.time() + 60, files=[])
    assert "there is no site 'mumbay'; did you mean mumbai?" in told(steering, "other", "mumbay", 409, **good)
    for body in (b"{", b"[" * 100_000, b"\xff\xfe\x00", b"1"):
        assert steering.get("/-/reports", method="POST", body=body).status in (400, 409)
    assert [one["edge"] for one in json.loads(steering.get("/steer/a").body)["urls"]] == ["near"]
    assert json.loads(steering.get("/-/state").body)["files"] == 1


@pytest.mark.parametrize(("path", "method", "status", "says"), [
    ("/steer/none", "GET", 404, "no edge has /none"),
    ("/steer/a?client=home", "GET", 400, "is not an address"),
    ("/steer/a?clients=1", "GET", 400, "no parameter 'clients'"),
    ("/steer/a", "POST", 405, "answers GET, HEAD"),
    ("/-/reports", "GET", 405, "answers POST"),
    ("/else", "GET", 404, "there are /steer/TITLE"),
])  # fmt: skip
def test_wrong_questions_get_an_answer_that_says_what_is_right(steering, path, method, status, says):
    answer = steering.get(path, method=method)
    assert (answer.status, says in answer.body.decode()) == (status, True), answer.body


def test_titles_with_spaces_and_letters_of_all_languages_are_found(steering):
    told(steering, "near", "mumbai", health={"used": {"cpu": 0.5}}, files=["/a b/ü"], routes=[{"prefix": "127.0.0.0/8"}])
    (one,) = json.loads(steering.get("/steer/a%20b/%C3%BC").body)["urls"]
    assert one["url"] == "http://near:8080/a%20b/%C3%BC", "a URL that can be asked for"
