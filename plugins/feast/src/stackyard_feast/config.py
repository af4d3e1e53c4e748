"""What a stack file may say about Feast."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FeastConfig:
    """Where Feast keeps its things.

    Attributes:
        path: Folder of registry, online database and rows, relative to the project. Left out:
            the component's own in ``.stackyard/state``.
        repo: Folder of an existing Feast repository, the one with ``feature_store.yaml``, relative
            to the project. Its offline store has to be ``duckdb``.
    """

    path: str | None = None
    repo: str | None = None

    def __post_init__(self) -> None:
        if self.path is not None and self.repo is not None:
            raise ValueError("repo: a Feast repository says itself where its things are; drop path")
