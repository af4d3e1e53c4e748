"""Frames: exactly what was written comes back, and equal frames have equal bytes."""

from __future__ import annotations

import datetime as dt
import mmap
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import pandas as hpd

from stackyard.errors import StoreError, Unstorable
from stackyard.store.artifacts import Artifacts
from stackyard.store.formats import frame as frames
from stackyard.store.formats.frame import Outline, outline
from tests.unit.frame_cases import COLUMNS, DIFFERENT, EQUALS, INDEXES, MIXED, WIDE, N, objects
from tests.unit.stores import file_of, opened

RNG = np.random.default_rng(7)


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return opened(tmp_path, pickle_allowed=False)


def same(left: Any, right: Any) -> None:
    assert type(right) is type(left)
    if isinstance(left, pd.DataFrame):
        pd.testing.assert_frame_equal(right, left, check_exact=True)
        for (_, a), (_, b) in zip(left.items(), right.items(), strict=True):
            same_missing(a, b)
    elif isinstance(left, pd.Series):
        pd.testing.assert_series_equal(right, left, check_exact=True)
        same_missing(left, right)
    elif isinstance(left, pd.Index):
        pd.testing.assert_index_equal(right, left, exact=True)
    else:
        assert right.equals(left) and right.schema.equals(left.schema)


def same_missing(left: pd.Series, right: pd.Series) -> None:
    """None, NaN, NA and NaT are not the same thing in a column of objects."""
    assert right.dtype == left.dtype
    if left.dtype == object:
        assert [type(v) for v in right] == [type(v) for v in left]


def round_trip(store: Artifacts, value: Any) -> Any:
    ref = store.save(value)
    assert ref.format == "frame"
    back = store.load(ref)
    same(value, back)
    assert store.save(back) == ref, "the digest changes after one round trip"
    return back


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_comes_back_with_its_exact_type(store: Artifacts, name: str) -> None:
    frame = pd.DataFrame({"before": range(N), name: COLUMNS[name], "after": list("abcdef")})
    for part in (frame, frame.iloc[:0], frame.iloc[1:4]):
        assert round_trip(store, part)[name].dtype == frame[name].dtype
    assert round_trip(store, frame[name]).dtype == frame[name].dtype


@pytest.mark.parametrize("name", INDEXES)
def test_an_index_comes_back_with_names_and_frequency(store: Artifacts, name: str) -> None:
    index = INDEXES[name]
    back = round_trip(store, index)
    assert back.names == index.names
    assert getattr(back, "freq", None) == getattr(index, "freq", None)
    round_trip(store, pd.DataFrame({"x": range(N)}, index=index))
    round_trip(store, pd.Series(range(N), index=index, name="s"))
    round_trip(store, pd.DataFrame(np.arange(2.0 * N).reshape(2, N), columns=index))
    if not isinstance(index, pd.MultiIndex):  # its unused levels are not content
        round_trip(store, pd.DataFrame({"x": range(N)}, index=index).iloc[:0])


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(),
        pd.DataFrame(index=pd.RangeIndex(5)),
        pd.DataFrame(index=["a", "b"]),
        pd.DataFrame(columns=["a", "b"]),
        pd.DataFrame([[1, "x", 3.5]], columns=["a", "a", 3]),
        pd.DataFrame([[1, 2]], columns=[None, np.nan]),
        pd.DataFrame([[1, 2]], columns=[("a", 1), frozenset({2})]),
        pd.DataFrame(np.ones((3, 2))),
        pd.DataFrame(np.ones((3, 1))),
        pd.Series([], dtype="float64"),
        pd.Series([1], name=dt.date(2013, 1, 1)),
        pd.Index([], dtype=object),
    ],
    ids=lambda f: repr(f)[:40],
)
def test_odd_shapes_and_labels(store: Artifacts, frame: Any) -> None:
    back = round_trip(store, frame)
    assert (type(back), back.shape) == (type(frame), frame.shape)


def test_attributes_and_flags_are_kept(store: Artifacts) -> None:
    frame = pd.DataFrame({"a": [1]}).set_flags(allows_duplicate_labels=False)
    frame.attrs = {"source": "x", "columns": {"a", 1}}
    back = round_trip(store, frame)
    assert back.attrs == frame.attrs
    assert not back.flags.allows_duplicate_labels
    frame.attrs["handle"] = object()
    with pytest.raises(Unstorable, match=r"attrs: builtins\.object is not plain; remove it"):
        store.save(frame)


