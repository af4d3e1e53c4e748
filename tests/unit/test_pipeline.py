"""From step calls to a graph: bindings, names, order, options, and what is refused."""

from __future__ import annotations

import functools
import json
import re
import subprocess
import sys
import time
from datetime import timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from stackyard import ModelVersion, Registry, Resource, Tracker, from_stack, pipeline, step
from stackyard.components.base import Component
from stackyard.errors import PipelineError
from stackyard.graph import (
    FromParam,
    FromStep,
    Graph,
    Injection,
    ListOf,
    Step,
    StepOptions,
    Value,
    canonical_json,
)
from stackyard.pipeline import Pipeline

HERE = Path(__file__).name


class Warehouse(Resource):
    """The user's own connection."""


class Split(NamedTuple):
    train: list[int]
    test: list[int]


class Color(Enum):
    RED = 1


def data_version() -> str:
    return "7"


@step
def load(rows: int = 3, *, warehouse: Warehouse = from_stack()) -> list[int]:
    """Read the rows.

    More text.
    """
    return list(range(rows))


@step(retries=2, retry_delay="30s", timeout="20m", cache="1d", version=3, fingerprint=data_version)
def fetch() -> list[int]:
    return []


@step
def split(rows: list[int], share: float = 0.5) -> Split:
    return Split(rows, rows)


@step(resources={"cpu": 4, "memory": "8Gi"})
def train(
    rows: list[int], depth: int = 6, *, tracker: Tracker | None = from_stack()
) -> dict[str, float]:
    return {"rows": len(rows), "depth": depth, "tracked": tracker is not None}


@step(effect=True)
def register(
    model: dict[str, float], name: str, *, registry: Registry = from_stack("eu")
) -> ModelVersion:
    raise NotImplementedError


@step
def report(models: list[dict[str, float]], parts: Split | None = None) -> None: ...


@step
def either(anything: Any = (), color: Color = Color.RED) -> None: ...


@step
def loose(x, y=None):
    return x


def graph_of(function: Any, **options: Any) -> Graph:
    return Pipeline(
        function, **{"schedule": None, "start": None, "timezone": "UTC", "name": None} | options
    ).graph()


def refused(function: Any) -> str:
    with pytest.raises(PipelineError) as error:
        graph_of(function)
    message = str(error.value)
    assert re.match(rf"\S*{re.escape(HERE)}:\d+: ", message), message
    assert "\n" not in message
    return message


def line_of(text: str) -> int:
    rows = Path(__file__).read_text().splitlines()
    return next(i for i, row in enumerate(rows, 1) if row.endswith(f"# {text}"))


def test_a_step_is_the_plain_function_outside_a_pipeline() -> None:
    assert train([1, 2], depth=3) == {"rows": 2, "depth": 3, "tracked": False}
    assert train([1], tracker=object()) == {"rows": 1, "depth": 6, "tracked": True}
    assert load.function.__name__ == load.__name__ == "load"
    assert load.__doc__ is not None and load.__doc__.startswith("Read the rows.")


def test_a_required_injection_left_out_outside_a_pipeline_names_the_parameter() -> None:
    with pytest.raises(PipelineError, match=r"outside a pipeline.*'warehouse'.*stackyard\.testing"):
        load(2)
    assert load(2, warehouse=Warehouse()) == [0, 1]


def test_calls_become_steps_with_bound_inputs() -> None:
    def flow(depth: int = 6) -> None:
        parts = split(load(), share=0.25)
        model = train(parts.train, depth)
        register(model, name="flights")

    graph = graph_of(flow)
    assert [s.name for s in graph.steps] == ["load", "split", "train", "register"]
    load_, split_, train_, register_ = graph.steps
    assert load_.inputs == {"rows": Value(3)}
    assert load_.injections == {
        "warehouse": Injection("resource", "warehouse", False, f"{__name__}.Warehouse")
    }
    assert load_.doc == "Read the rows."
    assert split_.inputs == {"rows": FromStep("load"), "share": Value(0.25)}
    assert (split_.outputs, split_.output_types) == (("train", "test"), ("list[int]", "list[int]"))
    assert train_.inputs == {"rows": FromStep("split", "train"), "depth": FromParam("depth")}
    assert train_.injections == {"tracker": Injection("tracker", None, True, "stackyard.Tracker")}
    assert train_.options.resources == {"cpu": 4, "memory": "8Gi"}
    assert register_.injections["registry"] == Injection(
        "registry", "eu", False, "stackyard.Registry"
    )
    assert register_.output_types == ("stackyard.ModelVersion",)
    assert register_.options.effect
    assert train_.target == f"{__name__}:train"
    assert graph.source == f"{__name__.replace('.', '/')}.py:flow"


