"""What must be known of a view to join its features, and the file that remembers it.

Feast's registry is the truth. Reading it means importing Feast, which takes seconds; so what it
says is remembered in a file, together with the digest of the registry that said it.
"""

from __future__ import annotations

import glob
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stackyard.components.feature_store import FeatureView, ViewDefinition
from stackyard.whole_file import write_whole

FORMAT = 1


@dataclass(frozen=True)
class KnownView:
    """One view of a Feast registry.

    ``source`` is a file or a pattern of files; ``columns`` names a feature's column there where it
    has another name; ``kept`` tells that the rows are the store's own; ``trouble`` says why
    features of the view cannot be joined.
    """

    name: str
    entity: Mapping[str, str]
    features: Mapping[str, str]
    timestamp: str = ""
    created: str = ""
    ttl: float | None = None
    source: str = ""
    digest: str = ""
    kept: bool = False
    columns: Mapping[str, str] = field(default_factory=dict)
    trouble: str = ""

    @property
    def view(self) -> FeatureView:
        """As the contract describes it."""
        return FeatureView(
            self.name, tuple(self.entity), tuple(self.features), self.ttl, self.digest
        )

    @property
    def definition(self) -> ViewDefinition:
        """A definition with its columns, for the rows that are written to it."""
        entity: Any = dict(self.entity)
        features: Any = dict(self.features)
        return ViewDefinition(self.name, entity, features, self.timestamp, self.ttl)

    @property
    def folder(self) -> Path:
        """Where the rows of a kept view are."""
        return Path(self.source).parent


def files(view: KnownView) -> list[str]:
    """What the rows of a view are made of, as text that changes when they do.

    For rows of the store's own the names of the files, which are never changed.
    """
    if view.kept:
        return [path.name for path in paths(view)]
    return [f"{p.name} {s.st_size} {s.st_mtime_ns}" for p in paths(view) for s in [p.stat()]]


def paths(view: KnownView) -> list[Path]:
    """The files with the rows of a view."""
    whole = Path(view.source)
    return [whole] if whole.is_file() else sorted(whole.parent.glob(whole.name))


def digest_of(registry: Path) -> str:
    """Digest of a registry's file; empty where there is none."""
    import blake3

    try:
        return blake3.blake3(registry.read_bytes()).hexdigest()
    except FileNotFoundError:
        return ""


def pattern(view: KnownView) -> str:
    """The files of ``paths`` as DuckDB finds them, whatever folders are called."""
    whole = Path(view.source)
    if whole.is_file():
        return glob.escape(view.source)
    return f"{glob.escape(str(whole.parent))}/{whole.name}"


def remember(file: Path, registry: Path, digest: str, views: Mapping[str, KnownView]) -> None:
    """Write what ``registry`` says, and the digest that it had."""
    said = {
        "format": FORMAT,
        "registry": str(registry),
        "digest": digest,
        "views": [asdict(view) for view in views.values()],
    }
    write_whole(file, json.dumps(said))


def recall(
    file: Path, registry: Path | None = None, *, changed: bool = False
) -> dict[str, KnownView] | None:
    """The views, unless the registry changed since they were written; None where it did.

    Without ``registry`` it is the one that they were read from; with ``changed`` it may have.
    """
    try:
        said = json.loads(file.read_bytes())
        found = registry or Path(said["registry"])
        if said["format"] != FORMAT or said["registry"] != str(found):  # moved, with its sources
            return None
        if not changed and said["digest"] != digest_of(found):
            return None
        return {row["name"]: KnownView(**row) for row in said["views"]}
    except (FileNotFoundError, ValueError, KeyError, TypeError):  # made anew from the registry
        return None
