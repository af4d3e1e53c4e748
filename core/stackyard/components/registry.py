"""The registry kind: named models, their versions, and aliases that say which one is in use."""

from __future__ import annotations

import re
import time
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from stackyard.components.base import Component, actor
from stackyard.errors import InvalidInput

# Both reach addresses and paths of every tool, so they are held to what all of them take.
MODEL_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")
ALIAS = re.compile(r"[A-Za-z0-9_-]{1,100}")
RESERVED_ALIAS = re.compile(r"latest|v\d+", re.IGNORECASE)


@dataclass(frozen=True)
class Field:
    """One input or output of a model, in the words of the Open Inference Protocol V2.

    ``shape`` counts -1 for the batch; categories and text are ``BYTES``.
    """

    name: str
    datatype: str  # BOOL, INT8..INT64, UINT8..UINT64, FP16, FP32, FP64, BYTES
    shape: tuple[int, ...] = (-1,)


@dataclass(frozen=True)
class Signature:
    """What a model takes and gives."""

    inputs: tuple[Field, ...]
    outputs: tuple[Field, ...] = ()


@dataclass(frozen=True)
class ModelPackage:
    """A model on its way between registry, server and monitor.

    ``format`` says how to read the folder at ``uri`` (``sklearn-skops``, ``mlflow``, ...): a local
    path, ``artifact:<digest>`` in the store, or an address that only its registry can ``fetch``.
    ``digest`` is BLAKE3 over the folder's manifest and is checked before anything is loaded;
    ``requirements`` are pinned as in a requirements file.
    """

    format: str
    uri: str
    digest: str
    signature: Signature | None = None
    requirements: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelVersion:
    """One version of a named model. ``version`` is text in every registry."""

    name: str
    version: str
    package: ModelPackage
    aliases: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)
    run: str | None = None  # the Stackyard run that made it
    url: str = ""


@dataclass(frozen=True)
class AliasChange:
    """One change of an alias, as the history has it.

    Attributes:
        name: of the model.
        alias: that was changed.
        before: the version it was at, None where it was not.
        after: the version it is at, None where it was removed.
        why: on what evidence, in one line.
        actor: who did it.
        time: seconds since the epoch.
        run: of Stackyard, None where a person did it by hand.
        step: of that run.
    """

    name: str
    alias: str
    before: str | None
    after: str | None
    why: str
    actor: str
    time: float
    run: str | None = None
    step: str | None = None


@dataclass(frozen=True)
class Promotion:
    """How a request for an alias stands; ``id`` is the registry's own."""

    status: Literal["granted", "pending", "refused"]
    id: str = ""
    reason: str = ""


class Registry(Component):
    """Contract of a model registry. Capabilities: ``alias``, ``request``.

    A registry with ``alias`` moves one at once, through ``move_alias``. One with ``request`` is
    asked, and people or rules of its own decide.
    """

    kind: ClassVar[str] = "registry"
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "alias": ("set_alias", "delete_alias", "move_alias"),
        "request": ("request_alias", "promotion"),
    }

    @abstractmethod
    def register(
        self,
        name: str,
        package: ModelPackage,
        *,
        alias: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Add a version of ``name``, making the name if it is new, and point ``alias`` at it.

        The same digest under the same name from the same run gives the version that there is, so
        that a step which is tried again does not register twice.

        Raises:
            InvalidInput: the package cannot be read, or the name is refused.
            DigestMismatch: the folder is not what the digest says.
            Unavailable: the backend did not answer within ``context.deadline``.
        """

    @abstractmethod
    def get(
        self, name: str, version: str | None = None, *, alias: str | None = None
    ) -> ModelVersion:
        """Return a version by number or alias, the newest where neither is given.

        Raises:
            NotFound: there is no such model, version or alias; lists what there is.
        """

    @abstractmethod
    def fetch(self, version: ModelVersion) -> ModelPackage:
        """Bring the package of ``version`` to this machine: ``uri`` of the result is a local path.

        Raises:
            NotFound: the version or its files are gone.
            DigestMismatch: the files are not those that were registered.
        """

    @abstractmethod
    def list(self, name: str | None = None) -> Sequence[ModelVersion]:
        """Versions, newest first, of one model or of all."""

    def set_alias(self, name: str, alias: str, version: str, *, why: str = "") -> None:
        """Point ``alias`` of ``name`` at ``version``, moving it (capability ``alias``).

        The change goes into the history, with ``why``.

        Raises:
            NotFound: there is no such model or version.
            InvalidInput: an alias may not be called so.
        """
        self.require("alias")
        check_alias(alias)
        before = self.pointed(name, alias)
        self.move_alias(name, alias, version)
        self._changed(name, alias, before, version, why)

    def delete_alias(self, name: str, alias: str, *, why: str = "") -> None:
        """Remove ``alias``; nothing happens where there is none (capability ``alias``).

        Raises:
            NotFound: there is no such model.
        """
        self.require("alias")
        before = self.pointed(name, alias)
        if before is not None:
            self.move_alias(name, alias, None)
            self._changed(name, alias, before, None, why)

    def move_alias(self, name: str, alias: str, version: str | None) -> None:
        """Point ``alias`` at ``version``, or remove it for None: what ``set_alias`` calls.

        Raises:
            NotFound: there is no such model or version.
        """
        raise NotImplementedError

    def pointed(self, name: str, alias: str) -> str | None:
        """The version that ``alias`` is at, None where it is at none.

        Raises:
            NotFound: there is no such model.
        """
        versions = self.list(name) or (self.get(name),)  # which says what there is
        return next((v.version for v in versions if alias in v.aliases), None)

    def request_alias(self, name: str, alias: str, version: str, *, why: str = "") -> Promotion:
        """Ask for ``alias`` to be pointed at ``version`` (capability ``request``).

        Asked again for the same while it is pending, it gives the same request.

        Raises:
            NotFound: there is no such model or version.
        """
        self.require("request")
        raise NotImplementedError

    def promotion(self, id: str) -> Promotion:
        """How a request stands (capability ``request``).

        Raises:
            NotFound: there is no such request.
        """
        self.require("request")
        raise NotImplementedError

    def _changed(
        self, name: str, alias: str, before: str | None, after: str | None, why: str
    ) -> None:
        """Write a change down, which an equal one before does not make."""
        if before == after or self.context.history is None:
            return
        context = self.context
        by = context.actor or actor()
        change = AliasChange(
            name, alias, before, after, why, by, time.time(), context.run, context.step
        )
        self.context.history.add(change)


def check_model_name(name: str) -> str:
    """Return ``name`` if a model may be called so.

    Raises:
        InvalidInput: it holds anything but ASCII letters, digits, ``_``, ``.`` and ``-``.
    """
    if MODEL_NAME.fullmatch(name) is None or name.endswith("."):
        raise InvalidInput(
            f"model name {name!r}: use up to 200 ASCII letters, digits, '_', '.' and '-', "
            "with a letter, digit or '_' first and no '.' last"
        )
    return name


def check_alias(alias: str) -> str:
    """Return ``alias`` if an alias may be called so.

    Raises:
        InvalidInput: it holds anything but ASCII letters, digits, ``_`` and ``-``, or could be
            taken for a version (``latest``, ``v1``).
    """
    if ALIAS.fullmatch(alias) is None:
        raise InvalidInput(
            f"alias {alias!r}: use up to 100 ASCII letters, digits, '_' and '-', e.g. 'candidate'"
        )
    if RESERVED_ALIAS.fullmatch(alias):
        raise InvalidInput(f"alias {alias!r} could be taken for a version; e.g. use 'champion'")
    return alias
