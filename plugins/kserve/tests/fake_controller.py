"""A fake of KServe's controller, for ``fake_cluster``: what follows from an InferenceService.

It is as much of KServe's Knative mode as a rollout needs, by the rules of KServe's
``ksvc_reconciler.go`` and ``inference_service_status.go``.
"""

from __future__ import annotations

import copy
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stackyard.components.registry import ModelPackage
from stackyard.inference import answer
from stackyard.models import load_model, read_signature

MISSING_IMAGE = "registry.example/missing:1"


@dataclass
class Revision:
    """What Knative makes of one template."""

    name: str
    template: Any
    predictor: dict[str, Any]
    made: float
    ready: bool = False
    failure: tuple[str, str] = ("", "")  # reason, message
    answers: Callable[[Any], Any] | None = None


@dataclass
class Kept:
    """An InferenceService and its revisions."""

    body: dict[str, Any]
    revisions: list[Revision] = field(default_factory=list)
    looks: int = 2  # at it that are left once it is being deleted

    @property
    def latest_ready(self) -> Revision | None:
        return next((one for one in reversed(self.revisions) if one.ready), None)


def reconcile(kept: Kept, now: float, delay: float) -> None:
    """Go on by a step at the time ``now``; a revision is ready ``delay`` seconds after it began."""
    name, spec = kept.body["metadata"]["name"], kept.body["spec"]["predictor"]
    model = {k: v for k, v in spec.items() if k != "canaryTrafficPercent"}
    template = copy.deepcopy([kept.body["metadata"].get("annotations"), model])
    if not kept.revisions or kept.revisions[-1].template != template:
        number = len(kept.revisions) + 1
        made = Revision(f"{name}-predictor-{number:05d}", template, model, now)
        kept.revisions.append(made)
    newest = kept.revisions[-1]
    if now >= newest.made + delay and not (newest.ready or newest.failure[0]):
        _start(newest, name)
    status = kept.body.setdefault("status", {"components": {"predictor": {}}})
    predictor = status["components"]["predictor"]
    traffic = _traffic(kept, spec.get("canaryTrafficPercent"), predictor)
    _propagate(predictor, kept, traffic)
    status |= _told(kept, traffic, f"http://{host(kept)}")


def _start(revision: Revision, name: str) -> None:
    containers = revision.predictor.get("containers") or [{}]
    if containers[0].get("image") == MISSING_IMAGE:
        revision.failure = ("RevisionFailed", f'Unable to fetch image "{MISSING_IMAGE}"')
        return
    settings = {one["name"]: one.get("value") for one in containers[0].get("env", [])}
    if uri := settings.get("STORAGE_URI", "").removeprefix("file://"):
        try:
            revision.answers = _answering(uri, settings, name)
        except Exception as exc:
            revision.failure = ("ModelLoadFailed", f"{type(exc).__name__}: {exc}")
            return
    revision.ready = True


def _traffic(kept: Kept, percent: int | None, known: dict[str, Any]) -> list[Any]:
    ready = kept.latest_ready
    if ready is None:
        return []
    place, rolled_out = host(kept, "-predictor"), known.get("latestRolledoutRevision")
    newest = {"revisionName": ready.name, "latestRevision": True, "tag": "latest",
              "url": f"http://latest-{place}"}  # fmt: skip
    if percent is None or not rolled_out:
        return [newest | {"percent": 100}]
    if percent == 100:
        return [newest | {"percent": 100}]
    other = {"revisionName": rolled_out, "latestRevision": False, "tag": "prev",
             "url": f"http://prev-{place}", "percent": 100 - percent}  # fmt: skip
    return [newest | {"percent": percent}, other]


def host(kept: Kept, suffix: str = "") -> str:
    """The host name of an endpoint."""
    metadata = kept.body["metadata"]
    return f"{metadata['name']}{suffix}.{metadata['namespace']}.example.test"


def _answering(folder: str, settings: dict[str, Any], name: str) -> Callable[[Any], Any]:
    """A container that serves the package in ``folder``."""
    package = ModelPackage("sklearn-skops", folder, settings["STACKYARD_DIGEST"])
    model = load_model(package)
    signature, version = read_signature(Path(folder)), settings["STACKYARD_VERSION"]
    assert signature is not None
    return lambda request: answer(
        model, signature, request, name=name, version=version, id=str(uuid.uuid4())
    )


def _propagate(predictor: dict[str, Any], kept: Kept, traffic: list[dict[str, Any]]) -> None:
    """What KServe takes from Knative's status into its own: ``PropagateStatus``."""
    ready = kept.latest_ready
    predictor["latestCreatedRevision"] = kept.revisions[-1].name
    if ready is None:
        return
    predictor["latestReadyRevision"] = ready.name
    whole: dict[str, int] = {}
    for one in traffic:
        whole[one["revisionName"]] = whole.get(one["revisionName"], 0) + one["percent"]
    newest = traffic[0]
    if predictor.get("latestRolledoutRevision") != ready.name:
        if newest["percent"] == 100:
            predictor["previousRolledoutRevision"] = predictor.get("latestRolledoutRevision", "")
            predictor["latestRolledoutRevision"] = ready.name
    elif ready is kept.revisions[-1] and newest["percent"] < 100 and whole[ready.name] == 100:
        predictor["latestRolledoutRevision"] = (
            predictor["previousRolledoutRevision"] or predictor["latestRolledoutRevision"]
        )
    predictor["traffic"] = traffic


def _told(kept: Kept, traffic: list[Any], url: str) -> dict[str, Any]:
    """Conditions, model status and address."""
    newest = kept.revisions[-1]
    reason, message = newest.failure
    state = "True" if newest.ready else "False" if reason else "Unknown"
    configuration = {"type": "PredictorConfigurationReady", "status": state}
    if reason:
        configuration |= {"reason": reason, "message": message}
    elif not newest.ready:
        configuration |= {"reason": "Deploying", "message": "the pod is starting"}
    routed = {"status": "True" if traffic else "Unknown"}
    told: dict[str, Any] = {
        "conditions": [
            configuration,
            configuration | {"type": "PredictorReady"},
            {"type": "PredictorRouteReady", **routed},
            {"type": "IngressReady", **routed},
        ]
    }
    told["modelStatus"] = {"transitionStatus": "UpToDate" if newest.ready else "InProgress"}
    if reason == "ModelLoadFailed":
        told["modelStatus"] = {
            "transitionStatus": "BlockedByFailedLoad",
            "lastFailureInfo": {
                "reason": reason, "message": message, "modelRevisionName": newest.name,
            },
        }  # fmt: skip
    return told | ({"url": url} if traffic else {})
