"""The model server. Here a file says what is served, and this process answers: put your tool there.

What a server must keep is numbered in Stackyard's docs/reference/server.md.
"""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from stackyard import ModelPackage, Server, load_model
from stackyard.components.rollout import Rollout
from stackyard.components.server import (
    Endpoint,
    check_deployment,
    check_endpoint_name,
    check_same_model,
    signature_of,
)
from stackyard.errors import NotFound, StackyardError, Unavailable
from stackyard.inference import answer
from stackyard.models import signature_from, verified_folder

FORMATS = ("sklearn-skops",)  # of models that your tool can serve


@dataclass(frozen=True)
class AcmeServerConfig:
    """What a stack may say.

    Attributes:
        folder: Where the endpoints are kept; a relative path counts from the project.
    """

    folder: str = ".stackyard/acme-server"


class AcmeServer(Server):
    """An endpoint is a file with the version that is served, and where its model lies.

    It has no ``capabilities``: a further version takes the place of the one before. A tool that can
    split the requests has ``canary``, and keeps the ``Rollout`` of its versions.
    """

    config: AcmeServerConfig

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        """Serve a model, and return when it is ready."""
        check_deployment(package, name, version, FORMATS)
        folder = verified_folder(package, fetch=self.context.fetch)
        before = self._read(name)
        if before is not None and before[0] == version:
            check_same_model(package, name, version, before[1].digest)
        package = replace(package, uri=str(folder))
        self._model(name, version, package)  # what is served already stays until this one is ready
        self._home.mkdir(parents=True, exist_ok=True)
        whole = self._home / f".{name}.{uuid.uuid4().hex}"  # appears in its place in one step
        whole.write_text(json.dumps({"version": version, "package": asdict(package)}), "utf-8")
        os.replace(whole, self._file(name))
        return self._endpoint(name, version)

    def status(self, name: str) -> Endpoint:
        """How an endpoint is, whoever deployed it; ``url`` is where yours answers."""
        return self._endpoint(name, self._known(name)[0])

    def list(self) -> Sequence[Endpoint]:
        """Every endpoint, by name."""
        found = [(name, self._read(name)) for name in self._names()]
        return [self._endpoint(name, one[0]) for name, one in found if one is not None]

    def predict(
        self, name: str, request: Mapping[str, Any], *, version: str | None = None
    ) -> Mapping[str, Any]:
        """Answer one request; yours sends it to the endpoint, which answers in the same shape."""
        served, package = self._known(name)
        if version not in (None, served):
            raise NotFound(f"endpoint {name!r} has no version {version!r}. Versions: {served}")
        model = self._model(name, served, package)
        signature, new = signature_of(package), str(uuid.uuid4())
        return answer(model, signature, request, name=name, version=served, id=new)

    def undeploy(self, name: str) -> None:
        """Stop serving."""
        self._file(name).unlink(missing_ok=True)

    @property
    def _home(self) -> Path:
        return self.context.project / self.config.folder

    def _file(self, name: str) -> Path:
        return self._home / f"{check_endpoint_name(name)}.json"

    def _names(self) -> Sequence[str]:
        return sorted(path.stem for path in self._home.glob("*.json"))

    def _endpoint(self, name: str, version: str) -> Endpoint:
        url = self._file(name).absolute().as_uri()
        return Endpoint.of(name, url, "ready", Rollout(version))

    def _read(self, name: str) -> tuple[str, ModelPackage] | None:
        try:
            facts = json.loads(self._file(name).read_bytes())
        except FileNotFoundError:
            return None
        said = facts["package"]
        said["signature"] = signature_from(said["signature"])
        return facts["version"], ModelPackage(**said)

    def _known(self, name: str) -> tuple[str, ModelPackage]:
        found = self._read(name)
        if found is None:
            have = ", ".join(self._names()) or "none"
            raise NotFound(f"there is no endpoint {name!r}. Endpoints: {have}")
        return found

    def _model(self, name: str, version: str, package: ModelPackage) -> Any:
        try:
            return load_model(package)
        except StackyardError:
            raise
        except Exception as exc:  # whatever reading a file that is no model raises
            raise Unavailable(f"endpoint {name!r}, version {version!r}: {exc}") from exc
