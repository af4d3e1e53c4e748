"""What the plugin offers, at what cost, and what its configuration may say."""

from __future__ import annotations

import importlib
import subprocess
import sys
from dataclasses import is_dataclass
from pathlib import Path

import pytest

from stackyard.components.base import Context
from stackyard_feast.config import FeastConfig


def test_describing_imports_nothing_heavy() -> None:
    """Plugin, configuration and the component's own module."""
    code = """
import sys
import stackyard_feast.plugin, stackyard_feast.config, stackyard_feast.feature_store
print(sorted({"feast", "pandas", "numpy", "pyarrow", "duckdb", "filelock"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")


def test_flavors_name_what_exists() -> None:
    from stackyard_feast.plugin import stackyard_flavors

    (flavor,) = stackyard_flavors()
    assert (flavor.kind, flavor.name) == ("feature_store", "feast")
    for target in (flavor.target, flavor.config):
        module, _, name = target.partition(":")
        found = getattr(importlib.import_module(module), name)
        assert (found.kind == flavor.kind) if target == flavor.target else is_dataclass(found)


def test_path_and_repo_exclude_each_other() -> None:
    with pytest.raises(ValueError, match="repo: "):
        FeastConfig(path="features", repo="feature_repo")


def test_only_what_needs_feast_imports_it_and_nothing_is_printed(tmp_path: Path) -> None:
    """The same definition again, writing, joining, ``state`` and ``describe`` do without."""
    code = f"""
import sys, warnings
warnings.simplefilter("always")
from datetime import UTC, datetime
from pathlib import Path
from stackyard.components.base import Context
from stackyard.testing.weather import WEATHER, questions, weather
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore

folder = Path({str(tmp_path)!r})
store = FeastFeatureStore(FeastConfig(), Context(project=folder, state_dir=folder / "state"))
if sys.argv[1] == "first":
    store.apply([WEATHER])
    store.write("weather", weather())
    store.materialize(datetime(2013, 1, 1, 5, tzinfo=UTC))
    store.online(questions(["JFK"], [3])[["origin"]], ["weather:temp"])
else:
    store.apply([WEATHER])
    store.write("weather", weather().assign(temp=9.0))
    joined = store.historical(questions(["JFK"], [3]), ["weather:temp"], timestamp="at")
    assert joined["temp"].tolist() == [9.0]
    assert store.state() and store.describe() and store.check()
    assert "feast" not in sys.modules
"""
    for turn in ("first", "second"):
        done = subprocess.run(
            [sys.executable, "-c", code, turn], capture_output=True, text=True, cwd=tmp_path
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.iterdir()] == ["state"]


def test_check_says_what_is_missing(tmp_path: Path) -> None:
    from stackyard.testing.weather import WEATHER
    from stackyard_feast.feature_store import FeastFeatureStore

    store = FeastFeatureStore(FeastConfig(path="f"), Context(project=tmp_path))
    assert [(f.ok, f.what) for f in store.check()] == [(True, f"{tmp_path / 'f'}: no view")]
    assert not list(tmp_path.iterdir())
    store.apply([WEATHER])
    assert [f.ok for f in store.check()] == [True]
    for part in (tmp_path / "f" / "rows").rglob("*.parquet"):
        part.unlink()
    lost = store.check()[1]
    assert not lost.ok and "weather" in lost.what and lost.cure
