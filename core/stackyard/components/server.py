"""The server kind: a model behind an endpoint that speaks the Open Inference Protocol V2."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from stackyard.components.base import Component
from stackyard.components.registry import ModelPackage


@dataclass(frozen=True)
class Endpoint:
    """A served model. ``traffic`` maps version to percent."""

    name: str
    url: str
    status: Literal["starting", "ready", "failed", "stopped"]
    traffic: Mapping[str, int] = field(default_factory=dict)
    reason: str = ""  # why it is not ready


class Server(Component):
    """Contract of a model server. Capabilities: ``canary``, ``shadow``, ``render``."""

    kind: ClassVar[str] = "server"

    @abstractmethod
    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        """Serve a model under ``name``; the same call again changes nothing."""

    @abstractmethod
    def status(self, name: str) -> Endpoint:
        """Raises NotFound where nothing of that name was deployed."""

    @abstractmethod
    def predict(self, name: str, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Send one V2 inference request."""

    @abstractmethod
    def undeploy(self, name: str) -> None:
        """Stop serving; nothing happens where nothing is served."""
