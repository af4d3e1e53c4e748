"""The feature store kind: features by entity and time, without looking into the future."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from stackyard.components.base import Component

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class FeatureView:
    """A named group of features of one entity; ``ttl`` is seconds, None for no limit."""

    name: str
    entity: tuple[str, ...]
    features: tuple[str, ...]
    ttl: float | None = None


class FeatureStore(Component):
    """Contract of a feature store.

    Capabilities: ``online``, ``apply``, ``materialize``, ``teardown``, ``by_reference``, ``jobs``.
    """

    kind: ClassVar[str] = "feature_store"

    @abstractmethod
    def describe(self) -> Sequence[FeatureView]:
        """The views there are."""

    @abstractmethod
    def historical(
        self, rows: pd.DataFrame, features: Sequence[str], *, timestamp: str
    ) -> pd.DataFrame:
        """Join ``features`` (``view:feature``) as they were known at each row's ``timestamp``.

        Every row is kept, in order, with nulls where nothing was known and never a later value.
        """
