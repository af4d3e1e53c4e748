"""The feature store kind: features by entity and time, without looking into the future."""

from __future__ import annotations

import json
import uuid
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, TypeAlias

from stackyard.components.base import Component
from stackyard.components.feature_view import FeatureType as FeatureType
from stackyard.components.feature_view import FeatureView as FeatureView
from stackyard.components.feature_view import ViewDefinition as ViewDefinition
from stackyard.errors import InvalidInput, NotFound, suggest

if TYPE_CHECKING:
    import pandas as pd

JobStatus: TypeAlias = Literal["running", "succeeded", "failed", "cancelled"]


@dataclass(frozen=True)
class FeaturesUsed:
    """Which features a step had: written into its record.

    Attributes:
        features: As ``view:feature``.
        views: Digests of the definitions, by name.
        rows: How many rows were asked about.
        known: For how many of them each feature had a value.
    """

    features: tuple[str, ...]
    views: Mapping[str, str] = field(default_factory=dict)
    rows: int = 0
    known: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class FeatureJob:
    """Long work that goes on without this process; ``id`` is the store's own."""

    id: str
    status: JobStatus
    error: str = ""


class FeatureStore(Component):
    """Contract of a feature store; ``describe`` and ``historical`` are what every one has.

    Capabilities: ``apply``, ``write``, ``materialize``, ``online``, ``teardown``,
    ``by_reference``, ``jobs``. A feature is written ``view:feature``.
    """

    kind: ClassVar[str] = "feature_store"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "apply": ("apply",),
        "write": ("write",),
        "materialize": ("materialize",),
        "online": ("online",),
        "teardown": ("teardown",),
        "by_reference": ("historical_by_reference",),
        "jobs": ("submit", "poll", "cancel"),
    }

    @abstractmethod
    def describe(self) -> Sequence[FeatureView]:
        """The views there are, by name."""

    @abstractmethod
    def historical(
        self, rows: pd.DataFrame, features: Sequence[str], *, timestamp: str
    ) -> pd.DataFrame:
        """Join ``features`` as they were known at each row's ``timestamp``.

        Args:
            rows: one row for each question, with the columns of the views' entities. Repeated
                rows, unknown entities and null timestamps are allowed.
            features: ``view:feature``; a result column is named after the feature.
            timestamp: the column of ``rows`` with the moment of the question: datetimes, in UTC
                where they have no time zone.

        Returns:
            ``rows`` as they were, in order and with their index, and one column for each feature:
            of the newest value at or before the moment that is not older than the view's ``ttl``,
            null where there is none; never of a later one. Call ``self.note_features(...)``.

        Raises:
            NotFound: there is no such view or feature; lists what there is.
            InvalidInput: a column is missing, two results would have one name, or the timestamps
                are no datetimes.
        """

    def state(self) -> str | None:
        """A text that changes whenever ``historical`` may answer otherwise; opens nothing heavy.

        It joins the cache key of steps that read features. None, for a store that cannot tell:
        then such a step is run in every run, unless it says ``cache=``. A ComponentError counts as
        None, and is logged.
        """
        return None

    def apply(self, definitions: Sequence[ViewDefinition]) -> Sequence[FeatureView]:
        """Define views, or define them anew; other views stay (capability ``apply``).

        The same definition again changes nothing; of several processes none loses a view.

        Raises:
            InvalidInput: a definition cannot be; nothing was changed.
        """
        self.require("apply")
        raise NotImplementedError

    def write(self, view: str, rows: pd.DataFrame) -> None:
        """Add rows to the source of a view that the store keeps itself (capability ``write``).

        The same rows again change nothing; of two rows with one entity and time, the one written
        later counts.

        Raises:
            NotFound: there is no such view.
            InvalidInput: a column is missing or of another type.
        """
        self.require("write")

    def materialize(
        self, until: datetime, *, since: datetime | None = None, views: Sequence[str] | None = None
    ) -> Mapping[str, datetime]:
        """Bring the newest values up to ``until`` to the online side (capability ``materialize``).

        Without ``since``, from where the last one ended. Again, it changes nothing.

        Returns:
            Up to when each of the views is online: ``until``, or later where it was so before.
        """
        self.require("materialize")
        raise NotImplementedError

    def online(self, rows: pd.DataFrame, features: Sequence[str]) -> pd.DataFrame:
        """Join the newest materialized values to entities (capability ``online``).

        Returns:
            ``rows`` in order with one column for each feature, null where nothing is known.

        Raises:
            NotFound, InvalidInput: as ``historical``.
        """
        self.require("online")
        raise NotImplementedError

    def teardown(self) -> None:
        """Remove the views and what was materialized (capability ``teardown``).

        Rows of sources that the store does not keep itself stay.
        """
        self.require("teardown")

    def historical_by_reference(
        self, rows: Path, features: Sequence[str], *, timestamp: str, target: Path
    ) -> Path:
        """``historical`` from a Parquet file to a new one (capability ``by_reference``).

        A store whose rows need not pass through this process says how.
        """
        self.require("by_reference")
        import pandas as pd

        joined = self.historical(pd.read_parquet(rows), features, timestamp=timestamp)
        joined.to_parquet(target)
        return target

    def submit(
        self, rows: Path, features: Sequence[str], *, timestamp: str, target: Path
    ) -> FeatureJob:
        """Begin ``historical_by_reference`` as a job (capability ``jobs``).

        A step that is tried again, or resumed in another process, gets the job that is under way
        instead of a second one: the id is that of ``job_id``, and given to the backend.
        """
        self.require("jobs")
        raise NotImplementedError

    def job_id(self, rows: Path, features: Sequence[str], *, timestamp: str, target: Path) -> str:
        """The id of the job that ``submit`` is asked for; for implementations.

        It is claimed before anything is submitted: the run's step that asks the same again gets
        the same id, from whichever process. Let the backend have it, as the key of a request that
        counts once or as a label to look for, because a worker may be killed before it submits
        and after it did.
        """
        made = uuid.uuid4().hex
        if self.context.claims is None:
            return made
        import blake3

        asked = [self.context.step, str(rows), *features, timestamp, str(target)]
        digest = blake3.blake3(json.dumps([self.context.name, *asked]).encode()).hexdigest()
        return self.context.claims.claim(f"features-{digest[:32]}", made)

    def poll(self, job: str) -> FeatureJob:
        """How a job stands (capability ``jobs``).

        Raises:
            NotFound: there is no such job.
        """
        self.require("jobs")
        raise NotImplementedError

    def cancel(self, job: str) -> FeatureJob:
        """Stop a job; one that has ended stays as it ended (capability ``jobs``)."""
        self.require("jobs")
        raise NotImplementedError

    def note_features(
        self, features: Sequence[str], views: Sequence[FeatureView], joined: pd.DataFrame
    ) -> None:
        """Write into the record of the step which features it had, by which definitions.

        Args:
            features: what was asked for.
            views: what there is, as ``describe`` says.
            joined: the rows with a column for each feature.
        """
        asked = by_view(features, views)
        used = {view.name: view.digest for view in views if view.name in asked}
        known = {text: int(joined[text.partition(":")[2]].notna().sum()) for text in features}
        self.note(FeaturesUsed(tuple(features), used, len(joined), known))


