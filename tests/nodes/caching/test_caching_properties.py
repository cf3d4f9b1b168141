"""What holds of every response, request and moment: properties over messages drawn from the pieces that matter."""

from dataclasses import replace

from hypothesis import assume, given
from hypothesis import strategies as st
from tables import NOW, Asking, fields, request

from nodes.edge.caching import age, directives, lifetime, reuse, storing, variants
from nodes.edge.caching.normalise import normalised
from nodes.edge.stored import Part, Stored
from nodes.http.dates import http_date
from nodes.http.message import Fields

NUMBERS = st.one_of(st.integers(0, 100).map(str), st.sampled_from(["", "-1", "x", "1.5", '"7"', "'7'", "9" * 30, " 5"]))
RESPONSE_DIRECTIVES = st.one_of(
    st.sampled_from(["no-store", "No-Cache", "private", "public", "must-revalidate", "proxy-revalidate", "immutable",
                     "must-understand", 'no-cache="a, b"', 'private="x"', "foo", 'ext="max-age=9, no-store"', ""]),
    st.tuples(st.sampled_from(["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error"]), NUMBERS).map("=".join),
)  # fmt: skip
REQUEST_DIRECTIVES = st.one_of(
    st.sampled_from(["no-store", "no-cache", "only-if-cached", "max-stale", "foo"]),
    st.tuples(st.sampled_from(["max-age", "max-stale", "min-fresh", "stale-if-error"]), NUMBERS).map("=".join),
)
MOMENTS = st.one_of(st.integers(-200, 200).map(lambda delta: http_date(NOW + delta)), st.sampled_from(["0", "x", ""]))
LINES = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["Cache-Control", "CDN-Cache-Control"]),
                  st.lists(RESPONSE_DIRECTIVES, max_size=4).map(", ".join)),
        st.tuples(st.sampled_from(["Date", "Expires", "Last-Modified"]), MOMENTS),
        st.tuples(st.just("Age"), st.one_of(NUMBERS, st.just("3, 5"))),
        st.tuples(st.just("ETag"), st.sampled_from(['"a"', 'W/"a"', "a"])),
        st.tuples(st.just("Vary"), st.sampled_from(["A", "B, A", "*", "Accept-Language", ""])),
    ),
    max_size=6,
)  # fmt: skip
STATUSES = st.sampled_from([200, 203, 204, 206, 301, 302, 304, 403, 404, 500, 503, 599])
REQUEST_LINES = st.lists(
    st.one_of(
        st.tuples(st.just("Cache-Control"), st.lists(REQUEST_DIRECTIVES, max_size=3).map(", ".join)),
        st.tuples(st.just("Pragma"), st.sampled_from(["no-cache", "x"])),
        st.tuples(st.sampled_from(["A", "B"]), st.sampled_from(["1", "2", "1,2", "1, 2", ""])),
        st.tuples(st.just("Accept-Language"), st.sampled_from(["en", "de, en", "EN,de", "en;q=0.1"])),
        st.tuples(st.just("Authorization"), st.just("x")),
    ),
    max_size=4,
)
SECONDS = st.one_of(st.integers(-50, 300), st.floats(0, 300))


def asking(lines: list[tuple[str, str]], method: str = "GET") -> Asking:
    return Asking(method, "http://a.example/", Fields(lines))


@st.composite
def kept(draw: st.DrawFn) -> Stored:
    """Anything that might be in the store, even what should not be."""
    status, lines = draw(STATUSES), draw(LINES)
    received_s = NOW + draw(SECONDS)
    return Stored(
        "k", "k", "http://a.example/", "GET", status, "", tuple(lines), (),
        received_s - draw(st.floats(0, 20)), received_s, 10, (Part(0, 10, b""),),
    )  # fmt: skip


@given(kept(), REQUEST_LINES, SECONDS)
def test_nothing_is_fresh_after_its_lifetime_and_nothing_strict_is_served_stale(
    one: Stored, lines: list[tuple[str, str]], later: float
) -> None:
    now_s = one.received_s + later
    judged = reuse.judge(asking(lines), one, now_s)
    over = age.current_age_s(one, now_s) >= lifetime.lifetime_s(one)
    assert (judged.ttl_s <= 0) is over
    if judged.use == "fresh":
        assert not over
        assert judged.until_s > now_s or judged.ttl_s > 0
    rules = lifetime.policy(one.headers).directives
    if over and (judged.serves or judged.on_error):
        assert not any(rules.has(name) for name in ("must-revalidate", "proxy-revalidate", "s-maxage"))
    if judged.serves or judged.on_error:
        assert not rules.unqualified("no-cache")
    if judged.use in ("stale", "stale-while-revalidate"):
        assert over
        asked = reuse.request_directives(asking(lines))
        assert asked.has("max-stale") or rules.has("stale-while-revalidate")


