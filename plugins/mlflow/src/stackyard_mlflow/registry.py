"""MLflow as a model registry."""

from __future__ import annotations

import re
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stackyard.components.base import Context, Finding
from stackyard.components.registry import (
    ModelPackage,
    ModelVersion,
    Registry,
    check_alias,
    check_model_name,
)
from stackyard.errors import AlreadyExists, DigestMismatch, InvalidInput, NotFound
from stackyard.models import folder_digest, verified_folder
from stackyard_mlflow import mlmodel, runs
from stackyard_mlflow.config import MlflowRegistryConfig
from stackyard_mlflow.connection import Connection, check
from stackyard_mlflow.logged_model import DIGEST, OURS, PACKAGE, RUN, make_version

PAGE = 1000
VERSION = re.compile(r"[1-9][0-9]{0,8}")  # what fits where MLflow keeps it


class MlflowRegistry(Registry):
    """Versions are MLflow models that ``mlflow.pyfunc`` and ``mlflow.sklearn`` load.

    The files belong to a logged model of the run's tracking run. Capability: ``alias``.
    """

    config: MlflowRegistryConfig

    def __init__(self, config: MlflowRegistryConfig, context: Context) -> None:
        super().__init__(config, context)
        self._opened: Connection | None = None

    @property
    def capabilities(self) -> frozenset[str]:
        """``alias``."""
        return frozenset({"alias"})

    @property
    def _connection(self) -> Connection:
        if self._opened is None:
            self._opened = Connection(self.config, self.context, self.config.registry_uri)
        return self._opened

    def register(
        self,
        name: str,
        package: ModelPackage,
        *,
        alias: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Log the package as an MLflow model and make it a version of ``name``."""
        check_model_name(name)
        if alias is not None:
            check_alias(alias)
        source = verified_folder(package, fetch=self.context.fetch)
        found = self._of_this_run(name, package.digest)
        if found is None:
            self._make_name(name)
            made = make_version(
                self._connection, self.config, self.context, name, package, source, tags or {}
            )
            found = self._of_this_run(name, package.digest) or made
            if str(found.version) != str(made.version):  # another process was faster
                with self._connection.call(f"model {name!r} version {made.version}") as client:
                    client.delete_model_version(name, str(made.version))
        if alias is not None:
            self.set_alias(name, alias, str(found.version))
        return self._version(found, self._aliases(name))

    def get(
        self, name: str, version: str | None = None, *, alias: str | None = None
    ) -> ModelVersion:
        """Return a version by number or alias, the newest where neither is given."""
        aliases = self._aliases(check_model_name(name))
        if alias is not None:
            if alias not in aliases:
                have = ", ".join(sorted(aliases)) or "none"
                raise NotFound(f"model {name!r} has no alias {alias!r}. Aliases: {have}")
            version = aliases[alias]
        if version is None:
            newest = next(self._search(f"name='{name}'", limit=1), None)
            if newest is None:
                raise NotFound(f"model {name!r} has no versions")
            return self._version(newest, aliases)
        return self._version(self._get(name, version), aliases)

    def fetch(self, version: ModelVersion) -> ModelPackage:
        """Download the version's package into the cache folder; check its digest.

        The signature of a model that was logged by MLflow itself is read from its MLmodel.
        """
        package = version.package
        target = self.context.cache_dir.resolve() / "models" / (package.digest or "unknown")
        if package.digest and target.is_dir():
            if folder_digest(target) == package.digest:
                return self._at(version, target, package.digest)
            shutil.rmtree(target)
        what = f"model {version.name!r} version {version.version}"
        with tempfile.TemporaryDirectory(prefix="stackyard-mlflow-") as scratch:
            folder = self._download(version, Path(scratch), what)
            aside = target.with_name(f".{secrets.token_hex(8)}")
            mlmodel.restore(folder, package.format, aside)
        found = folder_digest(aside)
        if package.digest and found != package.digest:
            shutil.rmtree(aside)
            raise DigestMismatch(
                f"{what}: its files in MLflow have the digest {found[:12]}, registered were "
                f"{package.digest[:12]}; nothing was read"
            )
        target = target.with_name(found)
        try:
            aside.rename(target)
        except OSError:  # another process was faster
            shutil.rmtree(aside)
        return self._at(version, target, found)

    def list(self, name: str | None = None) -> Sequence[ModelVersion]:
        """Versions, newest first, of one model or of all."""
        if name is not None:
            check_model_name(name)
        aliases: dict[str, dict[str, str]] = {}
        versions = []
        for found in self._search(f"name='{name}'" if name else ""):
            if found.name not in aliases:
                aliases[found.name] = self._aliases(found.name)
            versions.append(self._version(found, aliases[found.name]))
        return tuple(versions)

    def move_alias(self, name: str, alias: str, version: str | None) -> None:
        """Point ``alias`` at ``version``, or remove it."""
        if version is not None:
            self._get(name, version)
        with self._connection.call(f"alias {alias!r} of model {name!r}") as client:
            if version is None:
                client.delete_registered_model_alias(name, alias)
            else:
                client.set_registered_model_alias(name, alias, version)

    def pointed(self, name: str, alias: str) -> str | None:
        """The version that ``alias`` is at."""
        return self._aliases(name).get(alias)

    def check(self) -> Sequence[Finding]:
        """Whether MLflow answers."""
        return (check(self._connection),)

    def close(self) -> None:
        """Forget the client."""
        if self._opened is not None:
            self._opened.close()

    # Reading

    def _get(self, name: str, version: str) -> Any:
        if VERSION.fullmatch(version) is None:
            raise NotFound(f"model {name!r} has no version {version!r}: versions are numbers")
        try:
            with self._connection.call(f"model {name!r} version {version}") as client:
                return client.get_model_version(name, version)
        except NotFound as exc:
            have = [str(v.version) for v in self._search(f"name='{name}'", limit=20)]
            raise NotFound(
                f"model {name!r} has no version {version!r}. Versions: {', '.join(have) or 'none'}"
            ) from exc

    def _aliases(self, name: str) -> dict[str, str]:
        """Alias to version; a search of versions never tells them."""
        try:
            with self._connection.call(f"model {name!r}") as client:
                found = client.get_registered_model(name)
        except NotFound as exc:
            with self._connection.call("models") as client:
                have = [m.name for m in client.search_registered_models(max_results=20)]
            raise NotFound(
                f"there is no model {name!r}. Models: {', '.join(have) or 'none'}"
            ) from exc
        return {alias: str(version) for alias, version in found.aliases.items()}

    def _search(self, query: str, limit: int | None = None) -> Iterator[Any]:
        """Versions that match, of one model newest first."""
        token: str | None = None
        while True:
            with self._connection.call("model versions") as client:
                page = client.search_model_versions(
                    query,
                    max_results=limit or PAGE,
                    order_by=["name ASC", "version_number DESC"],
                    page_token=token,
                )
            yield from page
            token = page.token
            if not token or limit is not None:
                return

    def _of_this_run(self, name: str, digest: str) -> Any | None:
        """The version that this run made of the package first."""
        run = self.context.run
        if run is None:
            return None
        query = f"name='{name}' and tags.`{DIGEST}`='{digest}' and {runs.by_tag(run)}"
        return min(self._search(query), key=lambda found: int(found.version), default=None)

    def _version(self, found: Any, aliases: Mapping[str, str]) -> ModelVersion:
        version, uri = str(found.version), f"models:/{found.name}/{found.version}"
        text = found.tags.get(PACKAGE)
        package = mlmodel.from_text(text, uri) if text else ModelPackage(mlmodel.MLFLOW, uri, "")
        connection, url = self._connection, ""
        if connection.registry_uri.startswith("http"):
            url = f"{connection.safe_registry_uri}/#/models/{quote(found.name)}/versions/{version}"
        return ModelVersion(
            name=found.name,
            version=version,
            package=package,
            aliases=tuple(sorted(a for a, v in aliases.items() if v == version)),
            tags={k: v for k, v in found.tags.items() if k not in OURS},
            run=found.tags.get(RUN),
            url=url,
        )

    def _download(self, version: ModelVersion, folder: Path, what: str) -> Path:
        self._get(version.name, version.version)
        connection = self._connection
        with connection.call(what, slow=True) as client:
            from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

            uri = client.get_model_version_download_uri(version.name, version.version)
            try:
                files = get_artifact_repository(
                    uri, tracking_uri=connection.uri, registry_uri=connection.registry_uri
                )
                found = Path(files.download_artifacts("", str(folder)))
            except OSError as exc:
                answer = getattr(exc, "response", None)  # of requests
                if type(exc).__module__.startswith("requests") and (
                    answer is None or answer.status_code != 404
                ):
                    raise
                raise NotFound(f"{what}: its files are gone from {uri} ({exc})") from exc
        if not (found / "MLmodel").is_file():
            raise NotFound(f"{what}: its files are gone from {uri}")
        return found

    def _at(self, version: ModelVersion, folder: Path, digest: str) -> ModelPackage:
        """The package in its local folder, with the signature that it has only there."""
        package, what = version.package, f"model {version.name!r} version {version.version}"
        signature = package.signature
        if signature is None:
            try:
                with self._connection.call(what):
                    signature = mlmodel.signature_in(folder, package.format)
            except InvalidInput as exc:
                self.context.logger.warning("%s: its signature is of no use: %s", what, exc)
        return replace(package, uri=str(folder), digest=digest, signature=signature)

    # Writing

    def _make_name(self, name: str) -> None:
        try:
            with self._connection.call(f"model {name!r}") as client:
                client.create_registered_model(name)
        except AlreadyExists:
            return