def by_view(
    features: Sequence[str], views: Sequence[FeatureView]
) -> dict[str, tuple[FeatureView, list[str]]]:
    """Sort ``view:feature`` by view: each view with its features that are asked for.

    Raises:
        NotFound: there is no such view or feature; lists what there is.
        InvalidInput: nothing is asked for, or two features would have one name.
    """
    if not features:
        raise InvalidInput("features: name at least one, as 'view:feature'")
    known = {view.name: view for view in views}
    asked: dict[str, tuple[FeatureView, list[str]]] = {}
    seen: dict[str, str] = {}
    for text in features:
        name, _, feature = text.partition(":")
        view = known.get(name)
        if view is None:
            have = ", ".join(sorted(known)) or "none"
            raise NotFound(
                f"feature {text!r}: there is no view {name!r}. Views: {have}."
                f"{suggest(name, list(known))}"
            )
        if feature not in view.features:
            have = ", ".join(view.features)
            raise NotFound(
                f"feature {text!r}: view {name!r} has no feature {feature!r}. Features: {have}."
                f"{suggest(feature, view.features)}"
            )
        if feature in seen:
            raise InvalidInput(
                f"features {seen[feature]!r} and {text!r} would both be the column {feature!r}"
            )
        seen[feature] = text
        asked.setdefault(name, (view, []))[1].append(feature)
    return asked
