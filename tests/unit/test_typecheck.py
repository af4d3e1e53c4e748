"""Edges are checked when the graph is built, without importing what only annotations name."""

from __future__ import annotations

import collections
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, NewType, Protocol, TypedDict, TypeVar

import numpy as np
import pandas as pd
import pytest

from stackyard import Registry, Tracker
from stackyard.annotation import Scope, Type, public_name, read
from stackyard.subclass import is_subclass
from stackyard.typecheck import fits, instance_fits, type_of, value_fits

T = TypeVar("T")
UserId = NewType("UserId", int)


class Base:
    def __repr__(self) -> str:  # the same in every process
        return f"{type(self).__name__}()"


class Derived(Base): ...


class Row(TypedDict):
    a: int


class Pair(NamedTuple):
    a: int
    b: str


class Fitted(Protocol):
    def predict(self) -> int: ...


SCOPE = Scope(globals(), __file__)


def fit(given: Any, wanted: Any) -> bool:
    return fits(read(given, SCOPE), read(wanted, SCOPE))


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (int, int),
        (Derived, Base),
        (Derived, object),
        (int, Any),
        (Any, int),
        ("not_defined_anywhere", int),
        (int, "not.defined[anywhere]"),
        (int, float),
        (bool, int),
        (bool, float),
        (float, complex),
        (int, int | None),
        (None, int | None),
        (int | bool, int),
        (int | None, float | None),
        (int, int | str),
        ("int | str", "str | int | None"),
        (list[int], list),
        (list, list[int]),
        (list[int], list[float]),
        (list[int], Sequence[int]),
        (list[int], Iterable),
        (list[Derived], Sequence[Base]),
        (dict[str, int], Mapping[str, float]),
        (dict[str, int], dict),
        (tuple[int, str], tuple),
        (tuple[int, int], tuple[int, ...]),
        (tuple[int, ...], Sequence[int]),
        (tuple[int, str], tuple[int, str]),
        (Row, dict[str, int]),
        (dict[str, int], Row),
        (Pair, tuple),
        (Pair, Pair),
        (Literal["a"], str),
        (Literal["a"], Literal["a", "b"]),
        (datetime, date),
        (UserId, int),
        (Annotated[int, "rows"], int),
        (T, int),
        (Base, Fitted),
        (Callable[[int], int], Callable),
        ("Callable[[int], int]", Callable),
        (type[Base], type),
        (Tracker, Tracker),
        (collections.OrderedDict, dict),
    ],
)
def test_edges_that_are_allowed(given: Any, wanted: Any) -> None:
    assert fit(given, wanted)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        (int, str),
        (float, int),
        (str, float),
        (Base, Derived),
        (None, int),
        (int | None, int),
        (int | str, int),
        (int, str | None),
        (list[int], list[str]),
        (list[int], dict),
        (list[int | None], list[int]),
        (list[int], Sequence[str]),
        (dict[str, int], dict[str, str]),
        (dict[int, int], dict[str, int]),
        (tuple[int, str], tuple[str, int]),
        (tuple[int, str], tuple[int]),
        (tuple[int, str], Sequence[int]),
        (str, Literal["a"]),
        (Literal["c"], Literal["a", "b"]),
        (Literal[1], str),
        (date, datetime),
        (Pair, Row),
        (Tracker, Registry),
        (list, int),
    ],
)
def test_edges_that_are_refused(given: Any, wanted: Any) -> None:
    assert not fit(given, wanted)


@pytest.mark.parametrize(
    ("value", "annotation", "allowed"),
    [
        (1, int, True),
        (1, float, True),
        (1, str, False),
        (True, int, True),
        (None, int, False),
        (None, int | None, True),
        ([], list[int], True),
        ([1, 2], list[int], True),
        ([1, "a"], list[int], False),
        ([[1]], list[list[float]], True),
        ({}, dict[str, int], True),
        ({"a": 1}, dict[str, int], True),
        ({"a": "b"}, dict[str, int], False),
        ({"a": 1}, Row, True),
        ("a", Literal["a", "b"], True),
        ("c", Literal["a", "b"], False),
        (1, Literal[True], False),
        ("a", Sequence[str], True),
        ([1], Base, False),
        (1, Any, True),
    ],
)
def test_literals(value: Any, annotation: Any, allowed: bool) -> None:
    assert value_fits(value, read(annotation, SCOPE)) is allowed


