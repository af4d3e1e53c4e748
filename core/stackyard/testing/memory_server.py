"""A model server in memory, whole: for tests of steps, and as the smallest implementation."""

from __future__ import annotations

import random
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage
from stackyard.components.rollout import Rollout
from stackyard.components.server import (
    Endpoint,
    Server,
    check_endpoint_name,
    check_same_model,
    check_version,
    signature_of,
)
from stackyard.errors import NotFound, StackyardError, Unavailable
from stackyard.inference import answer
from stackyard.inference_writer import Inference, Role, write_inferences

Predict = Callable[[Mapping[str, Any]], Mapping[str, Any]]


@dataclass
class _Served:
    rollout: Rollout
    packages: dict[str, ModelPackage] = field(default_factory=dict)
    models: dict[str, Any] = field(default_factory=dict)
    log: list[Inference] = field(default_factory=list)


class MemoryServer(Server):
    """Answers with the deployed models, or with a function: ``MemoryServer(predict=...)``.

    With a function nothing is read: the packages may be of any kind.
    """

    def __init__(
        self, config: Any = None, context: Context | None = None, *, predict: Predict | None = None
    ) -> None:
        super().__init__(config, context or Context(name="server"))
        self._predict = predict
        self._served: dict[str, _Served] = {}
        self._random = random.Random(0)

    def of(self, context: Context) -> MemoryServer:
        """The same endpoints, as another step or process sees them."""
        other = MemoryServer(self.config, context, predict=self._predict)
        other._served, other._random = self._served, self._random
        return other

    @property
    def capabilities(self) -> frozenset[str]:
        """``canary``, ``shadow`` and ``log``."""
        return frozenset({"canary", "shadow", "log"})

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        """Read the model and serve it."""
        check_endpoint_name(name)
        check_version(version)
        served = self._served.get(name)
        if served is not None and version in served.rollout.versions:
            check_same_model(package, name, version, served.packages[version].digest)
            return self.status(name)
        rollout = Rollout(version) if served is None else served.rollout.added(version)
        model = None if self._predict else self._load(package, name, version)
        served = self._served.setdefault(name, _Served(rollout))
        served.packages[version], served.models[version] = package, model
        served.rollout = rollout
        return self.status(name)

    def status(self, name: str) -> Endpoint:
        """Ready, if it was deployed."""
        return Endpoint.of(name, f"memory:{name}", "ready", self._of(name).rollout)

    def list(self) -> Sequence[Endpoint]:
        """Every endpoint."""
        return tuple(self.status(name) for name in sorted(self._served))

    def predict(
        self, name: str, request: Mapping[str, Any], *, version: str | None = None
    ) -> Mapping[str, Any]:
        """Ask the model, or the function that was given."""
        served = self._of(name)
        rollout = served.rollout
        chosen = version or self._random.choices([*rollout.traffic], [*rollout.traffic.values()])[0]
        if chosen not in rollout.versions:
            have = ", ".join(rollout.versions)
            raise NotFound(f"endpoint {name!r} has no version {chosen!r}. Versions: {have}")
        if self._predict:
            return self._predict(request)
        role: Role = "champion" if chosen == rollout.champion else "challenger"
        given = self._asked(served, name, chosen, role, request, str(uuid.uuid4()))
        if rollout.shadow is not None and version is None:
            with suppress(Exception):  # which is in the log, and nobody's but the shadow's
                self._asked(served, name, rollout.shadow, "shadow", request, given["id"])
        return given

    def undeploy(self, name: str) -> None:
        """Forget it, but for the log."""
        if name in self._served:
            self.inferences(name)
            del self._served[name]

    def set_traffic(self, name: str, traffic: Mapping[str, int]) -> Endpoint:
        """Other shares from now on."""
        return self._changed(name, self._of(name).rollout.split(traffic))

    def promote(self, name: str, version: str) -> Endpoint:
        """Another champion from now on."""
        return self._changed(name, self._of(name).rollout.promoted(version))

    def rollback(self, name: str) -> Endpoint:
        """The champion that was before."""
        return self._changed(name, self._of(name).rollout.rolled_back())

    def set_shadow(self, name: str, version: str | None) -> Endpoint:
        """Copies for another version from now on."""
        return self._changed(name, self._of(name).rollout.shadowed(version))

    def inferences(self, name: str) -> Path:
        """Write what is not written yet; return the folder."""
        folder = self.context.state_dir / name / "inferences"
        if name in self._served or not folder.exists():
            served = self._of(name)
            signatures = {
                one.version: signature_of(served.packages[one.version]) for one in served.log
            }
            write_inferences(folder, served.log, signatures)
            served.log.clear()
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _of(self, name: str) -> _Served:
        if name not in self._served:
            have = ", ".join(sorted(self._served)) or "none"
            raise NotFound(f"there is no endpoint {name!r}. Endpoints: {have}")
        return self._served[name]

    def _changed(self, name: str, rollout: Rollout) -> Endpoint:
        self._of(name).rollout = rollout
        return self.status(name)

    def _load(self, package: ModelPackage, name: str, version: str) -> Any:
        from stackyard.models import load_model

        signature_of(package)
        try:
            return load_model(package, fetch=self.context.fetch)
        except StackyardError:
            raise
        except Exception as exc:  # whatever reading a file that is no model raises
            raise Unavailable(f"endpoint {name!r}, version {version!r}: {exc}") from exc

    def _asked(
        self,
        served: _Served,
        name: str,
        version: str,
        role: Role,
        request: Mapping[str, Any],
        id: str,
    ) -> dict[str, Any]:
        """The answer of a version, which is in the log as well as that there was none."""
        model, package = served.models[version], served.packages[version]
        came = time.time()
        try:
            given = answer(model, signature_of(package), request, name=name, version=version, id=id)
        except Exception as exc:
            failed = Inference(came, version, role, time.time() - came, id, error=str(exc))
            served.log.append(failed)
            raise
        took = time.time() - came
        served.log.append(Inference(came, version, role, took, given["id"], request, given))
        return given
