"""What is to be applied to an InferenceService for a deployment, new shares, or to take one back.

Pure: from the InferenceService as the cluster has it to the one that it should have.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from stackyard.components.registry import ModelPackage
from stackyard.components.rollout import Rollout
from stackyard.components.server import check_same_model
from stackyard.errors import Conflict
from stackyard_kserve import manifests
from stackyard_kserve.cluster import Service, holds
from stackyard_kserve.config import KServeConfig
from stackyard_kserve.manifests import APPLIED, BASE, BEFORE, BEFORE_DIGEST, DIGEST, VERSION
from stackyard_kserve.observed import Observed, observed


def version_of(live: Service) -> str | None:
    """The version that an InferenceService of ours says, None of somebody else's."""
    found: str | None = (live["metadata"].get("annotations") or {}).get(VERSION)
    return found


def deployed(
    config: KServeConfig,
    live: Service | None,
    spec: Mapping[str, Any],
    package: ModelPackage,
    name: str,
    version: str,
) -> Service | None:
    """An endpoint with a model deployed on it.

    Args:
        config: What the stack says.
        live: The InferenceService as it is, None where there is none.
        spec: What runs the model, from ``manifests.predictor``.
        package: The model.
        name: The endpoint.
        version: The model's version.

    Returns:
        What to apply; None where it is so already.

    Raises:
        AlreadyExists: another model is served as this version.
        Conflict: the place beside the champion is taken, or the InferenceService is not ours.
        InvalidInput: it would not hold to what KServe's CRD leaves out.
    """
    facts = {VERSION: version, DIGEST: package.digest}
    if live is None:
        return manifests.checked(manifests.inference_service(config, name, spec, facts))
    if version_of(live) is None:
        raise Conflict(
            f"InferenceService {name!r} in namespace {config.namespace!r} was not made by "
            "Stackyard. Choose another name"
        )
    seen = observed(live)
    for known, digest in ((seen.version, seen.digest), (seen.before, seen.before_digest)):
        if version == known:
            check_same_model(package, name, version, digest or "")
    applied = live["metadata"]["annotations"].get(APPLIED) == manifests.said(spec)
    so_already = applied and holds(live["spec"]["predictor"], spec)
    if version == seen.before or (version == seen.version and so_already):
        return None
    # Where nothing was ever ready there is nothing to keep. And KServe would take the same version,
    # as it was, for the one before a version that is the champion and runs in another way.
    if not seen.rolled_out or (version == seen.version and seen.percent is None):
        return _applied(live, spec, facts, None)
    if version == seen.version and seen.percent == 100:  # nor would it know the champion any more
        raise Conflict(
            f"endpoint {name!r}: version {version} gets every request and is not the champion, so "
            "it cannot be applied in another way. Promote it or roll back first"
        )
    rollout = seen.rollout if version == seen.version else seen.rollout.added(version)
    digest = seen.digest if rollout.champion == seen.version else seen.before_digest
    facts |= {BEFORE: rollout.champion, BEFORE_DIGEST: digest or ""}
    return _applied(live, spec, facts, rollout.percent)


def shared(live: Service, rollout: Rollout) -> Service | None:
    """An endpoint with other shares; None where they are so already.

    Raises:
        Conflict: KServe cannot give them.
    """
    seen = observed(live)
    percent = _percent(seen, rollout)
    return None if percent == seen.percent else _sharing(live, percent)


def taken_back(live: Service, before: Service) -> Service:
    """An endpoint as it was before a deployment that failed.

    The model gets a new revision, so that KServe does not know the champion before it any more.
    """
    made = _based(copy.deepcopy(before), live)
    made["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"]
    if observed(before).percent is None:
        for key in (BEFORE, BEFORE_DIGEST):
            made["metadata"]["annotations"].pop(key, None)
    return made


def _applied(
    live: Service, spec: Mapping[str, Any], facts: Mapping[str, str], percent: int | None
) -> Service:
    """The InferenceService with another model; what others have added to it stays."""
    made = _based(copy.deepcopy(live), live)
    annotations = made["metadata"]["annotations"]
    for key in (BEFORE, BEFORE_DIGEST):
        annotations.pop(key, None)
    annotations |= {**facts, APPLIED: manifests.said(spec)}
    predictor = made["spec"]["predictor"]
    for key in ("model", "containers", "serviceAccountName"):
        predictor.pop(key, None)
    predictor |= spec
    return _sharing(made, percent)


def _based(made: Service, live: Service) -> Service:
    """Note the newest revision of all, by which that of the model to be applied is told apart."""
    status = (live.get("status") or {}).get("components") or {}
    newest = status.get("predictor", {}).get("latestCreatedRevision", "")
    made["metadata"].setdefault("annotations", {})[BASE] = newest
    made.pop("status", None)  # the cluster's own
    return made


def _sharing(live: Service, percent: int | None) -> Service:
    made = copy.deepcopy(live)
    predictor = made["spec"]["predictor"]
    predictor.pop("canaryTrafficPercent", None)
    if percent is not None:
        predictor["canaryTrafficPercent"] = percent
    return manifests.checked(made)


def _percent(seen: Observed, rollout: Rollout) -> int | None:
    """What ``canaryTrafficPercent`` says of a rollout."""
    if rollout.champion != seen.version:
        return rollout.traffic.get(seen.version, seen.percent)
    if rollout.percent:
        raise Conflict(
            f"endpoint {seen.name!r}: version {seen.version} was promoted, and KServe gives no "
            f"share to the one before. Roll back to {seen.before} first, then give "
            f"{seen.version} its share"
        )
    return None