@given(kept(), REQUEST_LINES, SECONDS, st.floats(0, 400))
def test_a_judgement_holds_until_it_says(one: Stored, lines: list[tuple[str, str]], later: float, more: float) -> None:
    now_s = one.received_s + max(0.0, later)
    first = reuse.judge(asking(lines), one, now_s)
    then_s = now_s + more
    assume(then_s < first.until_s - 1e-3)
    then = reuse.judge(asking(lines), one, then_s)
    assert then.use == first.use
    assert not first.serves or then.why == first.why


@given(kept(), SECONDS, st.floats(0, 1000))
def test_the_age_never_falls_and_is_never_below_zero(one: Stored, later: float, more: float) -> None:
    first, second = (age.current_age_s(one, one.received_s + later + extra) for extra in (0.0, more))
    assert 0 <= first <= second


@given(REQUEST_LINES, STATUSES, LINES, st.sampled_from(["GET", "POST", "PUT", "HEAD"]))
def test_what_is_forbidden_is_never_stored(
    asked: list[tuple[str, str]], status: int, lines: list[tuple[str, str]], method: str
) -> None:
    made, response = asking(asked, method), Fields(lines)
    verdict = storing.storable(made, status, response, NOW)
    assert verdict.store is (verdict.why == "")
    if not verdict.store:
        return
    rules = lifetime.policy(response).directives
    assert method in ("GET", "POST")
    assert not rules.has("no-store") or (rules.has("must-understand") and status != 599)
    assert not rules.unqualified("private")
    assert "*" not in response.tokens("vary")
    assert not reuse.request_directives(made).has("no-store")
    if "authorization" in made.fields:
        assert any(rules.has(name) for name in ("public", "must-revalidate", "s-maxage"))
    fields_kept = Fields(storing.kept_fields(status, response, NOW))
    assert "date" in fields_kept
    assert not any(name in fields_kept for name in rules.names("private"))


@given(REQUEST_LINES, st.lists(st.tuples(REQUEST_LINES, LINES), max_size=4))
def test_only_a_variant_whose_fields_match_is_ever_chosen(
    asked: list[tuple[str, str]], gotten: list[tuple[list[tuple[str, str]], list[tuple[str, str]]]]
) -> None:
    known = []
    for number, (first, lines) in enumerate(gotten):
        vary = variants.vary_values(Fields(first), Fields(lines))
        one = Stored(str(number), "k", "u", "GET", 200, "", tuple(lines), vary or (), NOW, NOW + number, 1, ())
        known.append((one, Fields(first), vary))
    chosen = variants.select(Fields(asked), [one for one, _, _ in known])
    matching = [
        one for one, first, vary in known if vary is not None and _same(first, Fields(asked), one.headers.tokens("vary"))
    ]  # fmt: skip
    assert (chosen is None) is (not matching)
    assert chosen is None or chosen in matching


def _same(first: Fields, second: Fields, names: list[str]) -> bool:
    """Section 4.1 in so many words."""
    return all(
        (name in first) == (name in second)
        and normalised(name, first.get(name) or "") == normalised(name, second.get(name) or "")
        for name in names
    )  # fmt: skip


@given(st.text(max_size=80), st.text(max_size=80))
def test_no_text_breaks_a_decision(text: str, other: str) -> None:
    lines = [(name, text) for name in ("Cache-Control", "Expires", "Date", "Age", "Vary", "Content-Range", "Last-Modified")]
    response = Fields([*lines, ("CDN-Cache-Control", other), ("ETag", other), ("Content-Location", text)])
    made = Asking("POST", "http://a.example/", Fields([("Cache-Control", other), ("Accept-Language", text), ("A", text)]))
    storing.storable(made, 200, response, NOW)
    one = Stored("k", "k", "u", "GET", 200, "", tuple(response.items), (), NOW, NOW, 1, (Part(0, 1, b""),))
    reuse.judge(made, one, NOW)
    variants.select(made.fields, [one])
    variants.vary_values(made.fields, Fields([("Vary", "a, accept-language")]))


@given(st.lists(RESPONSE_DIRECTIVES, max_size=6), st.integers(0, 6))
def test_directives_on_one_line_or_on_several_mean_the_same(members: list[str], cut: int) -> None:
    whole = directives.parse([", ".join(members)])
    split = directives.parse([", ".join(members[:cut]), ", ".join(members[cut:])])
    for name in ("max-age", "no-store", "no-cache", "private", "foo", "ext"):
        assert (whole.get(name), whole.has(name), whole.names(name)) == (split.get(name), split.has(name), split.names(name))


def test_the_drawn_messages_reach_every_use() -> None:
    uses = set()
    texts = ("max-age=60", "max-age=60, stale-while-revalidate=60")
    for text in texts:
        one = Stored("k", "k", "u", "GET", 200, "", (("Cache-Control", text),), (), NOW, NOW, 1, ())
        for lines in ("", "Cache-Control: max-stale", "Cache-Control: no-store"):
            for at in (1, 61):
                uses.add(reuse.judge(replace(request(), fields=fields(lines)), one, NOW + at).use)
    assert uses == {"fresh", "stale", "stale-while-revalidate", "validate", "pass"}
