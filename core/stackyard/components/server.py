"""The server kind: models behind an endpoint that speaks the Open Inference Protocol V2.

https://github.com/kserve/open-inference-protocol/blob/main/specification/protocol/inference_rest.md
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from stackyard.components.base import Component
from stackyard.components.deployment import (
    check_deployment,
    check_endpoint_name,
    check_same_model,
    check_version,
    endpoint_name,
    signature_of,
)
from stackyard.components.registry import ModelPackage
from stackyard.components.rollout import Rollout

__all__ = [
    "Endpoint", "Server", "check_deployment", "check_endpoint_name", "check_same_model",
    "check_version", "endpoint_name", "signature_of",
]  # fmt: skip

Status = Literal["starting", "ready", "failed", "stopped"]


@dataclass(frozen=True)
class Endpoint:
    """A served model.

    Attributes:
        name: The endpoint's name.
        url: Where it answers: requests go to ``{url}/v2/models/{name}/infer``.
        status: ``ready`` if it answers; ``starting`` while it is getting there; ``failed`` if it
            cannot; ``stopped`` if it was deployed and its processes have ended since.
        traffic: Percent of the requests by version; the sum is 100.
        champion: The version that others are held against, and a rollback returns to.
        previous: The champion before the last promotion, if a rollback can return to it.
        shadow: The version that gets a copy of every request, whose answers nobody sees.
        reason: Why it is not ready, or what does not work although it is.
    """

    name: str
    url: str
    status: Status
    traffic: Mapping[str, int] = field(default_factory=dict)
    champion: str = ""
    previous: str | None = None
    shadow: str | None = None
    reason: str = ""

    @classmethod
    def of(
        cls, name: str, url: str, status: Status, rollout: Rollout, reason: str = ""
    ) -> Endpoint:
        """The endpoint whose versions are as ``rollout`` says."""
        return cls(
            name,
            url,
            status,
            rollout.traffic,
            rollout.champion,
            rollout.previous,
            rollout.shadow,
            reason,
        )


class Server(Component):
    """Contract of a model server. Capabilities: ``canary``, ``shadow``, ``log``, ``render``.

    An endpoint has a champion and, where the server can ``canary``, at most one version beside it
    (see ``Rollout``, whose rules every server keeps). Changes of what is served fail no request.
    """

    kind: ClassVar[str] = "server"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "canary": ("set_traffic", "promote", "rollback"),
        "shadow": ("set_shadow",),
        "log": ("inferences",),
        "render": ("render",),
    }

    @abstractmethod
    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        """Serve a model under ``name``, and return when it is ready.

        The first version of an endpoint gets every request. A further one stands ready beside the
        champion and gets none (capability ``canary``), else it takes the champion's place. The same
        call again changes nothing; it starts what has stopped.

        Args:
            package: The model, on this machine or where the server can read it.
            name: The endpoint's name, see ``check_endpoint_name``.
            version: The model's version in its registry.

        Raises:
            InvalidInput: the name or version is refused, or the package has no signature or a
                format that the server does not know.
            DigestMismatch: the package is not what its digest says.
            AlreadyExists: another model is served as this version.
            Conflict: the place beside the champion is taken by a version that gets requests.
            Unavailable: it did not get ready; says why. What was served before still is.
        """

    @abstractmethod
    def status(self, name: str) -> Endpoint:
        """How the endpoint is now, whoever deployed it.

        Raises:
            NotFound: nothing of that name was deployed; lists what was.
        """

    @abstractmethod
    def list(self) -> Sequence[Endpoint]:
        """Every endpoint, by name."""

    @abstractmethod
    def predict(
        self, name: str, request: Mapping[str, Any], *, version: str | None = None
    ) -> Mapping[str, Any]:
        """Send one V2 inference request and return the answer (see ``stackyard.inference``).

        Args:
            name: The endpoint.
            request: ``{"inputs": [...]}``, with an ``id`` or not.
            version: Ask this version, whatever its share is; without it the traffic decides.

        Raises:
            InvalidInput: the server refuses the request; says why.
            NotFound: there is no such endpoint, or no such version ready.
            Unavailable: it did not answer within ``context.deadline``.
        """

    @abstractmethod
    def undeploy(self, name: str) -> None:
        """Stop serving; nothing happens where nothing is served. The inference log stays."""

    def set_traffic(self, name: str, traffic: Mapping[str, int]) -> Endpoint:
        """Give each version its percent of the requests (capability ``canary``).

        A version that is not named gets none.

        Raises:
            InvalidInput: a share is no whole number from 0 to 100, or the sum is not 100.
            NotFound: there is no such endpoint, or no such version ready.
            Unavailable: the endpoint does not answer, or what was asked is not so in time.
                ``status`` tells what is.
        """
        self.require("canary")
        raise NotImplementedError

    def promote(self, name: str, version: str) -> Endpoint:
        """Make a version the champion that gets every request (capability ``canary``).

        The champion before it stays ready, so that ``rollback`` returns to it at once. A version
        that is the champion already gets every request.

        Raises:
            NotFound: there is no such endpoint, or no such version ready.
            Unavailable: the endpoint does not answer, or what was asked is not so in time.
                ``status`` tells what is.
        """
        self.require("canary")
        raise NotImplementedError

    def rollback(self, name: str) -> Endpoint:
        """Take back what was done last (capability ``canary``).

        Where a version beside the champion gets requests or their copies, the champion gets
        everything. Else the champion before the last promotion is the champion again.

        Raises:
            NotFound: there is no such endpoint.
            Conflict: there is nothing to take back.
            Unavailable: the endpoint does not answer, or what was asked is not so in time.
                ``status`` tells what is.
        """
        self.require("canary")
        raise NotImplementedError

    def set_shadow(self, name: str, version: str | None) -> Endpoint:
        """Send a version a copy of every request, without waiting for it (capability ``shadow``).

        Its answers are only in the inference log. None ends it.

        Raises:
            NotFound: there is no such endpoint, or no such version ready.
            Conflict: the version gets requests.
            Unavailable: the endpoint does not answer; nothing is changed.
        """
        self.require("shadow")
        raise NotImplementedError

    def inferences(self, name: str) -> Path:
        """The folder of the endpoint's inference log (capability ``log``).

        Every request that was answered before the call is in it, unless the log had to be left
        behind. It is there after ``undeploy``, too. Its layout is in docs/reference/server.md.

        Raises:
            NotFound: nothing of that name was ever deployed.
        """
        self.require("log")
        raise NotImplementedError

    def render(self, package: ModelPackage, name: str, version: str) -> Mapping[str, str]:
        """What ``deploy`` would apply, as text by file name (capability ``render``)."""
        self.require("render")
        raise NotImplementedError
