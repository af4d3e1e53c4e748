"""Opening a store: where it is, and what it loads."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stackyard.errors import StoreError
from stackyard.flavors import ArtifactFormat
from stackyard.store.store import open_store


def test_where_a_store_and_its_cache_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project = tmp_path / "project"
    store = open_store(".stackyard/store", root=project)
    assert store.url == str(project / ".stackyard/store")
    assert store.cache_dir == project / ".stackyard/cache"
    assert open_store("x").url == str(tmp_path / "x")
    assert open_store(tmp_path / "y", root=project).url == str(tmp_path / "y")
    assert open_store(f"file://{tmp_path}/z", root=project).url == str(tmp_path / "z")
    assert open_store("s3://b/x", root=project).url == "s3://b/x"
    assert open_store("x", cache_dir=tmp_path / "c").cache_dir == tmp_path / "c"
    assert list(tmp_path.iterdir()) == []


def test_its_parts_share_one_backend(tmp_path: Path) -> None:
    store = open_store(tmp_path / "store", cache_dir=tmp_path / "cache")
    ref = store.artifacts.save([1, 2])
    store.records.pin(ref.digest, "test")
    (tmp_path / "dags").mkdir()
    digest = store.bundles.put(tmp_path, [Path("dags")])
    assert store.bundles.open(digest).is_relative_to(tmp_path / "cache")
    assert store.artifacts is store.artifacts
    assert {key.split("/")[0] for key in store.backend.list("")} == {
        "artifacts", "pins", "stackyard-store.json",
    }  # fmt: skip
    again = open_store(store.url, cache_dir=tmp_path / "cache")
    assert again.artifacts.load(ref) == [1, 2]


def test_formats_and_pickle_are_passed_on(tmp_path: Path) -> None:
    only = [ArtifactFormat("plain", ("builtins.int",), "stackyard.store.formats.plain:PlainFormat")]
    store = open_store(tmp_path / "store", cache_dir=tmp_path / "cache", formats=only)
    assert store.artifacts.formats.names == ("plain",)
    strict = open_store(tmp_path / "store", cache_dir=tmp_path / "cache", pickle_allowed=False)
    with pytest.raises(StoreError, match="pickle: forbid"):
        strict.artifacts.save(lambda: None)


def test_durable_reaches_the_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    monkeypatch.setattr("os.fsync", synced.append)
    open_store(tmp_path / "a", cache_dir=tmp_path / "cache").records.pin("a" * 64, "")
    assert synced == []
    open_store(tmp_path / "b", cache_dir=tmp_path / "cache", durable=True).records.pin("a" * 64, "")
    assert synced


def test_reading_records_loads_no_formats(tmp_path: Path) -> None:
    code = (
        "import sys; from stackyard.store.store import open_store;"
        f"s = open_store({str(tmp_path)!r}); s.records.runs(); print(sorted({{'blake3', "
        "'stackyard.store.artifacts', 'stackyard.store.bundle', 'fsspec'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
