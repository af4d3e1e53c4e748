"""An InferenceService as the cluster tells of it, in the words of a rollout.

KServe keeps one specification, of the newest version. The champion beside it is a Knative revision
that KServe remembers as the last that got all requests (``latestRolledoutRevision``);
``canaryTrafficPercent`` is the share of the newest. So

    canaryTrafficPercent   the champion is   beside it is
    n                      the one before    the newest, with n percent
    none                   the newest        the one before, to which 0 percent returns

https://github.com/kserve/kserve/blob/master/pkg/controller/v1beta1/inferenceservice/reconcilers/knative/ksvc_reconciler.go
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stackyard.components.rollout import Rollout
from stackyard.components.server import Endpoint, Status
from stackyard_kserve.manifests import BASE, BEFORE, BEFORE_DIGEST, DIGEST, VERSION

_FINAL = ("InvalidSpec", "BlockedByFailedLoad")
# In this order they say best what a model waits for.
_CONDITIONS = ("PredictorReady", "PredictorConfigurationReady", "PredictorRouteReady",
               "IngressReady", "Ready")  # fmt: skip


@dataclass(frozen=True)
class Observed:
    """What is served as an InferenceService, and how far the cluster is with it.

    Attributes:
        name: The endpoint.
        url: Its address, empty as long as the cluster gave none.
        version: The newest version that was applied.
        digest: That of its package.
        before: The champion beside which it was applied, if there was one; its revision, if
            somebody else applied the newest.
        before_digest: That of its package.
        percent: ``canaryTrafficPercent``: the newest version's share, None after a promotion.
        newest: The revision of the newest version, empty as long as there is none.
        arrived: Whether it is ready.
        rolled_out: The revision that last got all requests.
        shares: Percent of the requests by revision.
        addresses: The revisions' own addresses.
        stopped: Whether somebody stopped it.
        routed: Whether requests reach it.
        failure: Why the newest version cannot get ready, as KServe says.
        waits: What it waits for.
    """

    name: str
    url: str
    version: str
    digest: str
    before: str | None
    before_digest: str | None
    percent: int | None
    newest: str
    arrived: bool
    rolled_out: str
    shares: Mapping[str, int]
    addresses: Mapping[str, str]
    stopped: bool
    routed: bool
    failure: str
    waits: str

    @property
    def rollout(self) -> Rollout:
        """The versions that are ready or will be, and their shares."""
        if self.before is None:
            return Rollout(self.version)
        if self.percent is None:
            return Rollout(self.version, self.before, dethroned=True)
        if not self.arrived and not self.percent:
            return Rollout(self.before)
        return Rollout(self.before, self.version, self.percent)

    @property
    def steady(self) -> bool:
        """Whether the revision that KServe would put beside another one is the champion's."""
        if self.percent is None:
            return bool(self.newest) and self.rolled_out == self.newest
        return bool(self.rolled_out) and (self.percent == 100 or self.rolled_out != self.newest)

    @property
    def settled(self) -> bool:
        """Whether the newest version is ready and the requests go where they were sent."""
        wanted = 100 if self.percent is None else self.percent
        shares = sum(self.shares.values()), self.shares.get(self.newest, 0)
        return self.arrived and self.routed and self.steady and shares == (100, wanted)

    @property
    def status(self) -> Status:
        """How the endpoint is."""
        if self.stopped:
            return "stopped"
        if self.url and self.routed and self.rolled_out and sum(self.shares.values()) == 100:
            return "ready"
        return "failed" if self.failure else "starting"

    def endpoint(self) -> Endpoint:
        """In the contract's words."""
        return Endpoint.of(self.name, self.url, self.status, self.rollout, self._reason())

    def revision_of(self, version: str) -> str | None:
        """The revision of a version; None of one that the requests cannot reach."""
        if version == self.version:
            return self.newest if self.arrived else None
        others = [revision for revision in self.addresses if revision != self.newest]
        return others[0] if version == self.before and len(others) == 1 else None

    def _reason(self) -> str:
        if self.settled:
            return ""
        why = self.failure or self.waits
        if self.status == "ready":
            late = "the traffic is not yet as it was set" if self.arrived else why
            return f"version {self.version}: {late}"
        return why


def observed(service: Mapping[str, Any]) -> Observed:
    """Read an InferenceService as the Kubernetes API gives it."""
    facts = service["metadata"].get("annotations") or {}
    status = service.get("status") or {}
    predictor = (status.get("components") or {}).get("predictor") or {}
    conditions = {one["type"]: one for one in status.get("conditions") or ()}
    created = predictor.get("latestCreatedRevision", "")
    newest = created if created != facts.get(BASE) else ""
    percent = service["spec"]["predictor"].get("canaryTrafficPercent")
    rolled_out = predictor.get("latestRolledoutRevision", "")
    before = facts.get(BEFORE)
    if before is None and percent is not None and rolled_out not in ("", newest):
        before = rolled_out  # a canary from git: which version it was, nothing says any more
    shares: dict[str, int] = {}
    addresses: dict[str, str] = {}
    for target in predictor.get("traffic") or ():
        revision = target.get("revisionName", "")
        shares[revision] = shares.get(revision, 0) + (target.get("percent") or 0)
        if target.get("url"):
            addresses[revision] = target["url"]
    return Observed(
        name=service["metadata"]["name"],
        url=status.get("url", ""),
        version=facts[VERSION],
        digest=facts.get(DIGEST, ""),
        before=before,
        before_digest=facts.get(BEFORE_DIGEST),
        percent=percent,
        newest=newest,
        arrived=bool(newest) and predictor.get("latestReadyRevision") == newest,
        rolled_out=rolled_out,
        shares=shares,
        addresses=addresses,
        stopped=conditions.get("Stopped", {}).get("status") == "True",
        routed=all(
            conditions.get(kind, {}).get("status") == "True"
            for kind in ("PredictorRouteReady", "IngressReady")
        ),
        failure=_failure(status.get("modelStatus") or {}, created),
        waits=_waits(conditions),
    )


def _failure(model: Mapping[str, Any], created: str) -> str:
    """Why the newest version cannot get ready; what KServe says of another one does not count."""
    last = model.get("lastFailureInfo") or {}
    about = last.get("modelRevisionName") or created
    if model.get("transitionStatus") not in _FINAL or about != created:
        return ""
    words = [last.get("reason"), last.get("message")]
    return ": ".join(filter(None, words)) or str(model["transitionStatus"])


def _waits(conditions: Mapping[str, Mapping[str, Any]]) -> str:
    for wanted in ("False", "Unknown"):
        for kind in _CONDITIONS:
            one = conditions.get(kind, {})
            if one.get("status") == wanted:
                words = filter(None, [one.get("reason"), one.get("message")])
                return f"{kind} is {wanted} ({': '.join(words) or 'no reason is given'})"
    return "KServe has not said anything of it yet; does its controller run?"
