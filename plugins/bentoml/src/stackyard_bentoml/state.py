"""What an endpoint serves, as a file that its processes and every component read.

Components write it, one at a time. The endpoint's processes read it when they start, and when they
are told that it has changed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from stackyard.components.registry import ModelPackage
from stackyard.components.rollout import Rollout
from stackyard.locking import locked as locked_file
from stackyard.models import signature_from
from stackyard.whole_file import write_whole
from stackyard_bentoml.config import BentomlConfig

FILE = "endpoint.json"
INFERENCES = "inferences"
SLOTS = ("a", "b")


@dataclass(frozen=True)
class State:
    """One endpoint.

    Attributes:
        name: The endpoint's name.
        port: Where it listens on loopback.
        settings: Of the component that made it.
        rollout: Its versions and their shares; None before the first one is ready.
        slots: The version that each of the two model processes has.
        packages: The model of each version in ``slots``, in a folder of BentoML's model store.
        bentos: The bento of each of them.
    """

    name: str
    port: int
    settings: BentomlConfig
    rollout: Rollout | None = None
    slots: Mapping[str, str] = field(default_factory=dict)
    packages: Mapping[str, ModelPackage] = field(default_factory=dict)
    bentos: Mapping[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        """Where the endpoint answers."""
        return f"http://127.0.0.1:{self.port}"

    def slot_of(self, version: str) -> str:
        """The process that has a version."""
        return next(slot for slot, has in self.slots.items() if has == version)


def read(folder: Path) -> State | None:
    """The endpoint of ``folder``; None where there is none."""
    try:
        data = json.loads((folder / FILE).read_bytes())
    except FileNotFoundError:
        return None
    rollout = data.pop("rollout")
    packages = {version: package_of(one) for version, one in data.pop("packages").items()}
    return State(
        settings=BentomlConfig(**data.pop("settings")),
        rollout=None if rollout is None else Rollout(**rollout),
        packages=packages,
        **data,
    )


def write(folder: Path, state: State) -> None:
    """Put the file in its place, whole; only its owner may change what is served."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    write_whole(folder / FILE, json.dumps(asdict(state), indent=1))


def remove(folder: Path) -> None:
    """Forget the endpoint; its inference log stays."""
    (folder / FILE).unlink(missing_ok=True)


def package_of(data: Mapping[str, Any]) -> ModelPackage:
    """A package from what ``asdict`` made of it."""
    signature = data["signature"]
    return ModelPackage(
        data["format"],
        data["uri"],
        data["digest"],
        signature and signature_from(signature),
        tuple(data["requirements"]),
    )


def locked(folder: Path) -> AbstractContextManager[None]:
    """Only one process at a time changes an endpoint; a dead one holds no lock."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return locked_file(folder / ".lock")
