"""The other kinds in memory, as small as a step's test needs them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage
from stackyard.components.server import Endpoint, Server
from stackyard.errors import InvalidInput, NotFound


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