def test_names_are_those_under_which_people_import() -> None:
    for cls, name in (
        (int, "int"),
        (Tracker, "stackyard.Tracker"),
        (collections.OrderedDict, "collections.OrderedDict"),
        (Base, f"{__name__}.Base"),
    ):
        assert public_name(cls) == name
    assert type_of({"a": [1, None]}).name == "dict[str, list[int | None]]"
    assert read("Sequence[int] | None", SCOPE).name == "collections.abc.Sequence[int] | None"


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ("pandas.DataFrame", "pandas.core.frame.DataFrame", True),
        ("pandas.DataFrame", "pandas.Series", False),
        ("pandas.DataFrame", "numpy.ndarray", False),
        ("pandas.DataFrame", int, False),
        (int, "pandas.DataFrame", False),
        ("pandas.Timestamp", "datetime.datetime", True),
        ("sklearn.pipeline.Pipeline", "sklearn.base.BaseEstimator", True),
        ("sklearn.ensemble.HistGradientBoostingClassifier", "sklearn.base.ClassifierMixin", True),
        ("sklearn.base.ClassifierMixin", "sklearn.ensemble.RandomForestClassifier", False),
        (list, "numpy.typing.ArrayLike", None),
        ("pathlib.Path", "os.PathLike", None),
        ("nowhere.A", "nowhere.B", None),
        ("nowhere.A", "nowhere.A", True),
        ("nowhere.A", "pandas.DataFrame", None),
        ("pandas.DataFrame", Sequence, None),
    ],
)
def test_classes_known_by_name_are_looked_up_in_source_files(
    one: Any, other: Any, answer: bool | None
) -> None:
    assert is_subclass(one, other) is answer


PROJECT = """
from __future__ import annotations
from typing import TYPE_CHECKING, NamedTuple
from stackyard import Period, pipeline, step
if TYPE_CHECKING:
    import pandas as pd
    from pandas import Series as Column
    from sklearn.base import ClassifierMixin
    from sklearn.ensemble import RandomForestClassifier as Forest
    from .helpers import Local

class Split(NamedTuple):
    train: pd.DataFrame
    column: Column

@step
def load(period: Period) -> pd.DataFrame: ...
@step
def split(rows: "pd.DataFrame") -> Split: ...
@step
def fit(rows: pd.DataFrame, depth: int = 6) -> Forest: ...
@step
def judge(model: ClassifierMixin, rows: pd.DataFrame | None = None) -> float: ...
@step
def mean(column: Column) -> float: ...
@step
def local(rows: Local) -> Local: ...
@step
def many(frames: list[pd.DataFrame]) -> None: ...

@pipeline
def flow(period: Period):
    rows = load(period)
    parts = split(rows)
    {body}

import sys
try:
    graph = flow.graph()
    print([s.output_types for s in graph.steps])
except Exception as exc:
    print(f"{{type(exc).__name__}}: {{exc}}")
heavy = {{"pandas", "numpy", "sklearn", "pyarrow", "msgspec", "rich", "yaml", "pydantic"}}
assert not heavy & set(sys.modules), heavy & set(sys.modules)
"""


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("judge(fit(parts.train), rows)", "[('pandas.DataFrame',), "),
        ("mean(parts.column)", "('pandas.DataFrame', 'pandas.Series')"),
        ("local(rows)", "('pkg.helpers.Local',)"),
        ("many([rows, parts.train])", "("),
        (
            "mean(parts.train)",
            "step 'mean', parameter 'column' takes pandas.Series, and is given pandas.DataFrame "
            "from output 'train' of step 'split'",
        ),
        (
            "fit(rows, '6')",
            "step 'fit', parameter 'depth' takes int, and is given the value '6'",
        ),
        (
            "fit(rows, mean(parts.column))",
            "step 'fit', parameter 'depth' takes int, and is given float from result of step "
            "'mean'",
        ),
        (
            "fit(period)",
            "step 'fit', parameter 'rows' takes pandas.DataFrame, and is given stackyard.Period "
            "from parameter 'period'",
        ),
        (
            "many([rows, parts.column])",
            "step 'many', parameter 'frames' takes list[pandas.DataFrame], and is given "
            "list[pandas.DataFrame | pandas.Series] from step 'load', 'split'",
        ),
        (
            "judge(rows)",
            "takes sklearn.base.ClassifierMixin, and is given pandas.DataFrame from result of step "
            "'load'",
        ),
    ],
)
def test_a_graph_is_built_and_checked_without_importing_libraries(
    tmp_path: Path, body: str, said: str
) -> None:
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "flow.py").write_text(PROJECT.format(body=body))
    done = subprocess.run(
        [sys.executable, "-m", "pkg.flow"], cwd=tmp_path, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)}, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert said in done.stdout
    if done.stdout.startswith("PipelineError"):
        line = next(i for i, row in enumerate(PROJECT.splitlines(), 1) if "{body}" in row)
        assert re.match(rf"PipelineError: pkg/flow\.py:{line}: ", done.stdout)


