"""The page of a run: complete, self-contained, and nothing in it can run."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest

from stackyard.drawing import draw
from stackyard.graph import FromStep, Graph, ListOf, Step
from stackyard.html import render
from stackyard.report import read_report
from stackyard.store.records import EndRecord
from tests.unit import run_history as history

VOID = {"meta", "br", "rect", "path", "polyline"}
EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(2)>${title}{{7*7}}"


class Page(HTMLParser):
    """Checks that tags are balanced; collects tags, attributes and text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == [], f"left open: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-1:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text += data


@pytest.fixture
def store(tmp_path):
    return history.new_store(tmp_path)


def page_of(store, run) -> Page:
    return Page(render(read_report(store, run.run_id)))


def test_everything_that_is_known_is_there(store):
    run = history.failed_run(store, resume=history.run_id(1), only=None)
    store.records.claim(run.run_id, "tracking_url.tracker", "http://127.0.0.1:5000/#/runs/7")
    page = page_of(store, run)
    data = history.output(store, run, "split", "train").digest
    for wanted in [
        run.run_id, "failed", "local", "ada", "manual, continues 20260114-093001-00000001",
        "2013-01", "step 'train' failed: ValueError: no <rows>", "attempt 1: ValueError",
        "Traceback (most recent call last)", "epoch 2 <b>bold</b>", data[:16], "nothing changed",
        "loss", "0.25", "3.11.7", "pandas", "3.1.0", "2 packages", "0123abcd", "Read the flights.",
        "evaluate", "skipped", "200.0 MB", "mlflow", f"stackyard runs show {run.run_id}",
    ]:  # fmt: skip
        assert wanted in page.text, wanted
    assert history.JANUARY not in page.text
    assert ("a", "href", "http://127.0.0.1:5000/#/runs/7") in page.attributes


def test_code_in_a_docstring_is_shown_as_code(store):
    run = history.run_record(1)
    doc = "Read ``period`` and `a<b`, and ``no end."
    graph = {**run.graph, "steps": [{**s, "doc": doc} for s in run.graph["steps"]]}
    run = history.run_record(1, graph=graph)
    store.records.start(run)
    text = render(read_report(store, run.run_id))
    assert "<p>Read <code>period</code> and <code>a&lt;b</code>, and ``no end.</p>" in text


def test_nothing_is_loaded_and_nothing_runs(store):
    run = history.failed_run(store)
    text = render(read_report(store, run.run_id))
    page = Page(text)
    assert not {"script", "link", "img", "iframe", "object", "embed", "base"} & set(page.tags)
    for tag, name, value in page.attributes:
        assert name not in ("src", "srcset", "action", "xlink:href") and not name.startswith("on")
        if name == "href":
            assert value.startswith("#"), (tag, value)
    style = text[text.index("<style>") : text.index("</style>")]
    assert "url(" not in style and "@import" not in style
    assert "default-src 'none'" in text
    assert "prefers-color-scheme: dark" in style


def test_every_text_is_data(store):
    """The same evil text in every field that user code or a tool can fill."""
    run = history.run_record(
        7, pipeline="flights", stack=EVIL, actor=EVIL, reason=EVIL, orchestrator=EVIL, host=EVIL,
        params={EVIL: EVIL}, packages={EVIL: EVIL}, components={EVIL: EVIL}, git={EVIL: EVIL},
        python=EVIL,
    )  # fmt: skip
    graph = dict(run.graph)
    graph["name"] = EVIL
    graph["steps"] = [{**s, "doc": EVIL} for s in graph["steps"]]
    object.__setattr__(run, "graph", graph)
    store.records.start(run)
    ref = store.artifacts.save("x")
    object.__setattr__(ref, "type", EVIL)
    rows = [
        {"component": EVIL, "type": "LoggedParam", "key": EVIL, "value": EVIL},
        {"component": EVIL, "type": "LoggedTag", "key": EVIL, "value": EVIL},
        {"component": EVIL, "type": "LoggedArtifact", "path": EVIL, "digest": EVIL},
        history.metric(EVIL, 1.0, 0),
    ]
    history.attempt(
        store, run, "train", status="failed", why=EVIL, error=EVIL, traceback=EVIL, host=EVIL,
        key=EVIL, key_parts={EVIL: EVIL}, inputs={EVIL: ref}, outputs={EVIL: ref},
        values={EVIL: EVIL}, journal=tuple(rows),
        log=store.artifacts.keep(history._file(store, EVIL)),
    )  # fmt: skip
    store.records.end(EndRecord(run.run_id, "failed", run.started, EVIL, warnings=(EVIL,)))
    store.records.claim(run.run_id, "tracking_url.tracker", "javascript:alert(1)")
    text = render(read_report(store, run.run_id))
    page = Page(text)
    assert "script" not in page.tags and "img" not in page.tags
    assert not any(name.startswith("on") for _, name, _ in page.attributes)
    assert not any("javascript:" in value for _, name, value in page.attributes)
    assert page.text.count(EVIL) >= 25
    assert "<script>" not in text


