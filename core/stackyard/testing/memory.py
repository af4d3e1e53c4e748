"""The other kinds in memory, as small as a step's test needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataVersion, DataVersioner
from stackyard.components.feature_store import FeatureStore, FeatureView
from stackyard.components.monitor import Monitor, MonitorReport, Score
from stackyard.components.registry import ModelPackage
from stackyard.components.server import Endpoint, Server
from stackyard.components.validator import Check, ValidationReport, Validator
from stackyard.errors import AlreadyExists, InvalidInput, NotFound

if TYPE_CHECKING:
    import pandas as pd


class MemoryDataVersioner(DataVersioner):
    """Keeps copies of files and folders."""

    def __init__(self, config: Any = None, context: Context | None = None) -> None:
        super().__init__(config, context or Context(name="data_versioner"))
        self._kept: dict[tuple[str, str], dict[str, bytes]] = {}

    def commit(self, path: Path, name: str) -> DataVersion:
        """Keep the content of ``path`` as a version of ``name``."""
        import blake3

        if not path.exists():
            raise InvalidInput(f"{path} does not exist")
        files = _files(path)
        digest = blake3.blake3(repr(sorted(files.items())).encode()).hexdigest()
        self._kept[name, digest] = files
        return self._version(name, digest)

    def checkout(self, name: str, version: str, target: Path) -> None:
        """Write a version into ``target``."""
        if (name, version) not in self._kept:
            have = ", ".join(v.id for v in self.list(name)) or "none"
            raise NotFound(f"there is no version {version!r} of {name!r}. Versions: {have}")
        if target.exists() and any(target.iterdir()):
            raise AlreadyExists(f"{target} holds something")
        for relative, data in self._kept[name, version].items():
            file = target / relative
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(data)

    def list(self, name: str | None = None) -> Sequence[DataVersion]:
        """Versions, newest first."""
        return tuple(self._version(*k) for k in reversed(self._kept) if name in (None, k[0]))

    def _version(self, name: str, digest: str) -> DataVersion:
        files = self._kept[name, digest]
        return DataVersion(name, digest, sum(map(len, files.values())), len(files))


class MemoryFeatureStore(FeatureStore):
    """Joins frames that were given: ``MemoryFeatureStore(views={"weather": frame})``.

    A frame has the entity's columns, ``timestamp`` and the features. ``entities`` names the
    entity's columns of each view.
    """

    def __init__(
        self,
        config: Any = None,
        context: Context | None = None,
        *,
        views: Mapping[str, pd.DataFrame] | None = None,
        entities: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        super().__init__(config, context or Context(name="feature_store"))
        self._views = dict(views or {})
        self._entities = {name: tuple(columns) for name, columns in (entities or {}).items()}

    def describe(self) -> Sequence[FeatureView]:
        """The views there are."""
        return tuple(self._view(name) for name in self._views)

    def historical(
        self, rows: pd.DataFrame, features: Sequence[str], *, timestamp: str
    ) -> pd.DataFrame:
        """Join the newest row at or before each row's ``timestamp``; keeps rows and order."""
        import pandas as pd

        joined = rows.copy()
        order = rows[timestamp].sort_values(kind="stable").index
        for name in dict.fromkeys(f.partition(":")[0] for f in features):
            view = self._view(name)
            columns = [f.partition(":")[2] for f in features if f.startswith(f"{name}:")]
            unknown = sorted(set(columns) - set(view.features))
            if unknown:
                have = ", ".join(view.features)
                raise NotFound(f"view {name!r} has no feature {unknown[0]!r}. Features: {have}")
            keys = list(view.entity)
            found = pd.merge_asof(
                rows.loc[order, [*keys, timestamp]],
                self._views[name].sort_values("timestamp")[[*keys, "timestamp", *columns]],
                left_on=timestamp,
                right_on="timestamp",
                by=keys,
            )
            found.index = order
            for column in columns:
                joined[column] = found[column].reindex(rows.index)
        return joined

    def _view(self, name: str) -> FeatureView:
        if name not in self._views:
            have = ", ".join(self._views) or "none"
            raise NotFound(f"there is no feature view {name!r}. Views: {have}")
        entity = self._entities.get(name, ())
        columns = [str(c) for c in self._views[name].columns]
        features = tuple(c for c in columns if c != "timestamp" and c not in entity)
        return FeatureView(name, entity, features)


