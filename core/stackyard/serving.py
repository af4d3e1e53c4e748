"""The ready-made steps of a rollout: serve a version beside the champion, judge it, go on or back.

``deploy``, then ``canary`` or ``shadow``, then ``judge`` (in ``judging``), then ``go_live`` or
``roll_back``.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from stackyard.components.registry import ModelPackage, ModelVersion, Registry
from stackyard.components.server import Endpoint, Server, endpoint_name
from stackyard.errors import Conflict, InvalidInput
from stackyard.execute import current
from stackyard.gating.reasons import as_reason
from stackyard.gating.report import GateReport
from stackyard.gating.trial_report import TrialReport
from stackyard.pipeline import step
from stackyard.rollout_history import remember
from stackyard.signature import from_stack


class Deployed(NamedTuple):
    """What ``deploy`` gives: ``alone`` for ``when``, and the endpoint as it was then."""

    alone: bool  # it gets every request, as no other version does
    endpoint: Endpoint


@dataclass(frozen=True)
class Trial:
    """A version on trial.

    Attributes:
        endpoint: where it is served.
        version: that is on trial.
        champion: that it is held against.
        percent: of the requests that it gets; 0 where it only watches.
        since: when the trial began, seconds since the epoch.
    """

    endpoint: str
    version: str
    champion: str
    percent: int
    since: float


@step(effect=True)
def deploy(
    version: ModelVersion,
    endpoint: str = "",
    *,
    registry: Registry = from_stack(),
    server: Server = from_stack(),
) -> Deployed:
    """Serve a version: the first one of an endpoint to all, a further one beside the champion.

    Args:
        version: of the registry, e.g. what ``register`` or ``champion`` gives.
        endpoint: its name; by default the model's, ``flight_delays`` gives ``flight-delays``.
        registry: given by the stack.
        server: given by the stack.

    Raises:
        Conflict: the place beside the champion is taken by a version that gets requests.
        Unavailable: it did not get ready; what was served before still is.
    """
    made = server.deploy(_fetched(version, registry), _name(version, endpoint), version.version)
    _told(server, made, "deployed", version.version)
    return Deployed(made.traffic.get(version.version) == 100, made)


@step(effect=True)
def canary(
    version: ModelVersion, percent: int, endpoint: str = "", *, server: Server = from_stack()
) -> Trial:
    """Give a version that is ready a part of the requests; the champion gets the others.

    Args:
        version: that was deployed.
        percent: of the requests, 1 to 99.
        endpoint: its name; by default the model's.
        server: given by the stack.

    Raises:
        InvalidInput: the share is none of a canary, or the version is the champion already.
        NotFound: there is no such endpoint, or the version is not ready there.
    """
    if not 1 <= percent <= 99:
        raise InvalidInput(f"percent is {percent}: a canary gets 1 to 99 of 100 requests")
    champion, name = _beside(version, endpoint, server)
    began = time.time()
    made = server.set_traffic(name, {champion: 100 - percent, version.version: percent})
    _told(server, made, "canary", version.version)
    return Trial(name, version.version, champion, percent, began)


@step(effect=True)
def shadow(version: ModelVersion, endpoint: str = "", *, server: Server = from_stack()) -> Trial:
    """Send a version that is ready a copy of every request; nobody sees its answers.

    Args:
        version: that was deployed.
        endpoint: its name; by default the model's.
        server: given by the stack.

    Raises:
        InvalidInput: the version is the champion already.
        NotFound: there is no such endpoint, or the version is not ready there.
        Unsupported: the server has no shadows.
    """
    champion, name = _beside(version, endpoint, server)
    began = time.time()
    made = server.set_shadow(name, version.version)
    _told(server, made, "shadow", version.version)
    return Trial(name, version.version, champion, 0, began)


@step(effect=True)
def go_live(
    trial: Trial, because: TrialReport | GateReport | str = "", *, server: Server = from_stack()
) -> Endpoint:
    """Make the version on trial the champion, which gets every request.

    Args:
        trial: of the version.
        because: on what evidence, for the record.
        server: given by the stack.

    Raises:
        Conflict: another version became the champion meanwhile.
        NotFound: it is not served any more.
    """
    now = server.status(trial.endpoint).champion
    if now not in (trial.champion, trial.version):
        raise Conflict(
            f"endpoint {trial.endpoint!r}: version {trial.version} was held against "
            f"{trial.champion}, and the champion is {now}. Begin another trial"
        )
    made = server.promote(trial.endpoint, trial.version)
    _told(server, made, "live", trial.version, because)
    return made


@step(effect=True)
def roll_back(
    trial: Trial, because: TrialReport | GateReport | str = "", *, server: Server = from_stack()
) -> Endpoint:
    """Let the champion have every request again, and the version on trial none.

    Also after it went live, as long as the champion before it is ready; where ``promote`` has moved
    an alias of the registry, that stays. Done twice, it does nothing more.

    Args:
        trial: of the version.
        because: on what evidence, for the record.
        server: given by the stack.

    Raises:
        NotFound: the endpoint is gone.
        Conflict: it went live, and the champion before it is gone.
    """
    made = server.status(trial.endpoint)
    if made.champion == trial.version and made.previous != trial.champion:
        raise Conflict(
            f"endpoint {trial.endpoint!r}: version {trial.version} is the champion, and "
            f"{trial.champion}, which was before it, is not ready any more"
        )
    if trial.version in (made.champion, made.shadow) or made.traffic.get(trial.version):
        made = server.rollback(trial.endpoint)
    _told(server, made, "rolled back", trial.version, because)
    return made


def _beside(version: ModelVersion, endpoint: str, server: Server) -> tuple[str, str]:
    """The champion that a version is to be held against, and the endpoint's name."""
    name = _name(version, endpoint)
    champion = server.status(name).champion
    if champion == version.version:
        raise InvalidInput(f"endpoint {name!r}: version {champion} is the champion already")
    return champion, name


def _name(version: ModelVersion, endpoint: str) -> str:
    return endpoint or endpoint_name(version.name)


def _fetched(version: ModelVersion, registry: Registry) -> ModelPackage:
    """The package as files on this machine."""
    here = current()
    prefix, _, digest = version.package.uri.partition(":")
    if prefix == "artifact" and here is not None:
        return replace(version.package, uri=str(here.fetch(digest)))
    if Path(version.package.uri).is_dir():
        return version.package
    return registry.fetch(version)


def _told(
    server: Server,
    made: Endpoint,
    change: str,
    version: str,
    because: TrialReport | GateReport | str = "",
) -> None:
    """Say what was changed, and write it into the history and the step's record."""
    why = as_reason(because)
    shares = ", ".join(f"{one} {share} %" for one, share in made.traffic.items())
    print(f"{made.name}: version {version} {change}: {shares}{f' ({why})' if why else ''}")
    change_made = remember(server, made.name, change, version, made.traffic, why)
    here = current()
    if here is not None:
        here.note(change_made)