def test_a_graph_survives_json_and_has_one_digest() -> None:
    def flow(depth: int = 6) -> None:
        parts = split(load())
        report([train(parts.train), train(parts.test, depth)], parts)

    graph = graph_of(flow, schedule="@monthly", start="2013-01-01", timezone="America/New_York")
    back = Graph.from_json(json.loads(canonical_json(graph.to_json())))
    assert back == graph
    assert back.digest() == graph.digest()
    assert (graph.schedule, graph.start, graph.timezone) == (
        "@monthly",
        "2013-01-01",
        "America/New_York",
    )


def test_the_digest_does_not_depend_on_the_hash_seed(tmp_path: Path) -> None:
    code = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
        "import tests.unit.test_pipeline as t\n"
        "def flow(a: int = 1, b: str = 'x'):\n"
        "    parts = t.split(t.load()); t.report([t.train(parts.train, a), t.train(parts.test)])\n"
        "print(t.graph_of(flow).digest())\n"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, cwd=folder,
            capture_output=True, text=True, check=True,
        ).stdout
        for seed, folder in (("1", tmp_path), ("2", "/"))
    }  # fmt: skip
    assert len(digests) == 1


def test_options_are_made_plain() -> None:
    assert fetch.options == StepOptions(
        retries=2,
        retry_delay=30.0,
        timeout=1200.0,
        cache=86400.0,
        version="3",
        fingerprint=f"{__name__}:data_version",
    )


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("90s", 90), ("2h", 7200), (45, 45), ("1h 30m", 5400), ("45", 45), (timedelta(minutes=1), 60)],
)
def test_durations(given: Any, seconds: float) -> None:
    assert step(timeout=given)(data_version).options.timeout == seconds


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"timeout": "soon"}, "option 'timeout': 'soon' is no duration"),
        ({"timeout": 0}, "a timeout of 0"),
        ({"timeout": -1}, "-1 is no duration"),
        ({"retries": -1}, "-1 is not a number of retries"),
        ({"retries": True}, "True is not a number of retries"),
        ({"retrys": 1}, "unknown option 'retrys'. Options: .*Did you mean 'retries'"),
        ({"cache": "always"}, "'always' is no duration"),
        ({"effect": "yes"}, "neither True nor False"),
        ({"effect": True, "cache": "1d"}, "contradict"),
        ({"resources": {"cpu": {1}}}, "more than plain values"),
        ({"resources": 4}, "is no mapping"),
        ({"fingerprint": lambda: 1}, "not a function at the top level"),
        ({"fingerprint": line_of}, "must need no arguments"),
        ({"version": 1.5}, "neither text nor a whole number"),
    ],
)
def test_wrong_options_name_the_function_and_the_option(options: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=rf"{HERE}:\d+: step 'data_version': .*{message}"):
        step(**options)(data_version)


def test_a_step_used_twice_is_numbered() -> None:
    def flow() -> None:
        rows = load()
        for depth in (1, 2, 3):
            train(rows, depth)
        train.named("deep")(rows, 9)

    assert [s.name for s in graph_of(flow).steps] == ["load", "train", "train_2", "train_3", "deep"]


def test_numbering_leaves_out_names_that_were_given() -> None:
    def flow() -> None:
        load.named("train_2")()
        rows = load()
        train(rows)
        train(rows)

    assert [s.name for s in graph_of(flow).steps] == ["train_2", "load", "train", "train_3"]


def test_one_name_given_twice_is_refused() -> None:
    def flow() -> None:
        load.named("rows")()
        load.named("rows")()

    message = refused(flow)
    assert "two steps are called 'rows'" in message
    assert "`.named('rows_2')`" in message


def test_two_functions_of_one_name_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("elsewhere")
    monkeypatch.setitem(sys.modules, "elsewhere", module)
    exec("from stackyard import step\n@step\ndef load() -> int: ...\n", vars(module))

    def flow() -> None:
        load()
        module.load()

    assert f"two different steps are called 'load': {__name__}:load and elsewhere:load" in refused(
        flow
    )


class Group:
    @step
    @staticmethod
    def inside() -> None: ...


