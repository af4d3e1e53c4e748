"""Frames, columns and indexes to be stored."""

from __future__ import annotations

import datetime as dt
import zoneinfo
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

N = 6
QUIET_NAN = np.array([0x7FF8000000000000], "u8").view("f8")[0]
SIGNALLING_NAN = np.array([0x7FF0000000000001], "u8").view("f8")
OTHER_NAN = np.array([0xFFF8000000000123], "u8").view("f8")[0]


def objects(*cells: Any) -> pd.Series:
    made = np.empty(len(cells), object)
    for i, cell in enumerate(cells):
        made[i] = cell
    return pd.Series(made, dtype=object)


NUMBERS = (
    "i1",
    "i2",
    "i4",
    "i8",
    "u1",
    "u2",
    "u4",
    "u8",
    "f2",
    "f4",
    "f8",
    "c8",
    "c16",
    "?",
    ">f8",
    ">i4",
)

COLUMNS: dict[str, Any] = {
    **{f"numpy {d}": np.arange(N).astype(d) for d in NUMBERS},
    "floats": [0.0, -0.0, np.nan, np.inf, -np.inf, 5e-324],
    **{
        f"datetime {u}": pd.Series(pd.to_datetime(["2013-01-01", None, "1969-12-31"] * 2)).astype(
            f"M8[{u}]"
        )
        for u in ("s", "ms", "us", "ns")
    },
    **{
        f"timedelta {u}": pd.Series(pd.to_timedelta([1, None, -5] * 2, unit="s")).astype(f"m8[{u}]")
        for u in ("s", "ms", "us", "ns")
    },
    **{
        f"zone {z}": pd.Series(
            pd.to_datetime(["2013-07-01", None, "2013-12-01"] * 2)
        ).dt.tz_localize(z)
        for z in (
            "UTC",
            "America/New_York",
            "+05:30",
            "-00:30",
            dt.timezone(dt.timedelta(seconds=3601)),
            zoneinfo.ZoneInfo("Europe/Berlin"),
        )
    },
    "zone s": pd.Series(pd.date_range("2013", periods=N, tz="Europe/Berlin")).astype(
        "M8[s, Europe/Berlin]"
    ),
    "text": objects("a", "", "é😀", "\x00", "a" * 100, "NaN"),
    "text or None": objects("a", None, "b", None, "", "c"),
    "text or NaN": objects("a", np.nan, "b", np.nan, "", "c"),
    "text or NA": objects("a", pd.NA, "b", pd.NA, "", "c"),
    "text, None, NaN": objects("a", None, np.nan, pd.NA, pd.NaT, "c"),
    "only None": objects(*[None] * N),
    "only NaN": objects(*[np.nan] * N),
    "surrogates": objects("\ud800", "b", None, "c", "", "d"),
    "bytes": objects(b"a", b"\xff", None, b"", b"c", b"d"),
    "bytes and text": objects(b"a", "a", None, b"", b"c", b"d"),
    "truth or None": objects(True, None, False, True, None, True),
    "mixed": objects(1, "a", 1.5, None, True, 2**70),
    "lists": objects([1, 2], [], None, [None], ["a"], [[1], [2]]),
    "equal lists": objects(*[[1, 2]] * N),
    "dicts": objects({"a": 1}, {"b": {1, 2}}, None, {}, {1: 2}, {"c": (1,)}),
    "arrays": objects(*[np.arange(3)] * N),
    "decimals": objects(*[Decimal("1.10")] * N),
    "dates": objects(dt.date(2013, 1, 1), None, *[dt.date(1, 1, 1)] * 4),
    "stamps": objects(pd.Timestamp("2013", tz="UTC"), pd.NaT, pd.Timestamp("2014"), None, 1, "a"),
    "category": pd.Categorical(["x", "y", None, "x", "x", "y"], categories=["z", "y", "x"]),
    "ordered": pd.Categorical(["x", "y"] * 3, categories=["y", "x"], ordered=True),
    "number category": pd.Categorical([1, 2, None] * 2),
    "object category": pd.Categorical(objects("a", 1, None, "a", 1, 1)),
    "date category": pd.Categorical(pd.date_range("2013", periods=N, tz="Asia/Tokyo")),
    "bins": pd.cut([1, 2, 3, 4, np.nan, 6], 3),
    "time bins": pd.cut(pd.Series(pd.date_range("2013", periods=N)), 2),
    "interval": pd.arrays.IntervalArray.from_breaks(range(N + 1), closed="left"),
    "period": pd.period_range("2013-01", periods=N, freq="Q-NOV"),
    **{
        f"nullable {d}": pd.array([1, None, 0] * 2, dtype=d)
        for d in ("Int8", "Int64", "UInt16", "Float32", "Float64", "boolean")
    },
    "string[python]": pd.array(["a", None, ""] * 2, dtype="string[python]"),
    "string[pyarrow]": pd.array(["a", None, ""] * 2, dtype="string[pyarrow]"),
    "str": pd.Series(["a", None, ""] * 2, dtype="str"),
    **{
        f"arrow {t}": pd.array([None, *v], dtype=pd.ArrowDtype(t))
        for t, v in [
            (pa.int32(), [1, 2, 3, 4, None]),
            (pa.bool_(), [True, False] * 2 + [None]),
            (pa.string(), ["a", "", None, "é", "b"]),
            (pa.large_string(), ["a", "", None, "é", "b"]),
            (pa.binary(), [b"a"] * 5),
            (pa.binary(3), [b"abc", None] * 2 + [b"xyz"]),
            (pa.float16(), [1.5] * 5),
            (pa.float64(), [1.5, np.nan, None, 0.0, -0.0]),
            (pa.decimal128(20, 2), [Decimal("1.10")] * 5),
            (pa.date32(), [dt.date(2013, 1, 1)] * 5),
            (pa.time64("us"), [dt.time(1)] * 5),
            (pa.timestamp("ms", "Europe/Berlin"), [dt.datetime(2013, 1, 1)] * 5),
            (pa.duration("s"), [dt.timedelta(seconds=1)] * 5),
            (pa.null(), [None] * 5),
            (pa.list_(pa.string()), [["a", None], [], None, ["b"], []]),
            (pa.large_list(pa.int8()), [[1], [], None, [2, 3], []]),
            (pa.list_(pa.int64(), 2), [[1, 2], None, [3, None], [5, 6], None]),
            (
                pa.struct([("x", pa.int64()), ("y", pa.list_(pa.string()))]),
                [{"x": 1, "y": ["a"]}, None, {"x": None, "y": None}] + [None] * 2,
            ),
            (pa.map_(pa.string(), pa.int64()), [[("a", 1)], None, [], [("b", None), ("c", 2)], []]),
            (pa.dictionary(pa.int8(), pa.string()), ["a", "b", None, "a", "a"]),
        ]
    },
}

