"""KServe in a Kubernetes cluster as model server: one InferenceService for each endpoint."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any

from stackyard.components.base import Finding
from stackyard.components.registry import ModelPackage
from stackyard.components.rollout import Rollout
from stackyard.components.server import (
    Endpoint,
    Server,
    check_deployment,
)
from stackyard.errors import ComponentError, NotFound, Unavailable
from stackyard_kserve import changes, manifests
from stackyard_kserve.asking import ask
from stackyard_kserve.changes import version_of
from stackyard_kserve.cluster import Cluster, Service
from stackyard_kserve.config import KServeConfig
from stackyard_kserve.manifests import DIGEST, VERSION
from stackyard_kserve.observed import Observed, observed
from stackyard_kserve.storage import readable

SETTLED = 5.0  # seconds that a failure must last: KServe reports of an older version for a moment


class KServeServer(Server):
    """Champion and canary are revisions of one InferenceService, in KServe's Knative mode."""

    config: KServeConfig

    @property
    def capabilities(self) -> frozenset[str]:
        """``canary`` and ``render``."""
        return frozenset({"canary", "render"})

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        """See ``Server.deploy``. A further version that does not get ready is taken back."""
        spec = self._predictor(package, name, version)
        replaced: Service | None = None

        def edit(live: Service | None) -> Service | None:
            nonlocal replaced
            wanted = changes.deployed(self.config, live, spec, package, name, version)
            # Once this version was sent it may be there, and is not what was there before.
            if wanted is not None and (
                replaced is None or live is None or version_of(live) != version
            ):
                replaced = live
            return wanted

        self._steady(name)
        self._cluster.change(name, edit)
        try:
            return self._wait(name, lambda seen: seen.settled or version == seen.before).endpoint()
        except Unavailable as exc:
            if replaced is not None and observed(replaced).rolled_out:
                self._take_back(replaced, version, exc)
            raise

    def render(self, package: ModelPackage, name: str, version: str) -> Mapping[str, str]:
        """The InferenceService of a first version as YAML; its package is where it says."""
        import yaml

        spec = self._predictor(package, name, version)
        facts = {VERSION: version, DIGEST: package.digest}
        made = manifests.checked(manifests.inference_service(self.config, name, spec, facts))
        return {f"{name}.yaml": yaml.safe_dump(made, sort_keys=False)}

    def status(self, name: str) -> Endpoint:
        """See ``Server.status``."""
        return self._seen(name).endpoint()

    def list(self) -> Sequence[Endpoint]:
        """Those in the namespace that Stackyard made."""
        return tuple(
            observed(one).endpoint() for one in self._cluster.list() if version_of(one) is not None
        )

    def predict(
        self, name: str, request: Mapping[str, Any], *, version: str | None = None
    ) -> Mapping[str, Any]:
        """See ``Server.predict``. A version is asked at the address of its revision."""
        seen = self._seen(name)
        url = seen.url
        if version is not None:
            revision = seen.revision_of(version)
            url = "" if revision is None else seen.addresses.get(revision, "")
            if not url:
                have = ", ".join(v for v in seen.rollout.versions if seen.revision_of(v))
                raise NotFound(
                    f"endpoint {name!r}: requests cannot reach a version {version!r}. They reach: "
                    f"{have or 'none'}"
                )
        elif not url:
            raise Unavailable(f"endpoint {name!r} is {seen.status}: {seen.endpoint().reason}")
        seconds = self.context.deadline
        return ask(url, name, request, seconds=seconds, gateway=self.config.gateway)

    def undeploy(self, name: str) -> None:
        """See ``Server.undeploy``. Returns when KServe has cleared up."""
        live = self._cluster.find(name)
        if live is None or version_of(live) is None:
            return
        try:
            self._cluster.delete(name)
        except NotFound:
            return
        until, gone = time.monotonic() + self.config.ready_within, live["metadata"]["uid"]
        while (live := self._cluster.find(name)) and live["metadata"]["uid"] == gone:
            if time.monotonic() > until:
                raise Unavailable(
                    f"endpoint {name!r}: its InferenceService is being deleted since "
                    f"{self.config.ready_within:g} s. Does KServe's controller run?"
                )
            time.sleep(0.2)

    def set_traffic(self, name: str, traffic: Mapping[str, int]) -> Endpoint:
        """See ``Server.set_traffic``. KServe gives no share to the champion before a promotion.

        Raises:
            Conflict: the champion before the last promotion should get a share.
        """
        return self._shift(name, lambda rollout: rollout.split(traffic))

    def promote(self, name: str, version: str) -> Endpoint:
        """See ``Server.promote``. To promote the champion before is to roll back."""
        return self._shift(name, lambda rollout: rollout.promoted(version))

    def rollback(self, name: str) -> Endpoint:
        """See ``Server.rollback``."""
        return self._shift(name, Rollout.rolled_back)

    def check(self) -> Sequence[Finding]:
        """Whether the cluster answers, knows InferenceServices and lets us list them."""
        try:
            count = len(self._cluster.list())
        except ComponentError as exc:
            cure = f"See what this says: kubectl get inferenceservices -n {self.config.namespace}"
            return (Finding(False, str(exc), cure),)
        return (Finding(True, f"{count} endpoints in namespace {self.config.namespace!r}"),)

    def close(self) -> None:
        """Close the connections to the cluster."""
        self._cluster.close()

    @cached_property
    def _cluster(self) -> Cluster:
        return Cluster(self.config, self.context)

    def _predictor(self, package: ModelPackage, name: str, version: str) -> dict[str, Any]:
        """What runs the model; all that can be refused without the cluster is refused here."""
        check_deployment(package, name, version)
        # Once before anything is copied, for the checks, and once with the true address.
        facts = {VERSION: version}
        trial = manifests.predictor(self.config, package, "s3://unknown", name, version)
        manifests.checked(manifests.inference_service(self.config, name, trial, facts))
        uri = readable(package, self.config.storage, self.context.fetch)
        return manifests.predictor(self.config, package, uri, name, version)

    def _ours(self, name: str, live: Service | None) -> Observed:
        """What is served as an InferenceService of ours; any other one is no endpoint."""
        if live is None or version_of(live) is None:
            have = ", ".join(endpoint.name for endpoint in self.list()) or "none"
            raise NotFound(
                f"there is no endpoint {name!r} in namespace {self.config.namespace!r}. "
                f"Endpoints: {have}"
            )
        return observed(live)

    def _seen(self, name: str) -> Observed:
        return self._ours(name, self._cluster.find(name))

    def _steady(self, name: str) -> None:
        """Wait for what an earlier change, whose process ended, has still to bring about."""
        live = self._cluster.find(name)
        if live is not None and version_of(live) is not None and observed(live).rolled_out:
            self._wait(name, lambda seen: seen.steady or bool(seen.failure))

    def _shift(self, name: str, step: Callable[[Rollout], Rollout]) -> Endpoint:
        """Change who gets what, and wait until it is so."""

        def edit(live: Service | None) -> Service | None:
            seen = self._ours(name, live)
            return None if live is None else changes.shared(live, step(seen.rollout))

        self._cluster.change(name, edit)
        try:
            return self._wait(name, lambda seen: seen.settled).endpoint()
        except Unavailable as exc:
            raise Unavailable(
                f"endpoint {name!r}: the change was made and may yet come into force ({exc})"
            ) from exc

    def _wait(self, name: str, done: Callable[[Observed], bool]) -> Observed:
        """Look until the endpoint is as it should be.

        Raises:
            Unavailable: it cannot get so, or did not in time; says why.
        """
        began = failing = time.monotonic()
        while True:
            seen = self._seen(name)
            if done(seen):
                return seen
            now = time.monotonic()
            if not seen.failure:
                failing = now
            if now - failing >= SETTLED:
                raise Unavailable(f"endpoint {name!r}, version {seen.version}: {seen.failure}")
            if now - began > self.config.ready_within:
                raise Unavailable(
                    f"endpoint {name!r}, version {seen.version} is not ready after "
                    f"{self.config.ready_within:g} s: {seen.failure or seen.waits}"
                )
            time.sleep(min(0.1 + (now - began) / 10, 2.0))

    def _take_back(self, before: Service, version: str, why: Unavailable) -> None:
        """Apply what was there before a deployment that failed, unless others did meanwhile.

        Raises:
            Unavailable: it cannot be taken back; says that, too.
        """
        name = before["metadata"]["name"]

        def edit(live: Service | None) -> Service | None:
            if live is None or version_of(live) != version:
                return None
            return changes.taken_back(live, before)

        try:
            made = self._cluster.change(name, edit)
            ours = made is not None and version_of(made) == version_of(before)
            if ours and observed(before).settled:
                self._wait(name, lambda seen: seen.settled)
        except ComponentError as exc:
            raise Unavailable(f"{why}. Nor could it be taken back: {exc}") from why