def test_after_orders_without_a_value_in_both_forms() -> None:
    def flow() -> None:
        rows = load()
        report_ = report([])
        train.after(rows, report_)([1])
        fetch().after(report_)

    graph = graph_of(flow)
    assert graph.step("train").after == ("load", "report")
    assert graph.step("fetch").after == ("report",)
    assert graph.step("fetch").upstream == ("report",)


def test_after_can_make_a_later_step_come_first_and_ties_keep_the_order_of_writing() -> None:
    def flow() -> None:
        first = load()
        fetch()
        last = report([])
        first.after(last)

    assert [s.name for s in graph_of(flow).steps] == ["fetch", "report", "load"]


def test_steps_that_wait_for_each_other_are_refused() -> None:
    def flow() -> None:
        rows = load()
        rows.after(train(rows))

    assert "wait for each other: load, train" in refused(flow)


def test_after_takes_results_only() -> None:
    def flow(depth: int = 1) -> None:
        train.after("load")([1])

    def parameter(depth: int = 1) -> None:
        train.after(depth)([1])

    assert ".after() takes results of steps, not 'load'" in refused(flow)
    assert ".after() takes results of steps" in refused(parameter)


def test_collections_of_results() -> None:
    def flow(depth: int = 1) -> None:
        a, b = train([1]), train([2])
        report([a, b])
        either({"a": a, "n": 1, "nested": [b, (depth, 2)]})
        either((1, 2))

    graph = graph_of(flow)
    assert graph.step("report").inputs["models"] == ListOf((FromStep("train"), FromStep("train_2")))
    assert graph.step("report").upstream == ("train", "train_2")
    made = graph.step("either").inputs["anything"]
    assert made == ListOf(
        (
            FromStep("train"),
            Value(1),
            ListOf((FromStep("train_2"), ListOf((FromParam("depth"), Value(2)), "tuple"))),
        ),
        "dict",
        ("a", "n", "nested"),
    )
    assert graph.step("either_2").inputs["anything"] == ListOf((Value(1), Value(2)), "tuple")
    assert isinstance(made, ListOf)
    assert made.build([1, 2, 3]) == {"a": 1, "n": 2, "nested": 3}


def test_named_outputs_are_passed_on_whole_and_unpacked() -> None:
    def flow() -> None:
        parts = split(load())
        report([], parts)
        _, second = split.named("again")(parts.train)
        train(second)

    graph = graph_of(flow)
    whole = graph.step("report").inputs["parts"]
    assert whole == ListOf(
        (FromStep("split", "train"), FromStep("split", "test")), f"{__name__}:Split"
    )
    assert isinstance(whole, ListOf)
    assert whole.build([[1], [2]]) == Split([1], [2])
    assert graph.step("train").inputs["rows"] == FromStep("again", "test")


def test_defaults_that_json_would_change_stay_with_the_function() -> None:
    def flow() -> None:
        either()
        loose(1)

    graph = graph_of(flow)
    assert graph.step("either").inputs == {}
    assert graph.step("loose").inputs == {"x": Value(1), "y": Value(None)}


def test_plain_data_is_copied() -> None:
    rows = [1]

    def flow() -> None:
        train(rows)

    graph = graph_of(flow)
    rows.append(2)
    assert graph.step("train").inputs["rows"] == Value([1])


def test_arguments_that_do_not_match_the_signature() -> None:
    def missing() -> None:
        train()

    def unknown() -> None:
        train([1], dept=3)

    def twice() -> None:
        train([1], rows=[2])

    def many() -> None:
        train([1], 2, 3)

    def injected() -> None:
        train([1], tracker=None)

    assert "step 'train': missing 'rows'. It takes: rows, depth" in refused(missing)
    assert "no parameter 'dept'. It takes: rows, depth. Did you mean 'depth'?" in refused(unknown)
    assert "'rows' is given twice" in refused(twice)
    assert "given 3 arguments by position and takes 2" in refused(many)
    assert "'tracker' is injected from the stack; leave it out" in refused(injected)


def test_errors_name_the_line_of_the_call() -> None:
    def flow() -> None:
        load()
        train(  # the call
            [1],
            dept=3,
        )

    assert f":{line_of('the call')}: " in refused(flow)