def test_a_run_under_way_and_one_that_was_interrupted(store, monkeypatch):
    run = history.run_record(3)
    store.records.start(run)
    monkeypatch.setattr("stackyard.report.run_status", lambda *_: "interrupted")
    page = page_of(store, run)
    assert "No step has ended yet." in page.text
    assert f"stackyard run flights --resume {run.run_id}" in page.text
    assert "interrupted" in page.text
    assert "waiting" not in page.text
    monkeypatch.setattr("stackyard.report.run_status", lambda *_: "running")
    assert "waiting" in page_of(store, run).text


def test_odd_numbers_do_not_break_the_page(store):
    run = history.run_record(4)
    store.records.start(run)
    values = [float("nan"), 1.0, float("inf"), 3.0]
    rows = tuple(history.metric("m", v, i) for i, v in enumerate(values))
    history.attempt(store, run, "load", journal=rows, seconds=0.0)
    page = page_of(store, run)
    assert ("svg", "aria-label", "1 to 3") in page.attributes


def boxes(svg: str) -> dict[str, tuple[float, float, float, float]]:
    """Left, top, right, bottom of every node."""
    found = {}
    pattern = (
        r'<title>(\w+): [^<]*</title><rect x="([-\d.]+)" y="([-\d.]+)" '
        r'width="(\d+)" height="(\d+)"'
    )
    for name, *numbers in re.findall(pattern, svg):
        x, y, width, height = map(float, numbers)
        found[name] = (x, y, x + width, y + height)
    return found


def make_graph(edges: dict[str, list[str]]) -> Graph:
    steps = tuple(
        Step(n, f"m:{n}", {"xs": ListOf(tuple(FromStep(u) for u in ups))} if ups else {})
        for n, ups in edges.items()
    )
    return Graph("g", steps)


FAN = {"a": [], **{f"f{i}": ["a"] for i in range(7)}, "z": [f"f{i}" for i in range(7)] + ["a"]}
CHAIN = {f"s{i}": [f"s{j}" for j in (i - 1, i - 3) if j >= 0] for i in range(12)}
LOOSE = {"a": [], "b": [], "c": ["a"], "d": ["b"], "e": ["a", "d"]}


@pytest.mark.parametrize("edges", [FAN, CHAIN, LOOSE, {"only": []}])
def test_nodes_do_not_overlap_and_follow_their_inputs(edges):
    svg = draw(make_graph(edges), {}, {})
    found = boxes(svg)
    assert set(found) == set(edges)
    rectangles = list(found.values())
    for i, (l1, t1, r1, b1) in enumerate(rectangles):
        for l2, t2, r2, b2 in rectangles[i + 1 :]:
            assert r1 <= l2 or r2 <= l1 or b1 <= t2 or b2 <= t1
    along = 1 if len(edges) > 10 else 0  # a long chain runs downward
    for name, ups in edges.items():
        for up in ups:
            assert found[up][along + 2] < found[name][along]
    assert svg.count("<path class=") == sum(map(len, edges.values()))
    assert svg == draw(make_graph(edges), {}, {})


@pytest.mark.parametrize("length", [5, 6, 7, 20])
def test_a_chain_is_no_wider_than_the_page(length):
    svg = draw(make_graph({f"s{i}": [f"s{i - 1}"] if i else [] for i in range(length)}), {}, {})
    wide, high = re.findall(r' (?:width|height)="(\d+)"', svg)[:2]
    assert int(wide) <= 1180 - 2 * 24  # what the page's style leaves
    assert (int(high) > int(wide)) == (length > 5)


def test_a_graph_without_crossings_is_drawn_without():
    edges = {"a": [], "b": [], "c": [], "x": ["c"], "y": ["b"], "z": ["a"]}
    found = boxes(draw(make_graph(edges), {}, {}))
    middle = {name: (box[1] + box[3]) / 2 for name, box in found.items()}
    order = sorted("abc", key=middle.__getitem__)
    assert sorted("zyx", key=middle.__getitem__) == [dict(a="z", b="y", c="x")[n] for n in order]


def test_what_an_inner_condition_implies_is_not_drawn() -> None:
    """A step waits for its outer conditions as well; a value that it reads is always drawn."""
    gate, deploy = Step("gate", "m:f"), Step("deploy", "m:f", after=("gate",))
    canary = Step("canary", "m:f", after=("gate", "deploy"))
    judge = Step("judge", "m:f", {"x": FromStep("gate")}, after=("gate", "deploy", "canary"))
    drawn = draw(Graph("flow", (gate, deploy, canary, judge)), {}, {})
    assert drawn.count('class="edge order"') == 3
    assert drawn.count('class="edge"') == 1


def test_long_names_keep_their_end():
    svg = draw(make_graph({"fit_model_with_a_long_name_7": []}), {}, {})
    assert ">fit_model…ng_name_7<" in svg
