"""Which versions an endpoint has, and what share of the requests each of them gets.

Every server keeps the same rules, so they are here, as plain data without a server: a champion, and
at most one other version beside it, which waits, gets a share, or only watches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from stackyard.errors import Conflict, InvalidInput, NotFound


@dataclass(frozen=True)
class Rollout:
    """The versions behind an endpoint.

    Attributes:
        champion: The version that gets what the other one does not.
        beside: The other version that is ready, if there is one.
        percent: How many of 100 requests ``beside`` gets.
        watching: Whether ``beside`` sees a copy of every request; nobody sees its answers.
        dethroned: Whether ``beside`` was the champion before the last promotion, so that a rollback
            makes it the champion again.
    """

    champion: str
    beside: str | None = None
    percent: int = 0
    watching: bool = False
    dethroned: bool = False

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that are ready, the champion first."""
        return (self.champion,) if self.beside is None else (self.champion, self.beside)

    @property
    def traffic(self) -> dict[str, int]:
        """Percent by version; the sum is 100."""
        if self.beside is None:
            return {self.champion: 100}
        return {self.champion: 100 - self.percent, self.beside: self.percent}

    @property
    def shadow(self) -> str | None:
        """The version that only watches."""
        return self.beside if self.watching else None

    @property
    def previous(self) -> str | None:
        """The version that was the champion before the last promotion."""
        return self.beside if self.dethroned else None

    def added(self, version: str) -> Rollout:
        """With ``version`` beside the champion, where it gets no requests yet.

        Raises:
            Conflict: the version whose place it would take gets requests or their copies.
        """
        if version in self.versions:
            return self
        if self.percent or self.watching:
            does = "watches" if self.watching else f"gets {self.percent} % of the requests"
            raise Conflict(
                f"version {self.beside} {does}; beside the champion {self.champion} there is room "
                f"for one version. Promote {self.beside} or roll back first"
            )
        return Rollout(self.champion, version)

    def split(self, traffic: Mapping[str, int]) -> Rollout:
        """With other shares. A version that is not named gets none; one that gets any stops
        watching.

        Raises:
            NotFound: a version is not ready here.
            InvalidInput: a share is no whole number of percent, or the sum is not 100.
        """
        for version, share in traffic.items():
            self._known(version)
            if isinstance(share, bool) or not isinstance(share, int) or not 0 <= share <= 100:
                raise InvalidInput(
                    f"traffic of version {version}: {share!r} is no share. Write whole percents "
                    "from 0 to 100"
                )
        if sum(traffic.values()) != 100:
            said = ", ".join(f"{version}={share}" for version, share in traffic.items())
            raise InvalidInput(
                f"traffic {said or 'of nobody'}: the sum is {sum(traffic.values())}, not 100"
            )
        percent = traffic.get(self.beside, 0) if self.beside is not None else 0
        if percent == 0:
            return replace(self, percent=0)
        return replace(self, percent=percent, watching=False, dethroned=False)

    def promoted(self, version: str) -> Rollout:
        """With ``version`` as the champion that gets everything; the other one stays ready.

        Raises:
            NotFound: it is not ready here.
        """
        self._known(version)
        if version == self.champion:
            return replace(self, percent=0, watching=False)
        return Rollout(version, self.champion, dethroned=True)

    def rolled_back(self) -> Rollout:
        """As before: the champion gets everything, or the one before the last promotion does.

        Raises:
            Conflict: there is nothing to take back.
        """
        if self.percent or self.watching:
            return replace(self, percent=0, watching=False)
        if self.dethroned and self.beside is not None:
            return Rollout(self.beside, self.champion)
        raise Conflict(
            f"there is nothing to roll back: version {self.champion} gets every request and was "
            "not promoted over one that is still ready"
        )

    def shadowed(self, version: str | None) -> Rollout:
        """With ``version`` watching; with None, nobody.

        Raises:
            NotFound: it is not ready here.
            Conflict: it gets requests already.
        """
        if version is None:
            return replace(self, watching=False)
        self._known(version)
        if share := self.traffic[version]:
            raise Conflict(
                f"version {version} gets {share} % of the requests, so it cannot only watch. "
                "Give its share to the other version first"
            )
        return replace(self, watching=True, dethroned=False)

    def _known(self, version: str) -> None:
        if version not in self.versions:
            have = ", ".join(self.versions)
            raise NotFound(f"there is no version {version!r} here. Versions: {have}")


@dataclass(frozen=True)
class RolloutChange:
    """What was changed at an endpoint, as the history and a step's record have it.

    Attributes:
        name: of the endpoint.
        change: ``deployed``, ``traffic``, ``canary``, ``shadow``, ``shadow ended``, ``live``,
            ``rolled back`` or ``undeployed``.
        version: that it was about; empty for all of them.
        traffic: percent of the requests by version, then.
        why: on what evidence, in one line.
        actor: who did it.
        time: seconds since the epoch.
        run: of Stackyard, None where a person did it by hand.
        step: of that run.
    """

    name: str
    change: str
    version: str
    traffic: Mapping[str, int]
    why: str
    actor: str
    time: float
    run: str | None = None
    step: str | None = None