@pytest.mark.parametrize(
    "live", [object(), {1, 2}, Path("x"), Color.RED, float("nan"), timedelta(1)]
)
def test_live_objects_are_refused(live: object) -> None:
    def flow() -> None:
        either(live)

    message = refused(flow)
    assert f"{type(live).__module__}.{type(live).__qualname__}" in message
    assert "let a step return the object, or make it a parameter" in message


def test_keys_of_a_dict_are_text() -> None:
    def flow() -> None:
        either({1: 2})

    assert "the key 1 of a dict must be text" in refused(flow)


def test_a_pipeline_needs_a_step() -> None:
    def flow() -> None: ...

    assert "pipeline 'flow' calls no step" in refused(flow)


def test_an_output_of_another_pipeline_is_refused() -> None:
    kept: list[Any] = []

    def one() -> None:
        kept.append(load())

    def two() -> None:
        train(kept[0])

    graph_of(one)
    message = refused(two)
    assert "<result of step 'load': list[int]> of another pipeline ('one')" in message


def test_the_result_of_a_step_that_returns_nothing_is_no_value() -> None:
    def flow() -> None:
        either(report([]))

    assert "as the step returns nothing. To wait for it use `.after(...)`" in refused(flow)


def test_functions_that_cannot_be_steps() -> None:
    async def later() -> None: ...

    def many(*rows: int) -> None: ...

    def more(**rows: int) -> None: ...

    def stream() -> Any:
        yield 1

    def by_position(x: int, /) -> None: ...

    for function, message in (
        (later, "step 'later' is async"),
        (many, r"\*args or \*\*kwargs"),
        (more, r"\*args or \*\*kwargs"),
        (stream, "generator"),
        (by_position, "positional-only"),
        (functools.partial(many), "is for a function"),
        (load, "marked twice"),
    ):
        with pytest.raises(PipelineError, match=message):
            step(function)
    with pytest.raises(PipelineError, match="pipeline 'later' is async"):
        pipeline(later)


def test_steps_that_another_process_cannot_find_are_refused() -> None:
    @step
    def nested() -> None: ...

    nameless = step(lambda: 1)
    assert nested() is None

    def inner() -> None:
        nested()

    def unnamed() -> None:
        nameless()

    def taken() -> None:
        hidden()

    def method() -> None:
        Group.inside()

    def unmarked() -> None:
        step(line_of)("x")

    assert "step 'nested' is defined inside a function" in refused(inner)
    assert "is a lambda" in refused(unnamed)
    assert "step 'inside' is defined inside a class" in refused(method)
    assert "the name 'line_of' in module" in refused(unmarked)
    assert "the name 'twin' in module" in refused(taken)


@step
def twin() -> int:
    return 1


hidden = twin


@step
def twin() -> int:
    return 2


def test_a_decorated_function_keeps_its_own_signature() -> None:
    def flow() -> None:
        wrapped(1)

    assert graph_of(flow).step("wrapped").inputs == {"x": Value(1)}
    assert wrapped(1) == 4


def doubled(function: Any) -> Any:
    @functools.wraps(function)
    def inner(*args: Any, **kwargs: Any) -> Any:
        return 2 * function(*args, **kwargs)

    return inner


@step
@doubled
def wrapped(x: int) -> int:
    return x + 1


def test_injections_are_checked() -> None:
    def ask(what: Any) -> str:
        def probe(thing: Any = from_stack()) -> None: ...

        probe.__annotations__ = {"thing": what} if what else {}
        with pytest.raises(PipelineError) as error:
            _ = step(probe).signature
        return str(error.value)

    assert "int is neither. Kinds: orchestrator, tracker" in ask(int)
    assert "no annotation is neither" in ask(None)
    assert "stackyard.components.base.Component is neither" in ask(Component)


def test_names_that_may_not_reach_a_path_are_refused() -> None:
    for name in ("../x", "a b", "{{ x }}", "a\nb", "ä", "'", ""):
        with pytest.raises(PipelineError, match="use up to 100 ASCII letters"):
            load.named(name)
        with pytest.raises(PipelineError, match="use up to 100 ASCII letters"):
            from_stack(name)
        if name:
            with pytest.raises(PipelineError, match="use up to 100 ASCII letters"):
                graph_of(lambda: load(), name=name)


@step
def told(text: object = "") -> int:
    return 1