class Custom:
    pass


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (
            pd.DataFrame({"img": objects(1, Custom())}),
            r"column 'img': holds a \S*Custom.*NamedTuple",
        ),
        (pd.DataFrame({"deep": objects([{"x": Custom()}])}), r"column 'deep': holds a \S*Custom"),
        (pd.DataFrame({"s": pd.arrays.SparseArray([0, 1])}), r"column 's': dtype Sparse.*to_dense"),
        (pd.DataFrame([[1]], columns=[Custom()]), r"columns' labels: holds a \S*Custom"),
        (pd.DataFrame({"x": [1]}, index=[Custom()]), r"the index: holds a \S*Custom"),
        (pd.Series([1], name=Custom), r"the name: builtins\.type is not plain"),
        (pd.DataFrame({"x": np.array([1], np.longdouble)}), r"column 'x': dtype .*128 cannot"),
        (pa.table({"u": pa.array(["a"], pa.string_view())}), r"column 'u': Arrow type string_view"),
    ],
    ids=lambda v: v if isinstance(v, str) else "",
)
def test_what_cannot_be_stored_is_named_with_the_way_out(
    tmp_path: Path, frame: Any, message: str
) -> None:
    with pytest.raises(Unstorable, match=message):  # though pickle is allowed: never for frames
        opened(tmp_path).save(frame)


def test_a_subclass_is_not_taken_for_a_frame(tmp_path: Path) -> None:
    class Geo(pd.DataFrame):
        @property
        def _constructor(self) -> Callable[..., Geo]:
            return Geo

    assert opened(tmp_path).save(Geo({"a": [1]})).format == "pickle"


# equal content, equal digest ---------------------------------------------------------------------


@pytest.mark.parametrize("name", EQUALS)
def test_history_is_not_content(store: Artifacts, name: str) -> None:
    left, right = EQUALS[name]
    same(left, right)
    assert store.save(left) == store.save(right)
    round_trip(store, left)


def test_different_frames_have_different_digests(store: Artifacts) -> None:
    digests = [store.save(frame).digest for frame in DIFFERENT]
    assert len(set(digests)) == len(digests)


def test_the_digest_is_the_same_in_other_processes(tmp_path: Path) -> None:
    code = """
import sys; sys.path.insert(0, sys.argv[1])
from pathlib import Path
from tests.unit.stores import opened
from tests.unit.frame_cases import MIXED
store = opened(Path(sys.argv[2]))
print(store.save(MIXED).digest, store.save(store.load(store.save(MIXED))).digest)
"""
    seen: set[str] = set()
    for seed in "12":
        run = [sys.executable, "-c", code, str(Path(__file__).parents[2]), str(tmp_path / seed)]
        env = {**os.environ, "PYTHONHASHSEED": seed}
        done = subprocess.run(run, capture_output=True, text=True, check=True, env=env, timeout=120)
        seen |= set(done.stdout.split())
    assert len(seen) == 1


# tables ------------------------------------------------------------------------------------------


def test_a_table_keeps_its_schema(store: Artifacts) -> None:
    fields = [
        pa.field("a", pa.int64(), nullable=False, metadata={"unit": "m"}),
        pa.field("a", pa.dictionary(pa.int8(), pa.string(), ordered=True)),
    ]
    words = pa.array(["x", None, "y"]).dictionary_encode().cast(fields[1].type)
    table = pa.table([pa.array([1, 2, 3]), words], schema=pa.schema(fields, {"source": "there"}))
    back = round_trip(store, table)
    assert back.schema.equals(table.schema, check_metadata=True)


def test_a_table_from_pandas_still_becomes_that_frame(store: Artifacts) -> None:
    frame = MIXED[["text or None", "category", "zone UTC", "nullable Int64"]].set_index("category")
    expected = pa.Table.from_pandas(frame).to_pandas()
    back = store.load(store.save(pa.Table.from_pandas(frame))).to_pandas()
    same(expected, back)
    assert back.dtypes.equals(expected.dtypes) and back.index.equals(expected.index)


def test_dictionaries_of_chunks_are_joined(store: Artifacts) -> None:
    parts = [pa.array(list(text)).dictionary_encode() for text in ("ab", "cb", "a")]
    table = pa.table({"x": pa.chunked_array(parts)})
    back = store.load(store.save(table))
    assert back["x"].to_pylist() == list("abcba")
    assert store.save(back) == store.save(table)


def test_any_arrow_reader_can_read_the_columns(store: Artifacts) -> None:
    frame = pd.DataFrame(
        {"n": [1.5, np.nan], "s": ["a", None], "t": pd.to_datetime(["2013", None])}
    )
    with pa.ipc.open_file(file_of(store, store.save(frame).digest)) as reader:
        assert reader.read_all().to_pydict()["t"] == [dt.datetime(2013, 1, 1), None]
        assert reader.read_all().column_names == ["n", "s", "t"]