def test_an_edge_between_equal_names_reads_no_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stackyard.subclass._source", None)
    assert is_subclass("pandas.DataFrame", "pandas.DataFrame")
    assert is_subclass("pandas.DataFrame", "pandas.core.frame.DataFrame")


class Scores(Protocol):
    def score(self) -> float: ...


class Level(IntEnum):
    LOW = 1


HERE = Scope(globals(), __file__)


@pytest.mark.parametrize(
    "value, wanted",
    [
        (1, int), (True, int), (1, float), (True, float), (1.5, complex), (None, None),
        (np.int64(1), int), (np.int32(1), float), (np.float32(1), float), (np.bool_(True), bool),
        (np.float64(1), complex), (np.str_("a"), str), (np.datetime64("2013-01-01"), np.datetime64),
        (pd.Timestamp("2013-01-01"), datetime), (datetime(2013, 1, 1), date),
        (Derived(), Base), (Base(), "Base"), (Base(), "Derived | Base"), (None, "Base | None"),
        (Base(), object), (Base(), Any), (Base(), "Missing"), (Base(), "polars.DataFrame"),
        (Base(), T), (1, UserId), (Base(), Scores), ({}, Row), ("a", Literal["a", "b"]),
        ([Base()], list[int]), ({}, "dict[str, int]"), ((), tuple[int, ...]), ((), Sequence[int]),
        (collections.OrderedDict(), Mapping[str, int]), (len, Callable[[int], int]),
        (int, type[int]),
        (pd.DataFrame(), pd.DataFrame), (pd.DataFrame(), "pandas.DataFrame"),
        (np.zeros(2), np.ndarray), (1, Annotated[int, "x"]),
        (Level.LOW, float), (Level.LOW, complex), (np.int64(1), Literal[1, 2]),
        (np.str_("a"), Literal["a"]), (pd.NaT, pd.Timestamp), (pd.NaT, pd.Timedelta),
        (float("nan"), float),
    ],
    ids=str,
)  # fmt: skip
def test_values_that_a_step_may_return(value: object, wanted: object) -> None:
    assert instance_fits(value, read(wanted, HERE))


@pytest.mark.parametrize(
    "value, wanted",
    [
        ("1", int), (1.5, int), (np.float64(1), int), (np.bool_(True), str), (1, bool), (1, str),
        (np.int64(1), bool), (np.zeros(2), float), (1j, float), (None, int), (None, list[int]),
        (Base(), Derived), (Base(), "Derived | None"), ((), list[int]), ([], "dict[str, int]"),
        (0, None), (1, Literal["a"]), (None, pd.DataFrame), (pd.Series(), pd.DataFrame),
        (None, Row), (None, UserId), ("a", Path), (1, Sequence[int]),
        (Level.LOW, str), (np.float64(1.5), Literal[1, 2]), (pd.NaT, pd.DataFrame),
    ],
    ids=str,
)  # fmt: skip
def test_values_that_a_step_may_not_return(value: object, wanted: object) -> None:
    assert not instance_fits(value, read(wanted, HERE))


def test_a_class_that_only_annotations_name_is_compared_once_it_is_imported() -> None:
    frame = Type("class", "pandas.DataFrame")
    assert instance_fits(pd.DataFrame(), frame)
    assert not instance_fits(None, frame)
    assert instance_fits(None, Type("class", "not_imported.DataFrame"))
    assert "not_imported" not in sys.modules


def test_a_class_that_was_loaded_twice_is_one() -> None:
    again = type("Base", (), {"__module__": __name__, "__qualname__": "Base"})
    assert instance_fits(again(), read(Base, HERE))
