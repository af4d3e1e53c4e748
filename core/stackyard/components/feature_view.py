"""What a feature view is: as it is defined, and as a store describes it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, TypeAlias, get_args

from stackyard.errors import InvalidInput, suggest

FeatureType: TypeAlias = Literal["int64", "float64", "bool", "string", "timestamp"]
TYPES: tuple[str, ...] = get_args(FeatureType)
ENTITY_TYPES = ("int64", "string")

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")


@dataclass(frozen=True)
class FeatureView:
    """A named group of features of one entity, as it is defined in a feature store.

    Attributes:
        name: The view's name.
        entity: The columns that together name an entity, e.g. ``("origin",)``.
        features: The names of the features.
        ttl: Seconds for which a value stays true; None for ever. A value of exactly that age
            still counts.
        digest: Identity of the definition: another definition, another digest.
    """

    name: str
    entity: tuple[str, ...]
    features: tuple[str, ...]
    ttl: float | None = None
    digest: str = ""


@dataclass(frozen=True)
class ViewDefinition:
    """What ``apply`` makes a view of: kept with the pipeline, in Python or YAML.

    Attributes:
        name: The view's name.
        entity: Types of the columns that name an entity, by name: ``int64`` or ``string``.
        features: Types of the features, by name.
        timestamp: The column that says since when a row is true.
        ttl: Seconds for which a value stays true; None for ever.
        source: Where the rows are: a path, relative to the project, or an address that the store
            understands. Empty: the store keeps them itself, and ``write`` puts them there.
        description: For people.

    Raises:
        InvalidInput: a name or a type cannot be, or a column has two meanings.
    """

    name: str
    entity: Mapping[str, FeatureType]
    features: Mapping[str, FeatureType]
    timestamp: str
    ttl: float | None = None
    source: str = ""
    description: str = ""

    def __post_init__(self) -> None:
        where = f"view {self.name!r}"
        columns = [*self.entity, *self.features, self.timestamp]
        for name in (self.name, *columns):
            if not (isinstance(name, str) and _NAME.fullmatch(name)):
                raise InvalidInput(
                    f"{where}: {name!r} is no name: a letter, then letters, digits and '_'"
                )
        for what, types, allowed in (
            ("entity", self.entity, ENTITY_TYPES), ("features", self.features, TYPES),
        ):  # fmt: skip
            if not types:
                raise InvalidInput(f"{where}: {what}: name at least one column with its type")
            for column, kind in types.items():
                if kind not in allowed:
                    raise InvalidInput(
                        f"{where}: {what}: {column}: {kind!r} is no type. Types: "
                        f"{', '.join(allowed)}.{suggest(str(kind), allowed)}"
                    )
        twice = sorted({name for name in columns if columns.count(name) > 1})
        if twice:
            raise InvalidInput(f"{where}: column {twice[0]!r} stands twice")
        if self.ttl is not None and not 0 < self.ttl < 3.2e9:  # a hundred years
            raise InvalidInput(f"{where}: ttl: {self.ttl!r} is no number of seconds above 0")

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> ViewDefinition:
        """Make a definition of plain data, as ``read_views`` gives it.

        ``ttl`` may also be text: ``"3h"``.

        Raises:
            InvalidInput: a key is unknown or missing, or as the constructor.
        """
        from stackyard.options import seconds

        name = f"view {given.get('name', '')!r}"
        known = {f.name: f for f in fields(cls)}
        for key in given:
            if key not in known:
                have = ", ".join(known)
                raise InvalidInput(
                    f"{name}: unknown key {key!r}. Keys: {have}.{suggest(key, tuple(known))}"
                )
        for key in ("name", "entity", "features", "timestamp"):
            if key not in given:
                raise InvalidInput(f"{name}: missing key {key!r}")
        for key in ("entity", "features"):
            if not isinstance(given[key], Mapping):
                raise InvalidInput(f"{name}: {key}: {given[key]!r} does not map columns to types")
        values = dict(given)
        if values.get("ttl") is not None:
            try:
                values["ttl"] = seconds(values["ttl"])
            except ValueError as exc:
                raise InvalidInput(f"{name}: ttl: {exc}") from exc
        return cls(**values)

    def plain(self) -> dict[str, Any]:
        """The definition as plain data: ``ViewDefinition.of`` makes an equal one of it."""
        return asdict(self) | {"entity": dict(self.entity), "features": dict(self.features)}

    @property
    def digest(self) -> str:
        """Identity of what the definition says; its description does not count."""
        import blake3

        said = self.plain()
        del said["description"]
        return blake3.blake3(json.dumps(said, sort_keys=True).encode()).hexdigest()

    @property
    def view(self) -> FeatureView:
        """The view that a store makes of it."""
        return FeatureView(
            self.name, tuple(self.entity), tuple(self.features), self.ttl, self.digest
        )
