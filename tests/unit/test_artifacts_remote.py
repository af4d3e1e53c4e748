"""Artifacts in a store of objects: the same digests, and every machine checks what it reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stackyard.errors import DigestMismatch
from stackyard.store.artifacts import Artifacts
from stackyard.store.backend import open_backend
from stackyard.store.formats import FormatRegistry, builtin_formats
from tests.unit.frame_cases import MIXED
from tests.unit.stores import opened, overwrite
from tests.unit.test_formats_frame import same

LARGE = pd.DataFrame({"x": np.arange(100_000.0), "y": np.arange(100_000)})


def machine(url: str, folder: Path) -> Artifacts:
    """The store as a machine with its own cache folder sees it."""
    backend = open_backend(url, cache_dir=folder)
    return Artifacts(backend, FormatRegistry(builtin_formats()), cache_dir=folder)


def values(folder: Path) -> list[Any]:
    (folder / "report/deep").mkdir(parents=True)
    (folder / "report/deep/a.txt").write_text("a")
    (folder / "report/b.bin").write_bytes(b"b" * 200_000)
    return [
        {"a": {1, "x"}},
        MIXED,
        LARGE,
        np.arange(50_000),
        folder / "report",
        {"parts": (LARGE,)},
    ]


def test_every_kind_of_value_reaches_another_machine(s3_url: str, tmp_path: Path) -> None:
    here, there = machine(s3_url, tmp_path / "here"), machine(s3_url, tmp_path / "there")
    local = opened(tmp_path)
    made = values(tmp_path)
    refs = [here.save(value) for value in made]
    assert refs == [local.save(value) for value in made]
    plain, mixed, large, array, folder, parts = map(there.load, refs)
    assert plain == made[0]
    same(MIXED, mixed)
    same(LARGE, large)
    np.testing.assert_array_equal(array, made[3])
    assert (folder / "deep/a.txt").read_text() == "a"
    same(LARGE, parts["parts"][0])
    assert [there.save(value) for value in made] == refs
    needed = there.references(ref.digest for ref in refs)
    assert len(needed) == 3 and large is not parts
    assert {refs[2].digest} < needed


@pytest.mark.parametrize("value", ["small", "x" * 500_000])
def test_a_damaged_copy_is_fetched_again_and_a_damaged_object_refused(
    s3_url: str, tmp_path: Path, value: str
) -> None:
    ref = machine(s3_url, tmp_path / "a").save(value)
    key = f"artifacts/{ref.digest[:2]}/{ref.digest}"
    store = machine(s3_url, tmp_path / "b")
    overwrite(store.backend.path(key), b"damaged")
    assert store.load(ref) == value
    store.backend.delete(key)
    store.backend.put_if_absent(key, b"damaged")
    with pytest.raises(DigestMismatch, match=ref.digest[:12]):
        machine(s3_url, tmp_path / "c").load(ref)
    assert machine(s3_url, tmp_path / "d").save(value) == ref  # heals what has another size
    assert machine(s3_url, tmp_path / "e").load(ref) == value