def test_text_that_no_file_can_hold_is_refused_with_its_place() -> None:
    half = "\ud800"

    @pipeline
    def default(x: str = half) -> None:
        told(x)

    @pipeline
    def value() -> None:
        told({"rows": ["good", half]})

    @pipeline
    def key() -> None:
        told({half: 1})

    @pipeline
    def doc() -> None:
        told()

    doc.function.__doc__ = half
    places = {
        default: "params.x.default", value: "steps.told.inputs.text.value.rows.1",
        key: "steps.told.inputs.text.value", doc: "doc",
    }  # fmt: skip
    for built, place in places.items():
        with pytest.raises(PipelineError) as error:
            built.graph().digest()
        assert f": {place}: '\\ud800' holds half of a surrogate pair" in str(error.value)
        assert built.name in str(error.value)
        str(error.value).encode()


def test_schedule_start_and_zone_are_checked() -> None:
    def flow() -> None:
        load()

    for options, message in (
        ({"schedule": "@mothly"}, "'@mothly' is no schedule"),
        ({"schedule": "61 * * * *"}, "'61 \\* \\* \\* \\*' is no schedule: Bad minute"),
        ({"schedule": "0 0 0 * * *"}, "five fields"),
        ({"timezone": "New_York"}, "unknown time zone 'New_York'"),
        ({"start": "January"}, "'January'"),
    ):
        with pytest.raises(PipelineError, match=rf"{HERE}:\d+: pipeline 'flow': .*{message}"):
            graph_of(flow, **options)


def test_an_error_in_the_users_function_names_its_line() -> None:
    def flow() -> None:
        load()
        undefined()  # noqa: F821 # the mistake

    message = refused(flow)
    assert f":{line_of('the mistake')}: pipeline 'flow': NameError: name 'undefined'" in message


def test_a_pipeline_is_not_called() -> None:
    @pipeline
    def flow() -> None:
        load()

    with pytest.raises(PipelineError, match=r"flow\.run\(\.\.\.\)"):
        flow()
    assert flow.graph() is flow.graph()


def test_helpers_may_call_steps() -> None:
    def half() -> Any:
        return train(load())

    def flow() -> None:
        register(half(), "x")

    assert [s.name for s in graph_of(flow).steps] == ["load", "train", "register"]


def test_a_failed_build_leaves_steps_plain() -> None:
    def flow() -> None:
        raise ValueError("no")

    with pytest.raises(PipelineError, match="ValueError: no"):
        graph_of(flow)
    assert train([1])["rows"] == 1


def test_a_large_pipeline_is_built_fast() -> None:
    def flow(n: int) -> Any:
        def chain() -> None:
            rows = load()
            for _ in range(n):
                rows = split(rows).train

        return chain

    def seconds(n: int) -> float:
        best = 9.0
        for _ in range(3):
            begin = time.process_time()
            assert len(graph_of(flow(n)).steps) == n + 1
            best = min(best, time.process_time() - begin)
        return best

    small, large = seconds(500), seconds(2000)
    assert large < 0.4, f"{large:.3f} s for 2000 steps"
    assert large < 8 * small, f"{small:.3f} s for 500 steps, {large:.3f} s for 2000"


def test_steps_are_frozen_data() -> None:
    def flow() -> None:
        load()

    assert isinstance(graph_of(flow).step("load"), Step)
    with pytest.raises(PipelineError, match=r"no step 'lod'\. Steps: load"):
        graph_of(flow).step("lod")


class Single(NamedTuple):
    result: int


@step
def single() -> Single: ...


def test_an_only_output_called_result_is_refused() -> None:
    def flow() -> None:
        single()

    assert "the only output" in refused(flow)


def test_steps_of_a_script_travel_by_value(tmp_path: Path) -> None:
    code = """
import pickle, sys, cloudpickle
from stackyard import Tracker, from_stack, step
from stackyard.pipeline import Pipeline

def make():
    @step(retries=1)
    def nested(x: int = 3, *, tracker: Tracker | None = from_stack()) -> int:
        return x + 1
    return nested

def flow():
    made()

made = make()
graph = Pipeline(flow, None, None, "UTC", None).graph()
name = graph.steps[0].target.partition(":")[2]
found = getattr(sys.modules["__main__"], name)
assert found is made, found
print(graph.steps[0].target, graph.source)
copy = pickle.loads(cloudpickle.dumps(found))
print(copy(1), copy.options.retries, copy.signature.arguments[0].name)
"""
    (tmp_path / "script.py").write_text(code)
    done = subprocess.run(
        [sys.executable, "script.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "__main__:make.<locals>.nested script.py:flow\n2 1 x\n", done.stderr
