"""Parameters: schema from annotations, text and values to plain JSON and back."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from typing import Any, Literal, Optional

import jsonschema
import pytest

from stackyard import Period, from_stack, params, pipeline, step
from stackyard.errors import ParameterError, PipelineError
from stackyard.graph import Graph, Param
from stackyard.pipeline import Pipeline

NOW = datetime(2013, 2, 10, tzinfo=UTC)


class Color(Enum):
    RED = "red"
    BLUE = "blue"


class Size(Enum):
    SMALL = (1, 2)
    LARGE = (3, 4)


@step
def use(value: Any) -> None: ...


@step
def use_typed(
    period: Period, day: date, color: Color, ratio: float, colors: list[Color], loose=None
) -> None: ...


def graph_of(function: Any, **options: Any) -> Graph:
    defaults = {"schedule": None, "start": None, "timezone": "UTC", "name": None}
    return Pipeline(function, **defaults | options).graph()


def param_of(annotation: Any, default: Any = ...) -> Param:
    def flow(value: Any) -> None:
        use(value)

    flow.__annotations__ = {"value": annotation} if annotation is not None else {}
    if default is not ...:
        flow.__defaults__ = (default,)
    return graph_of(flow).params[0]


def resolved(annotation: Any, given: Any) -> Any:
    param = param_of(annotation)
    graph = Graph("flow", (), (param,), timezone="America/New_York")
    value = params.resolve(graph, {"value": given})["value"]
    assert json.loads(json.dumps(value)) == value
    jsonschema.validate(value, dict(param.schema))
    return value


@pytest.mark.parametrize(
    ("annotation", "schema", "shown"),
    [
        (int, {"type": "integer"}, "int"),
        (float, {"type": "number"}, "float"),
        (bool, {"type": "boolean"}, "bool"),
        (str, {"type": "string"}, "str"),
        (list, {"type": "array"}, "list"),
        (list[int], {"type": "array", "items": {"type": "integer"}}, "list[int]"),
        (dict, {"type": "object"}, "dict"),
        (
            "dict[str, list[float]]",
            {
                "type": "object",
                "additionalProperties": {"type": "array", "items": {"type": "number"}},
            },
            "dict[str, list[float]]",
        ),
        (Literal["a", 1], {"enum": ["a", 1]}, "Literal['a', 1]"),
        (date, {"type": "string", "format": "date"}, "datetime.date"),
        (datetime, {"type": "string", "format": "date-time"}, "datetime.datetime"),
        (Period, {"type": "string", "format": "period"}, "stackyard.Period"),
        ("Optional[int]", {"type": ["integer", "null"]}, "int | None"),
        ("Literal['a'] | None", {"enum": ["a", None]}, "Literal['a'] | None"),
        (
            int | str | None,
            {"anyOf": [{"type": "integer"}, {"type": "string"}, {"type": "null"}]},
            "int | str | None",
        ),
        (
            Color,
            {"enum": ["red", "blue"], "$comment": f"enum {__name__}:Color"},
            f"{__name__}.Color",
        ),
        (
            Size,
            {"enum": ["SMALL", "LARGE"], "$comment": f"enum {__name__}:Size"},
            f"{__name__}.Size",
        ),
        (None, {}, ""),
        (Any, {}, ""),
    ],
)
def test_schema_of_annotations(annotation: Any, schema: Any, shown: str) -> None:
    param = param_of(annotation)
    assert (param.schema, param.type, param.required, param.default) == (schema, shown, True, None)


@pytest.mark.parametrize(
    ("annotation", "default", "plain"),
    [
        (int, 6, 6),
        (float, 6, 6.0),
        (Color, Color.BLUE, "blue"),
        (Size, Size.SMALL, "SMALL"),
        (date, date(2013, 1, 5), "2013-01-05"),
        (list[int], [1, 2], [1, 2]),
        (int | None, None, None),
        (Period, Period.parse("2013-01"), "2013-01-01T00:00:00+00:00/2013-02-01T00:00:00+00:00"),
        (None, 6, 6),
        (None, None, None),
    ],
)
def test_defaults_are_plain(annotation: Any, default: Any, plain: Any) -> None:
    param = param_of(annotation, default)
    assert (param.default, type(param.default)) == (plain, type(plain))
    assert not param.required


def test_a_parameter_without_annotation_takes_the_type_of_its_default() -> None:
    assert param_of(None, 6).type == "int"
    assert param_of(None, Color.RED).schema["enum"] == ["red", "blue"]


def test_the_scheduled_period_is_an_optional_text() -> None:
    param = param_of(Period, Period.scheduled())
    assert param.schema == {"type": ["string", "null"], "format": "period"}
    assert (param.default, param.required) == (None, False)
    assert params.is_scheduled(param)
    assert not params.is_scheduled(param_of(Period | None, None))
    with pytest.raises(PipelineError, match="must be annotated Period"):
        param_of(int, Period.scheduled())


@pytest.mark.parametrize(
    ("annotation", "default", "message"),
    [
        (Decimal, ..., "decimal.Decimal cannot be given on a command line. Parameters are int"),
        (list[Decimal], ..., "decimal.Decimal cannot"),
        (dict[int, int], ..., r"dict\[int, int\] cannot"),
        (Sequence[int], ..., "collections.abc.Sequence"),
        (Literal[Color.RED], ..., "Literal.* cannot"),
        (int, "six", "takes int, and its default is 'six'"),
        (int, None, "takes int, and its default is None"),
        (int, True, "takes int, and its default is True"),
        (Color, "red!", "its default is 'red!'"),
        (float, float("nan"), "its default is nan"),
        (int, from_stack(), "belongs in the signature of a step"),
    ],
)
def test_what_cannot_be_a_parameter(annotation: Any, default: Any, message: str) -> None:
    with pytest.raises(PipelineError, match=rf"test_params.py:\d+: pipeline 'flow': .*{message}"):
        param_of(annotation, default)


@pytest.mark.parametrize(
    ("annotation", "given", "plain"),
    [
        (int, "6", 6),
        (int, " -6 ", -6),
        (int, 6, 6),
        (float, "0.1", 0.1),
        (float, "1e-3", 0.001),
        (float, 2, 2.0),
        (bool, "true", True),
        (bool, "No", False),
        (bool, "0", False),
        (bool, True, True),
        (str, "6", "6"),
        (str, "", ""),
        (str, "null", "null"),
        (str | None, "null", None),
        (int | None, "null", None),
        (int | None, "3", 3),
        (list[int], "1, 2", [1, 2]),
        (list[int], "[1, 2]", [1, 2]),
        (list[int], "", []),
        (list[str], "a,b", ["a", "b"]),
        (list[str], '["a,b"]', ["a,b"]),
        (list, "1,a", [1, "a"]),
        (list[date], [date(2013, 1, 1)], ["2013-01-01"]),
        (dict, '{"a": [1]}', {"a": [1]}),
        (dict[str, int], {"a": 1}, {"a": 1}),
        (Literal["a", 1], "1", 1),
        (Literal["a", 1], "a", "a"),
        (Color, "red", "red"),
        (Color, Color.BLUE, "blue"),
        (Size, Size.LARGE, "LARGE"),
        (date, "2013-01-05", "2013-01-05"),
        (datetime, "2013-01-05T06:00Z", "2013-01-05T06:00:00+00:00"),
        (Period, "2013-01", "2013-01-01T00:00:00-05:00/2013-02-01T00:00:00-05:00"),
        (
            Period,
            "2013-01-01T05:00:00+00:00/2013-02-01T05:00:00+00:00",
            "2013-01-01T00:00:00-05:00/2013-02-01T00:00:00-05:00",
        ),
        (
            Period,
            Period.parse("2013-01", "America/New_York").astimezone("UTC"),
            "2013-01-01T00:00:00-05:00/2013-02-01T00:00:00-05:00",
        ),
        (int | str, "6", 6),
        (int | str, "six", "six"),
        (float | None, "0.5", 0.5),
        (Any, '{"a": 1}', {"a": 1}),
        (Any, "text", "text"),
    ],
)
def test_text_and_values_become_plain(annotation: Any, given: Any, plain: Any) -> None:
    value = resolved(annotation, given)
    assert (value, type(value)) == (plain, type(plain))


@pytest.mark.parametrize(
    ("annotation", "given", "message"),
    [
        (int, "six", "takes int, and is given 'six'. Write e.g. --param value=6"),
        (int, "6.5", "takes int, and is given '6.5'"),
        (int, 6.0, "takes int, and is given 6.0"),
        (int, True, "takes int, and is given True"),
        (float, "nan", "takes float, and is given 'nan'. Write e.g. --param value=0.1"),
        (float, "inf", "takes float"),
        (bool, "maybe", r"\(true or false\). Write e.g. --param value=true"),
        (bool, 1, "takes bool, and is given 1"),
        (str, 6, "takes str, and is given 6"),
        (str, "\udcff", r"given '\\udcff' \(half of a surrogate pair or bytes that are no UTF-8"),
        (dict[str, str], '{"a": "\\ud800"}', "half of a surrogate pair"),
        (Any, {"\ud800": 1}, "half of a surrogate pair"),
        (int, None, "takes int, and is given None"),
        (list[int], "1,x", r"takes list\[int\], and is given '1,x'"),
        (list[int], '["1"]', r"takes list\[int\]"),
        (dict[str, int], '{"a": "b"}', r"takes dict\[str, int\]"),
        (dict, "[1]", "takes dict"),
        (dict, "{", "takes dict"),
        (Literal["a", 1], "b", r"\(choose from a, 1\)"),
        (Color, "green", r"\(choose from red, blue\)"),
        (date, "2013-02-30", "takes datetime.date.*--param value=2013-01-31"),
        (date, datetime(2013, 1, 1), "takes datetime.date"),
        (
            Period,
            "2013-13",
            r": '2013-13' is no period \(month must be in 1..12\)\. "
            "Write 2013, 2013-01, .* or START/END$",
        ),
        (Any, object(), "plain data"),
    ],
)
def test_what_does_not_fit_is_named_with_an_example(
    annotation: Any, given: Any, message: str
) -> None:
    with pytest.raises(
        ParameterError, match=rf"pipeline 'flow', parameter 'value'.*{message}"
    ) as e:
        resolved(annotation, given)
    assert "\n" not in str(e.value)


@pipeline(schedule="@monthly", timezone="America/New_York")
def flights(name: str, period: Period = Period.scheduled(), depth: int = 6) -> None:
    use([name, period, depth])


def test_names_that_mean_something_else_are_refused() -> None:
    def flow(stack: str) -> None:
        use(stack)

    with pytest.raises(PipelineError, match=r"parameter 'stack': the name is taken, by run\(stack"):
        graph_of(flow)


def test_unknown_and_missing_parameters_say_what_exists() -> None:
    graph = flights.graph()
    with pytest.raises(
        ParameterError,
        match=r"no parameter 'dept'. Parameters: name, period, depth. Did you mean 'depth'\?",
    ):
        params.resolve(graph, {"dept": "1"}, NOW)
    with pytest.raises(
        ParameterError, match=r"needs parameter 'name' \(str\). Give it: --param name=text"
    ):
        params.resolve(graph, {}, NOW)


def test_every_parameter_is_resolved_and_the_period_is_the_last_complete_one() -> None:
    graph = flights.graph()
    january = "2013-01-01T00:00:00-05:00/2013-02-01T00:00:00-05:00"
    for given in ({"name": "x"}, {"name": "x", "period": None}, {"name": "x", "period": ""}):
        assert params.resolve(graph, given, NOW) == {"name": "x", "period": january, "depth": 6}


def test_without_a_schedule_the_period_must_be_given() -> None:
    def flow(period: Period = Period.scheduled()) -> None:
        use(period)

    graph = graph_of(flow)
    with pytest.raises(ParameterError, match=r"no schedule on this stack.*--param period=2013-01"):
        params.resolve(graph, {}, NOW)
    assert params.resolve(graph, {"period": "2013"}, NOW)["period"].startswith("2013-01-01")


@pytest.mark.parametrize(
    ("annotation", "plain", "value"),
    [
        (Period, "2013-01-01T00:00:00+00:00/2013-02-01T00:00:00+00:00", Period.parse("2013-01")),
        (date, "2013-01-05", date(2013, 1, 5)),
        (datetime, "2013-01-05T06:00:00+00:00", datetime(2013, 1, 5, 6, tzinfo=UTC)),
        (Color, "red", Color.RED),
        (Color | None, None, None),
        (Size, "LARGE", Size.LARGE),
        (list[date], ["2013-01-05"], [date(2013, 1, 5)]),
        (dict[str, Color], {"a": "blue"}, {"a": Color.BLUE}),
        (date | int, "2013-01-05", date(2013, 1, 5)),
        (date | int, 3, 3),
        (float, 6, 6.0),
        (int, 6, 6),
        (Any, {"a": 1}, {"a": 1}),
    ],
)
def test_decode(annotation: Any, plain: Any, value: Any) -> None:
    made = params.decode(param_of(annotation), plain)
    assert (made, type(made)) == (value, type(value))


def test_decode_argument_follows_the_annotation_of_the_step() -> None:
    assert params.decode_argument(use_typed, "day", "2013-01-05") == date(2013, 1, 5)
    assert params.decode_argument(use_typed, "ratio", 1) == 1.0
    assert params.decode_argument(use_typed, "colors", ["red"]) == [Color.RED]
    assert params.decode_argument(use_typed, "loose", "2013-01-05") == "2013-01-05"
    assert params.decode_argument(use, "value", {"a": 1}) == {"a": 1}


def test_numbers_of_numpy_are_numbers() -> None:
    numpy = pytest.importorskip("numpy")
    assert resolved(int, numpy.int64(6)) == 6
    assert type(resolved(float, numpy.float32(0.5))) is float


_ = Optional  # annotations above name it as text