class MemoryValidator(Validator):
    """Answers with what it was given: names of the checks that fail."""

    def __init__(
        self,
        config: Any = None,
        context: Context | None = None,
        *,
        failing: Sequence[str] = (),
    ) -> None:
        super().__init__(config, context or Context(name="validator"))
        self._failing = frozenset(failing)

    def validate(self, frame: pd.DataFrame, suite: Mapping[str, Any]) -> ValidationReport:
        """Every expectation passes but those that were named as failing."""
        expectations = suite.get("expectations") or ()
        if not expectations:
            raise InvalidInput("the suite is empty, so it could not fail")
        checks = tuple(
            Check(e["expectation"], "fail" if e["expectation"] in self._failing else "pass")
            for e in expectations
        )
        return ValidationReport(str(suite.get("name", "")), checks)

    def expectations(self) -> Sequence[str]:
        """Any name is an expectation here; these are those that fail."""
        return tuple(sorted(self._failing))


class MemoryMonitor(Monitor):
    """Answers with what it was given: a score per column, 0 for the others."""

    def __init__(
        self,
        config: Any = None,
        context: Context | None = None,
        *,
        scores: Mapping[str, float] | None = None,
    ) -> None:
        super().__init__(config, context or Context(name="monitor"))
        self._scores = dict(scores or {})

    def drift(
        self,
        current: pd.DataFrame,
        reference: pd.DataFrame,
        options: Mapping[str, Any] | None = None,
    ) -> MonitorReport:
        """One score per column of ``current``; a column that ``reference`` lacks says so."""
        scores = []
        for column in map(str, current.columns):
            made = Score(column, "given", 0.5, "drift_when_above", self._scores.get(column, 0.0))
            if column not in reference.columns:
                made = Score(
                    column, "given", 0.5, "drift_when_above", not_computed="not in the reference"
                )
            scores.append(made)
        return MonitorReport(tuple(scores))


class MemoryServer(Server):
    """Answers with a function: ``MemoryServer(predict=lambda request: {...})``."""

    def __init__(
        self,
        config: Any = None,
        context: Context | None = None,
        *,
        predict: Callable[[Mapping[str, Any]], Mapping[str, Any]] | None = None,
    ) -> None:
        super().__init__(config, context or Context(name="server"))
        self._predict = predict
        self.deployed: dict[str, tuple[ModelPackage, str]] = {}

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        """Remember what is served under ``name``."""
        self.deployed[name] = (package, version)
        return self.status(name)

    def status(self, name: str) -> Endpoint:
        """Ready, if it was deployed."""
        if name not in self.deployed:
            have = ", ".join(self.deployed) or "none"
            raise NotFound(f"nothing is served under {name!r}. Served: {have}")
        return Endpoint(name, f"memory:{name}", "ready", {self.deployed[name][1]: 100})

    def predict(self, name: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Ask the function that was given."""
        self.status(name)
        if self._predict is None:
            raise InvalidInput("MemoryServer(predict=...) says how it answers")
        return self._predict(request)

    def undeploy(self, name: str) -> None:
        """Forget it."""
        self.deployed.pop(name, None)


def _files(path: Path) -> dict[str, bytes]:
    if path.is_file():
        return {path.name: path.read_bytes()}
    files = sorted(p for p in path.rglob("*") if p.is_file())
    return {p.relative_to(path).as_posix(): p.read_bytes() for p in files}
