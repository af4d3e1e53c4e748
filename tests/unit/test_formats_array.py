"""Arrays: as they were, writable, and equal bytes for equal arrays."""

from __future__ import annotations

import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from stackyard.errors import StoreError
from stackyard.store.artifacts import Artifacts
from tests.unit.stores import file_of, opened

STRUCT = np.dtype([("a", "<i4"), ("b", "<f8", (2,)), ("c", "S3")])
ARRAYS: list[Any] = [
    np.arange(5), np.arange(6.0).reshape(2, 3), np.array(1.5), np.zeros((0, 3)),
    np.zeros((2, 0, 4)),
    np.array([True, False]), np.array([1 + 2j]), np.array([1.5], "f2"), np.array(["a", "é"]),
    np.array([b"a", b""]), np.array(["", ""]), np.array(["2013-01-01", "NaT"], "M8[D]"),
    np.array([1, 2], "m8[us]"), np.zeros(3, STRUCT), np.array([b"abc"], "V3"), np.arange(100_000),
    np.arange(24, dtype="u1").reshape(2, 3, 4),
]  # fmt: skip


@pytest.fixture
def store(tmp_path: Path) -> Artifacts:
    return opened(tmp_path, pickle_allowed=False)


def round_trip(store: Artifacts, value: Any) -> Any:
    ref = store.save(value)
    assert ref.format == "array"
    back = store.load(ref)
    assert (back.dtype, back.shape) == (value.dtype.newbyteorder("="), value.shape)
    np.testing.assert_array_equal(back, value)
    assert store.save(back) == ref
    assert back.flags.writeable
    return back


@pytest.mark.parametrize("value", ARRAYS, ids=lambda a: f"{a.dtype}{a.shape}")
def test_an_array_comes_back_and_numpy_can_read_the_file(store: Artifacts, value: Any) -> None:
    round_trip(store, value)
    file = file_of(store, store.save(value).digest)
    np.testing.assert_array_equal(np.load(file, allow_pickle=False), value)


def test_memory_order_byte_order_and_nan_bits_are_not_content(store: Artifacts) -> None:
    value = np.arange(3_000_000.0).reshape(3000, 1000)
    value[5, 5] = np.nan
    other = value.copy()
    other.view("u8")[5, 5] = 0xFFF8000000000123
    ref = store.save(value)
    for same in (other, np.asfortranarray(value), value.astype(">f8"), np.stack([value, value])[1]):
        assert store.save(same) == ref
    assert store.save(value.T.copy()) == store.save(value.T)
    assert store.save(np.repeat(value, 2, axis=1)[:, ::2]) == ref


@settings(max_examples=100, deadline=None)
@given(
    hnp.arrays(
        hnp.scalar_dtypes() | hnp.array_dtypes(hnp.scalar_dtypes()),
        hnp.array_shapes(min_dims=0, min_side=0, max_dims=3),
    ),
    st.data(),
)
def test_any_array_and_any_view_of_it(
    tmp_path_factory: pytest.TempPathFactory, value: Any, data: Any
) -> None:
    store = opened(tmp_path_factory.getbasetemp() / "arrays")
    if value.dtype in (np.longdouble, np.clongdouble):
        return
    back = store.load(store.save(value))
    assert (back.dtype, back.shape) == (value.dtype.newbyteorder("="), value.shape)
    assert repr(back.tolist()) == repr(value.tolist())
    assert store.save(back) == store.save(value)
    if value.ndim:
        cut = value[data.draw(hnp.basic_indices(value.shape, allow_newaxis=True))]
        if isinstance(cut, np.ndarray):
            assert store.save(cut) == store.save(cut.copy())


def test_a_reader_may_change_its_copy_and_nobody_else_sees_it(store: Artifacts) -> None:
    value = np.arange(100_000)
    ref = store.save(value)
    mine, theirs = store.load(ref), store.load(ref)
    mine += 1
    owner: Any = mine
    while getattr(owner, "base", None) is not None:
        owner = owner.base
    assert isinstance(owner.obj, mmap.mmap), "the array was copied"
    np.testing.assert_array_equal(theirs, value)
    np.testing.assert_array_equal(store.load(ref), value)


def test_what_lies_between_the_members_of_a_structure_is_not_content(store: Artifacts) -> None:
    dtype = np.dtype([("a", "i1"), ("b", [("c", "f8"), ("d", "i2")])], align=True)
    clean, dirty = np.zeros(3, dtype), np.frombuffer(b"\xff" * 3 * dtype.itemsize, dtype).copy()
    dirty["a"], dirty["b"]["c"], dirty["b"]["d"] = 0, np.nan, 0
    clean["b"]["c"] = -np.float64(np.nan)
    ref = store.save(dirty)
    assert store.save(clean) == ref
    back = store.load(ref)
    assert back.dtype == dtype and store.save(back) == ref


class Marked(np.ndarray):
    pass


@pytest.mark.parametrize(
    "value",
    [np.array([object()]), np.arange(3).view(Marked), np.ma.masked_array([1, 2], [True, False])],
    ids=lambda v: type(v).__name__,
)
def test_what_is_more_than_an_array_is_left_to_pickle(tmp_path: Path, value: Any) -> None:
    assert opened(tmp_path).save(value).format == "pickle"
    with pytest.raises(StoreError, match=type(value).__name__):
        opened(tmp_path, pickle_allowed=False).save(value)


def test_arrays_inside_containers(store: Artifacts) -> None:
    small, big = np.arange(4.0), np.arange(100_000)
    assert store.save({"x": small}).format == "plain"
    ref = store.save((small, big))
    assert ref.format == "parts"
    back = store.load(ref)
    np.testing.assert_array_equal(back[1], big)
    assert type(back) is tuple and store.save(back) == ref
