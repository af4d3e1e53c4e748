"""An existing Feast repository, made with Feast's own words."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.errors import InvalidInput, NotFound, Unsupported
from stackyard.testing.weather import START, WEATHER, plain, questions, weather
from stackyard_feast.config import FeastConfig
from stackyard_feast.feature_store import FeastFeatureStore

YAML = """
project: airports
provider: local
registry: data/registry.db
online_store: {type: sqlite, path: data/online.db}
offline_store: {type: duckdb}
entity_key_serialization_version: 3
"""
VIEWS = """
from datetime import timedelta

from feast import Entity, FeatureView, Field, FileSource
from feast.types import Float32, Int64, String
from feast.value_type import ValueType

airport = Entity(name="airport", join_keys=["origin"], value_type=ValueType.STRING)
source = FileSource(
    path="data/weather.parquet",
    timestamp_field="time",
    field_mapping={"temp": "degrees"},
)
weather = FeatureView(
    name="weather",
    entities=[airport],
    ttl=timedelta(hours=3),
    schema=[
        Field(name="origin", dtype=String),
        Field(name="degrees", dtype=Float32),
        Field(name="rain", dtype=Int64),
    ],
    source=source,
)
everywhere = FeatureView(
    name="everywhere", entities=[], schema=[Field(name="rain", dtype=Int64)], source=source
)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with a repository to which ``feast apply`` was said."""
    folder = tmp_path_factory.mktemp("project")
    repo = folder / "feature_repo"
    (repo / "data").mkdir(parents=True)
    (repo / "feature_store.yaml").write_text(YAML)
    (repo / "views.py").write_text(VIEWS)
    weather().to_parquet(repo / "data" / "weather.parquet", coerce_timestamps="us")
    feast = Path(sys.executable).parent / "feast"
    subprocess.run([feast, "apply"], cwd=repo, check=True, capture_output=True)
    return folder


def store(project: Path, repo: str = "feature_repo") -> Any:
    """A component on the repository."""
    context = Context(name="feature_store", project=project, state_dir=project / "state")
    return FeastFeatureStore(FeastConfig(repo=repo), context)


def test_it_is_described_and_joined(project: Path) -> None:
    """Join keys, mapped columns and ttl are those of the repository."""
    made = store(project)
    assert made.state() is None
    view = next(view for view in made.describe() if view.name == "weather")
    assert (view.entity, set(view.features), view.ttl) == (("origin",), {"degrees", "rain"}, 10800)
    asked = questions(["JFK", "LGA", "ZZZ", "JFK"], [3, 2, 3, 9])
    joined = made.historical(asked, ["weather:rain", "weather:degrees"], timestamp="at")
    assert plain(joined["degrees"]) == [3.0, 2.0, None, None]
    assert plain(joined["rain"]) == [30, 20, None, None]
    assert made.state() == store(project).state() is not None


def test_it_is_materialized_and_asked_online(project: Path) -> None:
    """With Feast's own online store; what was lost is brought back."""
    made = store(project)
    asked = questions(["LGA", "ZZZ", "JFK"], [0] * 3)[["origin"]]
    for _ in range(2):
        made.materialize(START.replace(hour=5).to_pydatetime(), views=["weather"])
        assert plain(made.online(asked, ["weather:degrees"])["degrees"]) == [2.0, None, 3.0]
        database = project / "feature_repo" / "data" / "online.db"
        database.unlink()
        with pytest.raises(NotFound, match=f"{database}.*aterialize again"):
            made.online(asked, ["weather:degrees"])


def test_its_views_are_not_ours_to_change(project: Path) -> None:
    made = store(project)
    for call in (lambda: made.apply([WEATHER]), made.teardown, lambda: made.write("weather", None)):
        with pytest.raises(Unsupported, match=r"materialize.*defined there, by: feast apply"):
            call()


def test_a_view_that_cannot_be_joined_says_why(project: Path) -> None:
    made, asked = store(project), questions(["JFK"], [3])
    with pytest.raises(InvalidInput, match=r"'everywhere'.*no entity"):
        made.historical(asked, ["everywhere:rain"], timestamp="at")
    with pytest.raises(InvalidInput, match=r"'everywhere'.*no entity"):
        made.online(asked, ["everywhere:rain"])