INDEXES: dict[str, Any] = {
    "range": pd.RangeIndex(3, 3 + 2 * N, 2, name="r"),
    "default": pd.RangeIndex(N),
    "named": pd.Index(range(10, 10 + N), name=("a", 1)),
    "text": pd.Index(list("abcdef"), name="t"),
    "object": pd.Index(objects("a", 1, None, (1, 2), 1.5, "b")),
    "daily": pd.date_range("2013-01-01", periods=N, freq="D", name="d"),
    "business": pd.date_range("2013-01-01", periods=N, freq="BME", tz="Europe/Berlin"),
    "irregular": pd.DatetimeIndex(["2013-01-01", None, *["2013-05-05"] * (N - 2)]),
    "delta": pd.timedelta_range("1h", periods=N, freq="30min"),
    "period": pd.period_range("2013", periods=N, freq="D"),
    "category": pd.CategoricalIndex(list("aabbcc"), categories=list("cbaz"), ordered=True),
    "interval": pd.interval_range(0, N),
    "nullable": pd.Index(pd.array([1, None, 2, 3, 4, 5], dtype="Int64")),
    "multi": pd.MultiIndex.from_product(
        [["x", "y"], pd.date_range("2013", periods=3)], names=["k", None]
    ),
    "multi with gaps": pd.MultiIndex.from_arrays(
        [[1, 2, None] * 2, ["a", "a", "b", "b", None, "c"]]
    ),
}


def _garbage() -> Any:
    masked = pd.array([1, 2, 3], dtype="Int64")
    masked[1] = pd.NA
    return pd.DataFrame({"x": masked})


def _clean() -> Any:
    return pd.DataFrame({"x": pd.array([1, None, 3], dtype="Int64")})


def _arrow_garbage() -> Any:
    text = pa.Array.from_buffers(
        pa.string(),
        3,
        [
            pa.py_buffer(b"\xfd"),
            pa.py_buffer(np.array([0, 1, 5, 6], "i4")),
            pa.py_buffer(b"ahidec-more"),
        ],
    )
    return pd.DataFrame({"x": pd.arrays.ArrowExtensionArray(pa.chunked_array([text]))})


def _arrow_clean() -> Any:
    return pd.DataFrame({"x": pd.array(["a", None, "c"], dtype=pd.ArrowDtype(pa.string()))})


def _lists(chunks: int) -> Any:
    kind = pa.list_(pa.struct([("x", pa.string()), ("y", pa.list_(pa.int64(), 2))]))
    rows = [[{"x": "a", "y": [1, 2]}, None], None, [], [{"x": None, "y": None}]] * 3
    whole = pa.array([[{"x": "cut", "y": [9, 9]}], *rows], kind)[1:]
    if chunks == 1:
        whole = pa.array(rows, kind)
    step = len(rows) // chunks
    parts = [whole[i * step : (i + 1) * step] for i in range(chunks)]
    return pa.table({"x": pa.chunked_array(parts, kind)})


