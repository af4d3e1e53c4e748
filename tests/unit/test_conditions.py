"""``when``, ``otherwise`` and ``either``: what they put into the graph, and what is refused."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import pytest

from stackyard import either, otherwise, pipeline, step, when
from stackyard.errors import PipelineError
from stackyard.graph import Condition, Either, FromParam, FromStep, Graph, ListOf, Value


class Verdict(NamedTuple):
    passed: bool
    score: float


@step
def judge(value: int) -> Verdict:
    return Verdict(value > 0, float(value))


@step
def good(value: int) -> bool:
    return value > 0


@step
def text(value: int) -> str:
    return str(value)


@step
def number(value: int) -> int:
    return value


@step
def show(value: str | int) -> str:
    return str(value)


@step
def collect(values: list[Any]) -> int:
    return len(values)


@step
def nothing(value: int) -> None:
    pass


def graph_of(function: Any) -> Graph:
    return pipeline(function).graph()


def refused(function: Any) -> str:
    with pytest.raises(PipelineError) as caught:
        graph_of(function)
    return str(caught.value)


BIG = FromStep("good")


def test_steps_carry_the_conditions_around_them_outermost_first() -> None:
    def flow(flag: bool = True) -> None:
        big = good(1)
        verdict = judge(1)
        with when(big):
            text(1)
            with when(verdict.passed):
                text.named("inner")(1)
            with otherwise(), when(flag):
                text.named("deep")(1)
            text.named("after")(1)
        with otherwise():
            text.named("other")(1)
        text.named("free")(1)

    graph = graph_of(flow)
    found = {s.name: s.when for s in graph.steps if s.target.endswith(":text")}
    big, small = Condition(BIG, True), Condition(BIG, False)
    passed = FromStep("judge", "passed")
    assert found == {
        "text": (big,),
        "inner": (big, Condition(passed, True)),
        "deep": (big, Condition(passed, False), Condition(FromParam("flag"), True)),
        "after": (big,),
        "other": (small,),
        "free": (),
    }
    assert graph.step("inner").upstream == ("good", "judge")
    assert Graph.from_json(json.loads(json.dumps(graph.to_json()))) == graph


def test_a_graph_without_conditions_keeps_its_digest() -> None:
    def flow() -> None:
        text(1)

    assert "when" not in graph_of(flow).to_json()["steps"][0]


def test_conditions_count_for_the_digest() -> None:
    def one(flag: bool = True) -> None:
        with when(flag):
            text(1)

    def other(flag: bool = True) -> None:
        with when(flag):
            pass
        with otherwise():
            text(1)

    graphs = [pipeline(name="flow")(f).graph() for f in (one, other)]
    assert len({g.digest() for g in graphs}) == 2
    assert {str(g.step("text").when[0]) for g in graphs} == {"flag is true", "flag is false"}


def test_either_joins_results_parameters_and_plain_values() -> None:
    def flow(word: str = "x") -> None:
        big = good(1)
        with when(big):
            a = text(1)
        with otherwise():
            b = number(1)
        show(either(a, b, when=big))
        show.named("plain")(either(word, "none", when=big))
        collect([either(a, [b, 1], when=big), 2])

    graph = graph_of(flow)
    assert graph.step("show").inputs == {"value": Either(BIG, FromStep("text"), FromStep("number"))}
    assert set(graph.step("show").upstream) == {"good", "text", "number"}
    assert graph.step("show").when == ()
    plain = graph.step("plain").inputs["value"]
    assert plain == Either(BIG, FromParam("word"), Value("none"))
    nested = graph.step("collect").inputs["values"]
    assert nested == ListOf(
        (Either(BIG, FromStep("text"), ListOf((FromStep("number"), Value(1)))), Value(2))
    )
    assert Graph.from_json(json.loads(json.dumps(graph.to_json()))) == graph


def test_both_ways_of_an_either_must_fit() -> None:
    def flow() -> None:
        big = good(1)
        text(either(number(1), text(2), when=big))

    assert "parameter 'value' takes int, and is given int | str from either() of" in refused(flow)


def test_what_a_branch_gives_is_not_read_outside_of_it() -> None:
    def outside() -> None:
        with when(good(1)):
            a = text(1)
        show(a)

    def other_way() -> None:
        with when(good(1)):
            a = text(1)
        with otherwise():
            show(a)

    def wrong_side() -> None:
        big = good(1)
        with when(big):
            a = text(1)
        show(either("none", a, when=big))

    def in_a_list() -> None:
        with when(good(1)):
            a = text(1)
        collect([a])

    def decides() -> None:
        with when(good(1)):
            inner = good.named("inner")(1)
        with when(inner):
            text(1)

    for function in (outside, other_way, wrong_side, in_a_list):
        said = refused(function)
        assert "reads step 'text', which runs only when good is true" in said
        assert "either(..., ..., when=...)" in said
    assert "when() reads step 'inner', which runs only when good is true" in refused(decides)


def test_inside_its_branch_and_deeper_it_is() -> None:
    def flow(flag: bool = True) -> None:
        with when(good(1)):
            a = text(1)
            with when(flag):
                show(a)

    assert graph_of(flow).step("show").inputs == {"value": FromStep("text")}


def test_any_step_may_wait_for_one_that_may_be_skipped() -> None:
    def flow() -> None:
        with when(good(1)):
            a = nothing(1)
        text.after(a)(1)

    assert graph_of(flow).step("text").upstream == ("nothing",)


def test_a_condition_is_a_truth_value_of_the_run() -> None:
    def of_number() -> None:
        with when(number(1)):
            text(1)

    def known() -> None:
        with when(True):
            text(1)

    def whole() -> None:
        with when(judge(1)):
            text(1)

    def chosen(flag: bool = True) -> None:
        with when(either(flag, flag, when=flag)):
            text(1)

    assert "when() takes bool, and is given int from result of step 'number'" in refused(of_number)
    assert "when() is given True, which is known before the run. Use `if`" in refused(known)
    assert "when() takes bool, and is given" in refused(whole)
    assert "when() takes one output of a step or a parameter" in refused(chosen)
    with pytest.raises(PipelineError, match="belongs in the function of a pipeline"):
        when(True)


def test_otherwise_stands_directly_behind_a_when() -> None:
    def alone() -> None:
        with otherwise():
            text(1)

    def a_step_between() -> None:
        with when(good(1)):
            pass
        text(1)
        with otherwise():
            text(1)

    def twice() -> None:
        with when(good(1)):
            text(1)
        with otherwise():
            text(1)
        with otherwise():
            text(1)

    def deeper(flag: bool = True) -> None:
        with when(good(1)):
            text(1)
        with when(flag), otherwise():
            text(1)

    for function in (alone, a_step_between, twice, deeper):
        assert "otherwise() stands directly behind a `with when(...)`" in refused(function)


def test_a_plain_if_on_a_result_names_the_word() -> None:
    def flow() -> None:
        if good(1):
            text(1)

    assert "`with when(...):`" in refused(flow)