# views of a private map --------------------------------------------------------------------------

BIG = pd.DataFrame(
    {
        "f": np.arange(50_000.0),
        "i": np.arange(50_000),
        "b": np.arange(50_000) % 2 == 0,
        "t": pd.date_range("2013", periods=50_000, freq="min"),
        "z": pd.date_range("2013", periods=50_000, freq="min", tz="Europe/Berlin"),
        "m": pd.array(range(50_000), dtype="Int64"),
        "c": pd.Categorical(["a", None] * 25_000),
        "o": ["x"] * 50_000,
    }
)
CHANGES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "add": lambda f: f.__setitem__("f", f["f"] + 1),
    "add in place": lambda f: f.__setitem__("f", f["f"].__iadd__(1)),
    "loc": lambda f: f.loc.__setitem__((f["i"] > 10, "i"), -1),
    "iloc": lambda f: f.iloc.__setitem__((3, 2), True),
    "time": lambda f: f.loc.__setitem__((0, "t"), pd.NaT),
    "zoned": lambda f: f.loc.__setitem__((0, "z"), pd.NaT),
    "nullable": lambda f: f.loc.__setitem__((0, "m"), pd.NA),
    "category": lambda f: f.loc.__setitem__((0, "c"), None),
    "text": lambda f: f.loc.__setitem__((0, "o"), "y"),
    "fill": lambda f: f.fillna({"c": "a"}, inplace=True),
    "delete": lambda f: f.__delitem__("f"),
    "new column": lambda f: f.insert(0, "n", f["f"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_reader_may_change_its_frame_and_nobody_else_sees_it(
    store: Artifacts, change: str
) -> None:
    ref = store.save(BIG)
    before = file_of(store, ref.digest).read_bytes()
    mine, theirs = store.load(ref), store.load(ref)
    expected = BIG.copy()
    CHANGES[change](expected)
    CHANGES[change](mine)
    pd.testing.assert_frame_equal(mine, expected)
    same(BIG, theirs)
    same(BIG, store.load(ref))
    assert file_of(store, ref.digest).read_bytes() == before


@pytest.mark.parametrize("frame", [BIG, WIDE, pd.concat([WIDE] * 20, ignore_index=True)])
def test_numpy_views_may_be_written_to(store: Artifacts, frame: pd.DataFrame) -> None:
    back = store.load(store.save(frame))
    for name in back.select_dtypes("number").columns[:2]:
        values = np.asarray(back[name].array)
        owner: Any = values
        while getattr(owner, "base", None) is not None:
            owner = owner.base
        assert isinstance(owner, mmap.mmap | bytearray | memoryview), "the column was copied"
    equal = store.load(store.save(WIDE)).to_numpy()
    assert equal.base is not None, "columns of one type are no longer one block"


def test_the_map_of_a_large_frame_is_cheap(store: Artifacts) -> None:
    frame = pd.DataFrame({f"c{i}": np.zeros(1_250_000) for i in range(20)})  # 200 MB
    ref = store.save(frame)
    before = os.times()
    pages = _private_bytes()
    back = store.load(ref)
    assert _private_bytes() - pages < 8e6
    spent = os.times()
    assert spent.user + spent.system - before.user - before.system < 0.1
    back.iloc[0, 0] = 1.0
    assert _private_bytes() - pages < 16e6, "one changed cell copied a column"
    assert store.load(ref).iloc[0, 0] == 0.0


@pytest.mark.parametrize("absent", [None, np.nan, pd.NA])
def test_equal_texts_of_a_long_column_are_one_object(store: Artifacts, absent: Any) -> None:
    frame = pd.DataFrame({"x": objects(*["one", "two", absent] * 5000), "y": range(15_000)})
    back = round_trip(store, frame)
    assert len(set(map(id, back["x"]))) == 3
    round_trip(store, pd.DataFrame({"x": objects(*map(str, range(5000)), absent)}))


def _private_bytes() -> int:
    text = Path("/proc/self/smaps_rollup").read_text()
    return sum(
        int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Private_D")
    )


@pytest.mark.parametrize("order", ["C", "F"])
def test_what_is_being_written_may_have_any_layout(store: Artifacts, order: Any) -> None:
    values = np.array(RNG.normal(size=(5000, 7)), order=order)
    for written in (values, values.T, values[::3, ::2]):
        back = round_trip(store, pd.DataFrame(written, copy=False))
        assert (back.to_numpy() == written).all()


def test_a_file_of_another_format_is_refused(store: Artifacts, tmp_path: Path) -> None:
    table = pa.table({"a": [1]})
    with pa.ipc.new_file(str(tmp_path / "x"), table.schema) as writer:
        writer.write_table(table)
    with pytest.raises(StoreError, match="not of format frame/1"):
        frames.FrameFormat().read(tmp_path / "x")


# any frame ---------------------------------------------------------------------------------------

KINDS: list[tuple[Any, Any]] = [
    (np.dtype("i8"), None),
    (np.dtype("f8"), None),
    (np.dtype("f4"), None),
    (np.dtype("?"), None),
    (np.dtype("M8[ns]"), None),
    (np.dtype("m8[ns]"), None),
    (object, st.none() | st.text()),
    (object, st.just(np.nan) | st.text()),
    (object, st.none() | st.just(np.nan) | st.integers() | st.text() | st.lists(st.integers())),
    ("category", st.sampled_from(["a", "b", None])),
    ("Int64", st.none() | st.integers(-(2**63), 2**63 - 1)),
    ("boolean", st.none() | st.booleans()),
    ("string", st.none() | st.text()),
    ("str", st.none() | st.text()),
    (pd.ArrowDtype(pa.list_(pa.string())), st.none() | st.lists(st.none() | st.text())),
    (
        pd.DatetimeTZDtype("us", "Europe/Berlin"),
        st.none()
        | st.datetimes(dt.datetime(1900, 1, 1), dt.datetime(2100, 1, 1), timezones=st.just(dt.UTC)),
    ),
]


@st.composite
def any_frame(draw: Any) -> pd.DataFrame:
    rows = draw(st.integers(0, 8))
    made: list[pd.Series] = []
    for dtype, cells in draw(st.lists(st.sampled_from(KINDS), max_size=5)):
        if cells is None:
            frame = hpd.data_frames(
                [hpd.column("x", dtype=dtype)], index=hpd.range_indexes(rows, rows)
            )
            made.append(draw(frame)["x"])
        else:
            values = draw(st.lists(cells, min_size=rows, max_size=rows))
            made.append(objects(*values) if dtype is object else pd.Series(values, dtype=dtype))
    labels = st.text() | st.integers() | st.none()
    frame = pd.DataFrame(dict(enumerate(made)), index=range(rows))
    frame.columns = pd.Index([draw(labels) for _ in made], dtype=object)
    return frame


def kinds(frame: pd.DataFrame) -> list[Any]:
    return [(column.dtype, [type(v) for v in column]) for _, column in frame.items()]


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(any_frame(), st.data())
def test_any_frame_comes_back_with_the_same_digest(
    tmp_path_factory: pytest.TempPathFactory, frame: pd.DataFrame, data: Any
) -> None:
    store = opened(tmp_path_factory.getbasetemp() / "hypothesis", pickle_allowed=False)
    ref = store.save(frame)
    back = round_trip(store, frame)
    if frame.shape[1]:
        index = back.set_axis(range(back.shape[1]), axis=1).set_index(0)
        round_trip(store, index)
    cut = data.draw(st.integers(0, len(frame)))
    parts = [frame.iloc[:cut], frame.iloc[cut:].copy()]
    whole = pd.concat([p for p in parts if len(p)] or [frame])
    if kinds(whole) == kinds(frame):  # else pandas itself has made None of NaN, or the like
        assert store.save(whole.set_axis(frame.index)) == ref


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (pd.DataFrame(), Outline(0, (), ())),
        (
            pd.DataFrame([[1, True]], columns=["a", "a"]),
            Outline(1, (("a", "int64"), ("a", "bool")), ()),
        ),
        (pd.DataFrame({3: [1]}, index=[7]), Outline(1, (("3", "int64"),), (("", "int64"),))),
        (pd.RangeIndex(5), Outline(5, (), ())),
        (pd.RangeIndex(5, name="n"), Outline(5, (), (("n", "int64"),))),
        (
            pd.DataFrame({"a": [1.5]}, index=pd.RangeIndex(1, name="n")),
            Outline(1, (("a", "float64"),), (("n", "int64"),)),
        ),
        (pd.Series([1.5]), Outline(1, (("", "float64"),), ())),
        (pd.Series([1.5], name="None"), Outline(1, (("None", "float64"),), ())),
        (
            pd.Series(pd.array([1, None], dtype="Int64"), name="n"),
            Outline(2, (("n", "Int64"),), ()),
        ),
        (pa.table({"x": ["a"]}), Outline(1, (("x", "string"),), ())),
        (
            pd.DataFrame({"t": pd.to_datetime(["2020"]).tz_localize("UTC").as_unit("us")}),
            Outline(1, (("t", "datetime64[us, UTC]"),), ()),
        ),
    ],
)
def test_an_outline_is_read_without_the_values(
    store: Artifacts, value: Any, expected: Outline
) -> None:
    assert outline(store.path(store.save(value).digest)) == expected