@pytest.mark.parametrize("offline", ["dask", "file"])
def test_the_join_that_loses_rows_is_refused(tmp_path: Path, offline: str) -> None:
    """Naming the file and what to change."""
    repo = tmp_path / "feature_repo"
    repo.mkdir()
    (repo / "feature_store.yaml").write_text(YAML.replace("duckdb", offline))
    made = store(tmp_path)
    for call in (made.describe, lambda: made.online(questions(["A"], [1]), ["a:b"])):
        with pytest.raises(InvalidInput, match=r"feature_store\.yaml.*type: duckdb"):
            call()
    (finding,) = made.check()
    assert not finding.ok and "duckdb" in finding.what and finding.cure


def test_a_repository_that_is_not_there(project: Path) -> None:
    """Also where another one is remembered."""
    store(project).describe()
    gone = store(project, "nowhere")
    with pytest.raises(NotFound, match=r"nowhere/feature_store\.yaml"):
        gone.describe()
    (finding,) = gone.check()
    assert not finding.ok and finding.cure


def test_two_repositories_are_not_mixed_up(project: Path, tmp_path: Path) -> None:
    """Stacks of one project may name different ones; definitions are equal wherever they lie."""
    store(project).describe()
    other = project / "other [copy]"
    shutil.copytree(project / "feature_repo", other)
    weather().assign(temp=7.0).to_parquet(
        other / "data" / "weather.parquet", coerce_timestamps="us"
    )
    asked = questions(["JFK"], [3])
    for repo, expected in (("other [copy]", 7.0), ("feature_repo", 3.0)):
        joined = store(project, repo).historical(asked, ["weather:degrees"], timestamp="at")
        assert plain(joined["degrees"]) == [expected]
    first, second = ({v.name: v.digest for v in store(project, r).describe()} for r in (
        "feature_repo", "other [copy]"
    ))  # fmt: skip
    assert first == second


def test_what_feast_itself_changed_is_seen(tmp_path: Path) -> None:
    """The registry is the truth; what is remembered of it is made anew."""
    context = Context(project=tmp_path, state_dir=tmp_path)
    made = FeastFeatureStore(FeastConfig(), context)
    made.apply([WEATHER])
    with made._registry.call("views") as feast:
        feast.delete_feature_view("weather")
    assert made.state() is None
    assert list(made.describe()) == []
    assert made.state() is not None


def test_a_project_that_was_moved_or_copied_reads_its_own_rows(tmp_path: Path) -> None:
    """Sources stand in the registry as seen from its folder."""
    first = tmp_path / "first"
    (first / "data").mkdir(parents=True)
    weather().to_parquet(first / "data" / "own.parquet", coerce_timestamps="us")
    store = FeastFeatureStore(FeastConfig(), Context(project=first, state_dir=first / "s"))
    own = replace(WEATHER, name="own", source="data/own.parquet")
    store.apply([WEATHER, own])
    store.write("weather", weather())
    shutil.copytree(first, tmp_path / "copied")
    first.rename(tmp_path / "moved")
    for name in ("copied", "moved"):
        there = tmp_path / name
        store = FeastFeatureStore(FeastConfig(), Context(project=there, state_dir=there / "s"))
        store.write("weather", weather().assign(temp=7.0))
        weather().assign(temp=8.0).to_parquet(there / "data/own.parquet", coerce_timestamps="us")
        for view, temp in (("weather", 7.0), ("own", 8.0)):
            joined = store.historical(questions(["JFK"], [3]), [f"{view}:temp"], timestamp="at")
            assert plain(joined["temp"]) == [temp]
        store.materialize(START.to_pydatetime())
        assert [finding.ok for finding in store.check()] == [True]
        applied = store.apply([WEATHER, own])
        assert [view.digest for view in applied] == [v.digest for v in store.describe()][::-1]
    assert not first.exists()