WIDE = pd.DataFrame({"a": np.arange(1000.0), "b": np.arange(1000.0) * 2, "c": np.arange(1000.0)})
MIXED = pd.DataFrame({k: v for k, v in COLUMNS.items() if not k.startswith("numpy >")})
TEXT = pd.DataFrame({"s": pd.Series(["a", None, "bcd", ""] * 50, dtype="str")})
EQUALS: dict[str, tuple[Any, Any]] = {
    "slice": (MIXED.iloc[2:5], MIXED.iloc[2:5].copy()),
    "concat": (pd.concat([MIXED.iloc[:2], MIXED.iloc[2:]]), MIXED),
    "text slices": (pd.concat([TEXT.iloc[:70], TEXT.iloc[70:]]), TEXT),
    "rows": (
        pd.DataFrame(np.ascontiguousarray(WIDE.to_numpy()), columns=WIDE.columns, copy=False),
        WIDE,
    ),
    "columns": (
        pd.DataFrame(np.asfortranarray(WIDE.to_numpy()), columns=WIDE.columns, copy=False),
        WIDE,
    ),
    "one by one": (pd.concat([WIDE[[c]] for c in WIDE], axis=1), WIDE),
    "strided": (
        pd.DataFrame({"a": np.arange(20.0)[::2]}),
        pd.DataFrame({"a": np.arange(0, 20.0, 2)}),
    ),
    "nan bits": (
        pd.DataFrame({"a": [1, OTHER_NAN, -QUIET_NAN]}),
        pd.DataFrame({"a": [1, QUIET_NAN, np.nan]}),
    ),
    "signalling nan": (pd.DataFrame({"a": SIGNALLING_NAN}), pd.DataFrame({"a": [np.nan]})),
    "complex nan bits": (pd.Series([complex(OTHER_NAN, 1)]), pd.Series([complex(np.nan, 1)])),
    "half nan bits": (
        pd.Series(np.array([0xFE01], "u2").view("f2")),
        pd.Series([np.nan], dtype="f2"),
    ),
    "under nulls": (_garbage(), _clean()),
    "arrow under nulls": (_arrow_garbage(), _arrow_clean()),
    "list chunks": (_lists(3), _lists(1)),
    "numbers in index": (WIDE.set_index("a"), WIDE.set_index("a").copy()),
    "multi-index history": (
        pd.DataFrame(
            {"x": range(6)}, index=pd.MultiIndex.from_product([["a", "b", "c"], [1, 2]])
        ).iloc[:4],
        pd.DataFrame({"x": range(4)}, index=pd.MultiIndex.from_product([["a", "b"], [1, 2]])),
    ),
    "attrs order": (
        pd.DataFrame({"a": [1]}).pipe(lambda f: f.attrs.update(x=1, y=2) or f),
        pd.DataFrame({"a": [1]}).pipe(lambda f: f.attrs.update(y=2, x=1) or f),
    ),
    "pandas metadata": (
        pa.Table.from_pandas(WIDE),
        pa.Table.from_pandas(WIDE).replace_schema_metadata(
            {
                b"pandas": pa.Table.from_pandas(WIDE)
                .schema.metadata[b"pandas"]
                .replace(pa.__version__.encode(), b"0.1")
            }
        ),
    ),
}


DIFFERENT: list[Any] = [
    pd.DataFrame({"a": [1, 2]}),
    pd.DataFrame({"a": [1.0, 2.0]}),
    pd.DataFrame({"b": [1, 2]}),
    pd.DataFrame({"a": [1, 2]}, index=[0, 2]),
    pd.DataFrame({"a": [1, 2]}).rename_axis("i"),
    pd.DataFrame({"a": [1, 2]}, dtype="Int64"),
    pd.DataFrame({"a": ["1", "2"]}, dtype="string"),
    pd.Series([1, 2], name="a"),
    pd.DataFrame({"a": objects("1", "2")}),
    pd.DataFrame({"a": objects(1, 2)}),
    pd.Index([1, 2], name="a"),
    pd.DataFrame({"a": pd.Categorical(["1", "2"])}),
    pd.DataFrame({"a": pd.Categorical(["1", "2"], ["2", "1"])}),
    pd.DataFrame({"a": pd.Categorical(["1", "2"], ["1", "2", "3"])}),
    pd.DataFrame({"a": pd.Categorical(["1", "2"], ordered=True)}),
    pd.DataFrame({"a": objects("1", None)}),
    pd.DataFrame({"a": objects("1", np.nan)}),
    pd.DataFrame({"a": pd.to_datetime([1, 2], unit="s").as_unit("s")}),
    pd.DataFrame({"a": pd.to_datetime([1, 2], unit="s").as_unit("ns")}),
    pd.DataFrame({"a": pd.to_datetime([1, 2], unit="s", utc=True).as_unit("s")}),
    pd.DataFrame(
        {"a": pd.to_datetime([1, 2], unit="s", utc=True).as_unit("s").tz_convert("Asia/Tokyo")}
    ),
    pd.DataFrame({"a": [1, 2]}, columns=pd.Index(["a"], name="n")),
    pa.table({"a": [1, 2]}),
    pd.DataFrame({"a": [0.0, 0.0]}),
    pd.DataFrame({"a": [-0.0, 0.0]}),
]
