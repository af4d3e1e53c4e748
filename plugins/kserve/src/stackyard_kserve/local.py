"""KServe's model server on this machine: one process for each endpoint, and no cluster."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from stackyard.components.base import Command, Service
from stackyard.components.registry import ModelPackage
from stackyard.components.rollout import Rollout
from stackyard.components.server import (
    Endpoint,
    Server,
    Status,
    check_deployment,
    check_endpoint_name,
    check_same_model,
)
from stackyard.errors import NotFound, Unavailable
from stackyard.locking import locked
from stackyard.loopback import HOST, answers, free_port
from stackyard.models import SKLEARN, verified_folder
from stackyard.supervisor import Supervisor
from stackyard.whole_file import write_whole
from stackyard_kserve import environment
from stackyard_kserve.asking import ask
from stackyard_kserve.config import LocalKServeConfig

# A model is asked by one thread; more are ten times slower where the processors are busy.
THREADS = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL")}


@dataclass(frozen=True)
class Deployed:
    """What is served under a name, as its file tells.

    Attributes:
        version: The version; empty before the first one was ready.
        digest: That of its package.
        port: Where it listens.
        next: Port of a process that was started and is not known to be ready.
    """

    version: str = ""
    digest: str = ""
    port: int = 0
    next: int = 0


class LocalKServe(Server):
    """Serves packages of format ``sklearn-skops`` in the protocols V1 and V2, on loopback.

    A further version gets a process and a port of its own; when it is ready, it takes the place of
    the one before.
    """

    config: LocalKServeConfig

    def instead_of(self, capability: str) -> str:
        """What one process of KServe's cannot do, and what can."""
        return (
            "KServe's model server serves one version at a time: deploy the version that is wanted"
            if capability == "canary"
            else ""
        )

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        """See ``Server.deploy``. KServe is installed first, once for each set of requirements."""
        check_deployment(package, name, version, formats=[SKLEARN])
        folder = verified_folder(package, fetch=self.context.fetch).absolute()
        with locked(self.context.state_dir / f".{name}.lock"):
            found = self._read(name)
            if found is not None and found.version == version:
                check_same_model(package, name, version, found.digest)
                now = self._endpoint(name, found)
                if now.status == "ready":
                    return now
            python = environment.ensure(
                self._environments(), self.config.version,
                [*package.requirements, *self.config.packages],
            )  # fmt: skip
            self._start(name, found or Deployed(), python, folder, version, package.digest)
        return self.status(name)

    def status(self, name: str) -> Endpoint:
        """See ``Server.status``."""
        return self._endpoint(name, self._known(name))

    def list(self) -> Sequence[Endpoint]:
        """Those that this component's state tells of."""
        names = sorted(file.stem for file in self.context.state_dir.glob("*.json"))
        return tuple(
            self.status(name) for name in names if (one := self._read(name)) and one.version
        )

    def predict(
        self, name: str, request: Mapping[str, Any], *, version: str | None = None
    ) -> Mapping[str, Any]:
        """See ``Server.predict``."""
        found = self._known(name)
        if version not in (None, found.version):
            raise NotFound(
                f"endpoint {name!r} has no version {version!r}. Versions: {found.version}"
            )
        try:
            return self._ask(name, found, request)
        except Unavailable:
            if (now := self._known(name)).port == found.port:
                raise
            return self._ask(name, now, request)  # another version took its place meanwhile

    def undeploy(self, name: str) -> None:
        """See ``Server.undeploy``."""
        if self._read(name) is None:
            return
        with locked(self.context.state_dir / f".{name}.lock"):
            found = self._read(name) or Deployed()
            for port in (found.port, found.next):
                self._supervisor().down(_service(name, port))
            self._file(name).unlink(missing_ok=True)

    def _ask(self, name: str, found: Deployed, request: Mapping[str, Any]) -> dict[str, Any]:
        status, why = self._status(name, found)
        if status == "stopped":
            raise Unavailable(f"endpoint {name!r}: {why}")
        return ask(f"http://{HOST}:{found.port}", name, request, seconds=self.context.deadline)

    def _start(
        self, name: str, before: Deployed, python: Path, folder: Path, version: str, digest: str
    ) -> None:
        """Start a process, and end the one before once it is ready."""
        supervisor, port = self._supervisor(), free_port()
        if before.next:  # left by a process of ours that was killed meanwhile
            supervisor.down(_service(name, before.next))
        self._write(name, Deployed(before.version, before.digest, before.port, port))
        service = self._described(name, port, python, folder, version, digest)
        try:
            supervisor.up(service)
        except BaseException:  # it was stopped again, also by Ctrl-C
            if before.version:
                self._write(name, Deployed(before.version, before.digest, before.port))
            else:
                self._file(name).unlink(missing_ok=True)
            raise
        self._write(name, Deployed(version, digest, port, before.port))
        if before.port:
            supervisor.down(_service(name, before.port))
        self._write(name, Deployed(version, digest, port))

    def _described(
        self, name: str, port: int, python: Path, folder: Path, version: str, digest: str
    ) -> Service:
        program = [str(python), "-P", "-m", "stackyard_kserve.model_server"]
        env = {
            "PYTHONPATH": str(environment.importable(self.context.state_dir.absolute())),
            "PYTHONWARNINGS": "ignore",  # of the SDK about its own dependencies
            **THREADS,
            "STACKYARD_VERSION": version,
            "STACKYARD_DIGEST": digest,
            "STACKYARD_HOST": HOST,
            "STACKYARD_MAX_REQUEST": str(self.config.max_request),
        }
        url = f"http://{HOST}:{port}"
        command = Command(
            name="model-server",
            argv=[*program, f"--model_name={name}", f"--model_dir={folder}", f"--http_port={port}"],
            env=env,
            ready=_ready(url, name),
            port=port,
        )
        within = self.config.ready_within
        return Service(_service(name, port), (command,), url=url, ready_within=within)

    def _endpoint(self, name: str, found: Deployed) -> Endpoint:
        """What is served under a name, which is asked."""
        status, why = self._status(name, found)
        url = f"http://{HOST}:{found.port}"
        if status == "ready" and not answers(_ready(url, name)):
            status, why = "failed", f"its process runs and does not answer at {url}"
        return Endpoint.of(name, url, status, Rollout(found.version), why)

    def _status(self, name: str, found: Deployed) -> tuple[Status, str]:
        """What is known of the process without asking it."""
        health, why = self._supervisor().health(_service(name, found.port))
        if health == "stopped":
            cure = f"deploy version {found.version} again"
            return "stopped", f"its process has ended; {cure}"
        return ("failed" if health == "broken" else health), why

    def _known(self, name: str) -> Deployed:
        found = self._read(name)
        if found is None or not found.version:
            have = ", ".join(endpoint.name for endpoint in self.list()) or "none"
            raise NotFound(f"there is no endpoint {name!r}. Endpoints: {have}")
        return found

    def _file(self, name: str) -> Path:
        return self.context.state_dir / f"{check_endpoint_name(name)}.json"

    def _read(self, name: str) -> Deployed | None:
        try:
            return Deployed(**json.loads(self._file(name).read_bytes()))
        except FileNotFoundError:
            return None

    def _write(self, name: str, deployed: Deployed) -> None:
        write_whole(self._file(name), json.dumps(asdict(deployed)))

    def _supervisor(self) -> Supervisor:
        return Supervisor(self.context.project)

    def _environments(self) -> Path:
        from platformdirs import user_cache_path

        return user_cache_path("stackyard") / "environments"


def _service(name: str, port: int) -> str:
    """The name of a process of an endpoint; that of port 0 never runs."""
    return f"kserve-{name}-{port}"


def _ready(url: str, name: str) -> str:
    """The address that answers once the model does."""
    return f"{url}/v2/models/{name}/ready"
