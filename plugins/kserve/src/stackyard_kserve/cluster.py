"""InferenceServices through the Kubernetes API, with the cluster's errors as ours."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from stackyard.components.base import Context
from stackyard.components.server import check_endpoint_name
from stackyard.errors import (
    AlreadyExists,
    ComponentError,
    Conflict,
    InvalidInput,
    NotFound,
    Unavailable,
)
from stackyard_kserve.config import KServeConfig

if TYPE_CHECKING:
    from kubernetes.client import ApiClient

_GROUP, _VERSION, _PLURAL = "serving.kserve.io", "v1beta1", "inferenceservices"
_SELECTED = "app.kubernetes.io/managed-by=stackyard"
_CURES = {
    401: ". Is the login in the kubeconfig right?",
    403: ". Who is logged in needs get, list, create, update and delete of inferenceservices",
}

Service = dict[str, Any]  # an InferenceService as the API has it


class Cluster:
    """The InferenceServices of a namespace; nothing is read before the first call."""

    def __init__(self, config: KServeConfig, context: Context) -> None:
        self._config = config
        self._context = context
        self._made: ApiClient | None = None

    def find(self, name: str) -> Service | None:
        """One InferenceService, None where there is none of that name.

        Raises:
            InvalidInput: no endpoint can be called so, and the name would be part of a path.
        """
        check_endpoint_name(name)
        try:
            found: Service = self._call("get", name=name)
            return found
        except NotFound:
            return None

    def list(self) -> list[Service]:
        """Those that Stackyard made, by name."""
        found = self._call("list", label_selector=_SELECTED)
        return sorted(found["items"], key=lambda one: str(one["metadata"]["name"]))

    def create(self, body: Service) -> Service:
        """Make one.

        Raises:
            AlreadyExists: one of that name is there.
            InvalidInput: the cluster refuses it; says which fields are wrong.
        """
        made: Service = self._call("create", body=body, field_validation="Strict")
        return made

    def replace(self, body: Service) -> Service:
        """Put one in its place, as it was read but for what is to change.

        Raises:
            Conflict: somebody else changed it since.
            NotFound: it is gone.
            InvalidInput: the cluster refuses it; says which fields are wrong.
        """
        name = body["metadata"]["name"]
        made: Service = self._call("replace", name=name, body=body, field_validation="Strict")
        return made

    def delete(self, name: str) -> None:
        """Ask for the end of one; it is there until KServe has cleared up after it."""
        self._call("delete", name=name)

    def change(self, name: str, edit: Callable[[Service | None], Service | None]) -> Service | None:
        """Apply what ``edit`` makes of the live InferenceService, however many others do the same.

        A change is sent again while the cluster does not answer, and may have been applied the
        first time. So a conflict is none where all is as it was wanted.

        Args:
            name: The endpoint.
            edit: Gets it as it is now, None where there is none; returns what to apply, or None
                to leave it.

        Raises:
            Conflict: others kept changing it until the deadline.
        """
        until = time.monotonic() + self._context.deadline
        before: Service | None = None
        wanted: Service | None = None
        while True:
            live = self.find(name)
            if live is not None and live["metadata"].get("deletionTimestamp"):
                problem = f"InferenceService {name!r} is still being deleted"
            elif live is not None and wanted is not None and _applied(live, wanted, before):
                return live
            else:
                before, wanted = live, edit(live)
                if wanted is None:
                    return live
                faster = AlreadyExists if live is None else (Conflict, NotFound)
                try:
                    return self.create(wanted) if live is None else self.replace(wanted)
                except faster as exc:  # somebody else was
                    problem = str(exc)
            if time.monotonic() > until:
                raise Conflict(f"{problem}. Try again")
            time.sleep(0.2)

    def close(self) -> None:
        """Close the connections."""
        if self._made is not None:
            self._made.close()
            self._made = None

    def _call(self, verb: str, **arguments: Any) -> Any:
        """Make one call, again until the deadline while the cluster does not answer."""
        seconds = self._context.deadline
        until, pause = time.monotonic() + 0.75 * seconds, 0.2  # to tell of it takes time, too
        import urllib3
        from kubernetes.client import ApiException, CustomObjectsApi

        api = CustomObjectsApi(self._client())
        method = getattr(api, f"{verb}_namespaced_custom_object")
        where = _GROUP, _VERSION, self._config.namespace, _PLURAL
        call = partial(method, *where, **arguments)
        while True:
            patience = max(0.1, min(seconds / 2, until - time.monotonic()))
            try:
                return call(_request_timeout=(0.2 * patience, 0.8 * patience))  # connect, read
            except ApiException as exc:
                error = self._error(exc)
                cause: Exception = exc
            except urllib3.exceptions.HTTPError as exc:
                reason = getattr(exc, "reason", None) or exc
                error, cause = Unavailable(f"{self._where()} does not answer ({reason})"), exc
            if not isinstance(error, Unavailable) or time.monotonic() + pause > until:
                raise error from cause
            time.sleep(pause)
            pause = min(2 * pause, 5.0)

    def _error(self, exc: Any) -> ComponentError:
        """The cluster's refusal as an error of ours."""
        where = f"{self._where()}, namespace {self._config.namespace!r}"
        try:
            body = json.loads(exc.body)
            message, details = body["message"], body.get("details") or {}
        except (ValueError, TypeError, KeyError):  # not of Kubernetes itself
            body, details = {}, {}
            message = f"{exc.status} {exc.reason}" if exc.status else str(exc.reason)
        if exc.status == 404 and not details.get("name"):
            return InvalidInput(f"{where}: there are no InferenceServices. Is KServe installed?")
        if exc.status == 404:
            return NotFound(f"{where}: {message}")
        if exc.status == 409:
            kind = AlreadyExists if body.get("reason") == "AlreadyExists" else Conflict
            return kind(f"{where}: {message}")
        if exc.status == 429 or exc.status >= 500:
            return Unavailable(f"{where}: it answered {exc.status} ({message})")
        return InvalidInput(f"{where}: {message}{_CURES.get(exc.status, '')}")

    def _where(self) -> str:
        host = "the cluster" if self._made is None else self._made.configuration.host
        return f"Kubernetes at {host}"

    def _client(self) -> ApiClient:
        if self._made is None:
            import yaml
            from kubernetes import client, config

            made = client.Configuration()
            made.retries = False  # we do that, and say so if it is of no use
            file = self._config.kubeconfig
            try:
                if file is None and self._config.context is None and _in_pod():
                    config.load_incluster_config(client_configuration=made)
                else:
                    path = None if file is None else str(self._context.project / file)
                    config.load_kube_config(path, self._config.context, made)
            except (config.ConfigException, yaml.YAMLError) as exc:
                why = " ".join(str(exc).split()).rstrip(".")
                raise InvalidInput(
                    f"{self._context.name}: there is no cluster to speak to: {why}. Set kubeconfig "
                    "in the stack, or KUBECONFIG"
                ) from exc
            self._made = client.ApiClient(made)
        return self._made


def holds(live: Any, wanted: Any, before: Any = None) -> bool:
    """Whether all that is wanted is so, and what was before and is not wanted is gone.

    The cluster and others may add to it.
    """
    if isinstance(wanted, Mapping):
        was = before if isinstance(before, Mapping) else {}
        return (
            isinstance(live, Mapping)
            and not live.keys() & (was.keys() - wanted.keys())
            and all(
                key in live and holds(live[key], value, was.get(key))
                for key, value in wanted.items()
            )
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list)
            and len(live) == len(wanted)
            and all(holds(a, b) for a, b in zip(live, wanted, strict=True))
        )
    return bool(live == wanted)


def _applied(live: Service, wanted: Service, before: Service | None) -> bool:
    """Whether an InferenceService says what was sent, in place of what it said before."""
    said = [
        {"annotations": one["metadata"].get("annotations") or {}, "spec": one["spec"]}
        for one in (live, wanted, before or wanted)
    ]
    return holds(*said)


def _in_pod() -> bool:
    import os

    return "KUBERNETES_SERVICE_HOST" in os.environ and "KUBECONFIG" not in os.environ
