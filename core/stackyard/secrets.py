"""Where ``${secret:NAME}`` is looked up: the environment, then each provider of the plugins.

The core's own provider is a file that only its owner can read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from stackyard.errors import SecretError
from stackyard.flavors import SecretProvider
from stackyard.location import innermost

FILE = "STACKYARD_SECRETS_FILE"
DEFAULT_FILE = Path(".stackyard") / "secrets.env"
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_./-]*)\s*=\s*(.*)")

Find = Callable[[str, Path], str | None]


@dataclass(frozen=True)
class Secrets:
    """Looks secrets up for one project; keeps no value."""

    project: Path
    providers: Sequence[SecretProvider] = field(default=())

    def lookup(self, name: str) -> str:
        """Return the value of a secret.

        Raises:
            SecretError: it is nowhere; names where it was looked for, never a value.
        """
        value = os.environ.get(name)
        for provider, find in self._finders if not value else ():
            try:
                value = find(name, self.project)
            except SecretError:
                raise
            except (Exception, SystemExit) as exc:  # another's; its message might hold the value
                failed = f"{type(exc).__name__} at {innermost(exc)}"
                raise SecretError(
                    f"secret {name!r}: provider {provider!r} failed with {failed}"
                ) from None  # a step's traceback is stored, with every cause
            if value:
                break
        if value:
            return value
        asked = ["the environment", *(provider for provider, _ in self._finders)]
        asked = [str(shown_file(self.project)) if a == "file" else a for a in asked]
        raise SecretError(
            f"secret {name!r} is not set. Looked in: {', '.join(asked)}. "
            f"Set the environment variable, or write {name}=... into {shown_file(self.project)}"
        )

    def known(self, name: str) -> bool | None:
        """Whether a secret is set; None where only a provider that is not asked could tell."""
        if os.environ.get(name) or from_file(name, self.project):
            return True
        return None if any(p.name != "file" for p in self.providers) else False

    @cached_property
    def _finders(self) -> list[tuple[str, Find]]:
        from stackyard.registry import secret_function

        return [(p.name, secret_function(p)) for p in self.providers]


def file_of(project: Path) -> Path:
    """The secrets file: ``STACKYARD_SECRETS_FILE``, else ``.stackyard/secrets.env``."""
    named = os.environ.get(FILE)
    return Path(named) if named else project / DEFAULT_FILE


def shown_file(project: Path) -> Path:
    """``file_of`` as people are told of it."""
    file = file_of(project)
    return file.relative_to(project) if file.is_relative_to(project) else file


def from_file(name: str, project: Path) -> str | None:
    """Return a secret from the secrets file, None where the file does not have it.

    Raises:
        SecretError: others than the owner can read the file, or a line is no ``NAME=value``.
    """
    file = file_of(project)
    try:
        with file.open(encoding="utf-8") as opened:
            _check_owner(os.fstat(opened.fileno()), file)
            lines = opened.read().splitlines()
    except FileNotFoundError as exc:
        if os.environ.get(FILE):
            raise SecretError(f"{FILE}: {file} does not exist") from exc
        return None
    except OSError as exc:
        raise SecretError(f"{shown_file(project)} cannot be read: {exc.strerror}") from exc
    except UnicodeDecodeError:  # which has all of the file
        raise SecretError(f"{shown_file(project)} cannot be read: it is not UTF-8 text") from None
    for number, line in enumerate(lines, 1):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise SecretError(f"{shown_file(project)}:{number}:1 is not NAME=value")
        if match[1] == name:
            return _unquoted(match[2])
    return None


def _unquoted(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "'\""
    return text[1:-1] if quoted else text


def _check_owner(status: os.stat_result, file: Path) -> None:
    if os.name != "posix":
        return
    if stat.S_IMODE(status.st_mode) & 0o077:
        raise SecretError(
            f"{file} can be read by others (mode {stat.S_IMODE(status.st_mode):04o}). "
            f"Type: chmod 600 {file}"
        )
    if status.st_uid not in (os.geteuid(), 0):
        raise SecretError(f"{file} belongs to another user (id {status.st_uid}), so it is not read")
