"""BentoML as model server: bentos of registry versions, served on this machine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.components.registry import ModelPackage
from stackyard.components.rollout import Rollout
from stackyard.components.server import (
    Endpoint,
    Server,
    Status,
    check_deployment,
    check_endpoint_name,
    check_same_model,
    check_version,
)
from stackyard.errors import NotFound, StackyardError, Unavailable
from stackyard.loopback import free_port
from stackyard.models import SKLEARN, verified_folder
from stackyard.supervisor import Health, Supervisor
from stackyard_bentoml import state as states
from stackyard_bentoml.config import BentomlConfig
from stackyard_bentoml.packing import pack
from stackyard_bentoml.running import described, is_free, service_name
from stackyard_bentoml.state import State
from stackyard_bentoml.wire import APPLY, ask


class BentomlServer(Server):
    """Endpoints of this machine, each a BentoML service that outlives the process that made it."""

    config: BentomlConfig

    def __init__(self, config: BentomlConfig, context: Context) -> None:
        super().__init__(config, context)
        self._state = context.state_dir.absolute()
        self._home = self._state / "_bentoml"  # no endpoint can be called so
        self._supervisor = Supervisor(context.project)

    @property
    def capabilities(self) -> frozenset[str]:
        """``canary``, ``shadow`` and, unless it is switched off, ``log``."""
        return frozenset({"canary", "shadow", *(("log",) if self.config.log else ())})

    def deploy(self, package: ModelPackage, name: str, version: str) -> Endpoint:
        """Make a bento of the package and serve it."""
        check_deployment(package, name, version, formats=[SKLEARN])
        source = verified_folder(package, fetch=self.context.fetch)
        folder = self._folder(name)
        with states.locked(folder):
            before = states.read(folder)
            if before is not None and before.rollout is None:  # its first ``deploy`` was killed
                self._stop(folder)
                before = None
            if before is not None and version in before.packages:
                check_same_model(package, name, version, before.packages[version].digest)
                return self._endpoint(self._start(folder, before, version))
            wanted = self._with(before, name, version)
            packed = pack(self._home, package, source, name, version)
            wanted = replace(
                wanted,
                packages={**wanted.packages, version: packed.package},
                bentos={**wanted.bentos, version: packed.bento},
            )
            if self.config.log:
                (folder / states.INFERENCES).mkdir(exist_ok=True)
            with ExitStack() as undo:
                if before is None:
                    undo.callback(self._stop, folder)
                begun = before or replace(wanted, rollout=None, slots={})
                started = self._start(folder, begun, version)
                made = self._apply(folder, started, replace(wanted, port=started.port), version)
                undo.pop_all()
            return made

    def status(self, name: str) -> Endpoint:
        """How the endpoint is."""
        return self._endpoint(self._of(name))

    def list(self) -> Sequence[Endpoint]:
        """Every endpoint."""
        found = [states.read(file.parent) for file in sorted(self._state.glob(f"*/{states.FILE}"))]
        return tuple(self._endpoint(one) for one in found if one is not None)

    def predict(
        self, name: str, request: Mapping[str, Any], *, version: str | None = None
    ) -> Mapping[str, Any]:
        """Send the request to the endpoint."""
        state = self._of(name)
        to = f"/v2/models/{name}" + (f"/versions/{check_version(version)}" if version else "")
        return self._ask(state, "POST", f"{to}/infer", request)

    def undeploy(self, name: str) -> None:
        """Stop the endpoint's processes; bentos and log stay."""
        folder = self._folder(name)
        if states.read(folder) is not None:
            with states.locked(folder):
                self._stop(folder)

    def set_traffic(self, name: str, traffic: Mapping[str, int]) -> Endpoint:
        """Other shares from now on."""
        return self._change(name, lambda rollout: rollout.split(traffic))

    def promote(self, name: str, version: str) -> Endpoint:
        """Another champion from now on."""
        return self._change(name, lambda rollout: rollout.promoted(version))

    def rollback(self, name: str) -> Endpoint:
        """The champion that was before."""
        return self._change(name, lambda rollout: rollout.rolled_back())

    def set_shadow(self, name: str, version: str | None) -> Endpoint:
        """Copies for another version from now on."""
        return self._change(name, lambda rollout: rollout.shadowed(version))

    def inferences(self, name: str) -> Path:
        """The folder of the log, after what was answered is in it."""
        self.require("log")
        log = self._folder(name) / states.INFERENCES
        state = states.read(log.parent)
        if state is None and not log.is_dir():
            self._of(name)
        if state is not None and not state.settings.log and not log.is_dir():
            raise NotFound(
                f"endpoint {name!r} has no inference log: it was deployed with log: false. "
                "Undeploy it and deploy it again"
            )
        if state is not None and self._known(state) != "stopped":
            seconds = state.settings.answer_within + self.context.deadline  # copies, then the log
            self._ask(state, "POST", "/stackyard/flush", seconds=seconds)
        return log

    def _folder(self, name: str) -> Path:
        return self._state / check_endpoint_name(name)

    def _of(self, name: str) -> State:
        state = states.read(self._folder(name))
        if state is None:
            have = ", ".join(p.parent.name for p in sorted(self._state.glob(f"*/{states.FILE}")))
            raise NotFound(f"there is no endpoint {name!r}. Endpoints: {have or 'none'}")
        return state

    def _with(self, before: State | None, name: str, version: str) -> State:
        """The state with the version in a slot of its own."""
        if before is None:
            port = self.config.port or free_port()
            return State(name, port, self.config, Rollout(version), {states.SLOTS[0]: version})
        assert before.rollout is not None
        rollout = before.rollout.added(version)
        taken = before.slot_of(rollout.champion)
        free = next(slot for slot in states.SLOTS if slot != taken)
        kept = rollout.champion
        return replace(
            before,
            rollout=rollout,
            slots={taken: kept, free: version},
            packages={kept: before.packages[kept]},
            bentos={kept: before.bentos[kept]},
        )

    def _change(self, name: str, change: Callable[[Rollout], Rollout]) -> Endpoint:
        folder = self._folder(name)
        self._of(name)
        with states.locked(folder):
            before = self._of(name)
            if before.rollout is None:
                raise Unavailable(f"endpoint {name!r}: no version got ready. Deploy it again")
            # Also what is so already: a process that was killed may not have told the endpoint.
            return self._apply(folder, before, replace(before, rollout=change(before.rollout)))

    def _apply(self, folder: Path, before: State, wanted: State, *ready: str) -> Endpoint:
        """Let the endpoint take over ``wanted``; where it cannot, it stays as it was.

        Args:
            folder: The endpoint's.
            before: What it serves.
            wanted: What it shall serve.
            ready: Versions that must be ready, besides those that get more requests than before.

        Raises:
            Unavailable: it cannot; says why.
        """
        with ExitStack() as undo:
            undo.callback(states.write, folder, before)
            states.write(folder, wanted)
            self._tell(wanted, *ready)
            undo.pop_all()
        return self._endpoint(wanted)

    def _tell(self, state: State, *ready: str) -> None:
        self._ask(state, "POST", APPLY, ready, seconds=self.config.ready_within)

    def _start(self, folder: Path, state: State, version: str) -> State:
        """Have the endpoint's processes running, and ``version`` ready if it is one of theirs.

        Returns:
            Where they are.

        Raises:
            Unavailable: they do not get ready; says why.
        """
        known = self._known(state)
        if known == "stopped" and self.config.port is None and not is_free(state.port):
            state = replace(state, port=free_port())
        if state != states.read(folder):
            states.write(folder, state)
        if known == "ready":  # what runs is never started again: that would fail requests
            self._tell(state, version)
        else:
            self._run(folder, state)
            self._tell(state, version, *([state.rollout.champion] if state.rollout else []))
        return state

    def _run(self, folder: Path, state: State) -> None:
        service = described(
            self._service_name(state.name), folder, state, self._home, self.config.ready_within
        )
        try:
            self._supervisor.up(service, owner=self.context.name)
        except Unavailable as exc:
            raise Unavailable(f"endpoint {state.name!r} does not start: {exc}") from exc

    def _stop(self, folder: Path) -> None:
        self._supervisor.down(self._service_name(folder.name))
        states.remove(folder)

    def _service_name(self, name: str) -> str:
        return service_name(self.context.name, name)

    def _ask(
        self, state: State, method: str, path: str, content: Any = None, seconds: float = 0.0
    ) -> Mapping[str, Any]:
        try:
            return ask(
                state.port, method, path, content=content, seconds=seconds or self.context.deadline
            )
        except StackyardError as exc:
            stopped = isinstance(exc, Unavailable) and self._known(state) == "stopped"
            raise type(exc)(
                f"endpoint {state.name!r}: {self._ended(state) if stopped else exc}"
            ) from exc

    def _endpoint(self, state: State) -> Endpoint:
        rollout = state.rollout
        if rollout is None:  # its first version is getting ready
            return Endpoint(state.name, state.url, "starting")
        status, reason = self._health(state, rollout)
        return Endpoint.of(state.name, state.url, status, rollout, reason)

    def _known(self, state: State) -> Health:
        """What is known of the processes without asking them."""
        return self._supervisor.health(self._service_name(state.name))[0]

    def _ended(self, state: State) -> str:
        log = self._supervisor.log(self._service_name(state.name), "bentoml")
        return f"its processes have ended; log: {log}. Deploy it again"

    def _health(self, state: State, rollout: Rollout) -> tuple[Status, str]:
        """Whether the champion answers, and what does not work."""
        known = self._known(state)
        if known in ("stopped", "broken"):
            return "stopped", self._ended(state)
        status: Status = "starting" if known == "starting" else "failed"
        try:
            for version in rollout.versions:
                self._ask(state, "GET", f"/v2/models/{state.name}/versions/{version}/ready")
                status = "ready"  # the champion is first
            lacks = self._ask(state, "GET", "/stackyard/health")
        except (Unavailable, NotFound) as exc:
            return status, str(exc)
        left_out = [f"{lacks[what]} {what}" for what in ("answers", "copies") if lacks[what]]
        if not left_out:
            return "ready", ""
        why = f": {lacks['fault']}" if lacks["fault"] else ", for which there was no room"
        return "ready", f"the inference log lacks {' and '.join(left_out)}{why}"
