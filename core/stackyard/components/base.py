"""What every component is: built from a typed configuration and a context, silent until used."""

from __future__ import annotations

import os
from abc import ABC
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from stackyard.errors import Unsupported

if TYPE_CHECKING:
    import logging

_revealed: set[str] = set()


class Secret:
    """A reference to a secret; the value exists only where ``reveal`` is called.

    Configuration classes declare a field of this type to receive ``${secret:NAME}``. Its repr,
    text and JSON are the reference, so a value cannot slip into a log, a record or an error.
    """

    __slots__ = ("_resolve", "reference")
    reference: str

    def __init__(self, reference: str, resolve: Callable[[], str]) -> None:
        self.reference = reference
        self._resolve = resolve

    def reveal(self) -> str:
        """Return the value, looked up now.

        Raises:
            SecretError: no provider has it; names the reference and where it was looked for.
        """
        value = self._resolve()
        if value:
            _revealed.add(value)
        return value

    def __repr__(self) -> str:
        return f"Secret({self.reference!r})"

    def __str__(self) -> str:
        return self.reference

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other.reference == self.reference

    def __hash__(self) -> int:
        return hash(self.reference)


def redact(text: str) -> str:
    """Return ``text`` with every secret revealed so far in this process replaced by ``***``."""
    for value in sorted(_revealed, key=len, reverse=True):
        text = text.replace(value, "***")
    return text


class Journal(Protocol):
    """Where a component writes down what the run must remember (see ``tracker``)."""

    def add(self, entry: Any) -> None:
        """Append one frozen entry to the record of the step attempt."""

    def keep(self, path: Path) -> str:
        """Copy a file or folder into the run's store; return its digest."""


class Claims(Protocol):
    """First-writer-wins facts in the store, shared by all processes of a run."""

    def claim(self, name: str, value: str) -> str:
        """Store ``value`` under ``name`` unless somebody did before; return what is stored.

        A name has ASCII letters, digits and ``_ . @ = + , -``, and begins with no dot.
        """

    def get(self, name: str) -> str | None:
        """Return what is stored under ``name``."""


class History(Protocol):
    """An append-only list of what was done to something, shared by all runs of a store."""

    def add(self, entry: Any) -> None:
        """Append one frozen entry; its field ``name`` says what it is about."""


def _logger() -> logging.Logger:
    import logging

    return logging.getLogger("stackyard")


@dataclass(frozen=True)
class Context:
    """What surrounds a component: where it may write, for whom it works, and until when."""

    name: str = ""  # "tracker" or "feature_store.inhouse"
    stack: str = ""
    project: Path = Path()
    cache_dir: Path = Path(".stackyard/cache")  # the component's own folder, may be deleted
    state_dir: Path = Path(".stackyard/state")  # the component's own folder, is kept
    logger: logging.Logger = field(default_factory=_logger)
    run: str | None = None
    pipeline: str = ""
    step: str | None = None
    actor: str = ""
    deadline: float = 30.0  # seconds that one call may take
    journal: Journal | None = None
    claims: Claims | None = None
    history: History | None = None
    fetch: Callable[[str], Path] | None = None  # digest of a kept file or folder -> local path


@dataclass(frozen=True)
class Command:
    """One process of a service. ``ready`` is a URL that answers below 400 once it is up."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)  # on top of the caller's environment
    ready: str | None = None
    port: int | None = None  # checked to be free before the start


@dataclass(frozen=True)
class Service:
    """A local service that a component needs on this machine, as ``stack up`` starts it."""

    name: str  # "airflow"; one per machine and project
    commands: Sequence[Command]
    url: str = ""
    note: str = ""  # one line for people: user name, where the password lies
    ready_within: float = 120.0  # seconds


@dataclass(frozen=True)
class Finding:
    """One line of ``stackyard doctor``."""

    ok: bool
    what: str
    cure: str = ""


class Component(ABC):
    """Base of every component: ``Class(config, context)`` stores both and does no more.

    ``config`` is an instance of the flavor's frozen configuration dataclass. No I/O, no import of
    the tool and no thread may happen before a method is called.
    """

    kind: ClassVar[str]
    #: The capabilities that the kind knows, each with the methods that it stands for.
    optional: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    config: Any
    context: Context

    def __init__(self, config: Any, context: Context) -> None:
        self.config = config
        self.context = context

    @property
    def capabilities(self) -> frozenset[str]:
        """Names of the optional parts of the kind's contract that this component has."""
        return frozenset()

    def require(self, capability: str) -> None:
        """Raise Unsupported, naming what there is, unless the component has ``capability``."""
        if capability not in self.capabilities:
            have = ", ".join(sorted(self.capabilities)) or "none"
            instead = self.instead_of(capability)
            raise Unsupported(
                f"{self.context.name or self.kind}: {type(self).__name__} cannot {capability!r}. "
                f"Capabilities: {have}{f'. {instead}' if instead else ''}"
            )

    def instead_of(self, capability: str) -> str:
        """What to do where ``capability`` is lacking, told with the refusal; override it."""
        return ""

    def note(self, entry: Any) -> None:
        """Write a frozen value into the record of the running step; nothing outside of a step."""
        if self.context.journal is not None:
            self.context.journal.add(entry)

    def check(self) -> Sequence[Finding]:
        """Say what is reachable and what is not, within ``context.deadline`` (for ``doctor``)."""
        return ()

    def services(self) -> Sequence[Service]:
        """The local services that this component needs; none where it is given a URL."""
        return ()

    def prepare(self, service: Service) -> None:
        """Do once, before the service's processes start, what they need: folders, databases."""

    def close(self) -> None:
        """Release what the component holds. May be called twice."""


def actor() -> str:
    """Who is acting: ``STACKYARD_ACTOR``, else the user's login name, else ``unknown``."""
    import getpass

    named = os.environ.get("STACKYARD_ACTOR")
    if named:
        return named
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no passwd entry, as in some containers
        return "unknown"
