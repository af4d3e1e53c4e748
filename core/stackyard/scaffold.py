"""A plugin's distribution from the template: the files of ``stackyard plugin new``."""

from __future__ import annotations

import importlib.util
import keyword
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from stackyard.errors import UsageError, suggest
from stackyard.plugin_points import POINTS, Point

if TYPE_CHECKING:
    from stackyard.plugins import Plugins

TEMPLATE = Path(__file__).parent / "templates" / "plugin"
RENAMED = {
    "ci.yaml": ".github/workflows/ci.yaml",
    "gitignore": ".gitignore",
    "pyproject.txt": "pyproject.toml",  # with blanks it is no TOML, which linters would read
}
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
MAX_NAME = 60

_ACME = re.compile(r"acme_tools|acme-tools|ACME|Acme|acme")
_OFFERING = {
    "stackyard_flavors": ("Flavor", "the components that a stack may choose"),
    "stackyard_formats": ("ArtifactFormat", "the formats in which artifacts may be stored"),
    "stackyard_secret_providers": ("SecretProvider", "where secrets are looked up"),
}


@dataclass(frozen=True)
class Names:
    """How a distribution and what it holds are called."""

    distribution: str  # acme-tracker
    package: str  # acme_tracker
    flavor: str  # acme
    prefix: str  # Acme

    def fill(self, text: str) -> str:
        """``text`` of the template with these names."""
        names = {
            "acme_tools": self.package,
            "acme-tools": self.distribution,
            "ACME": self.flavor.upper().replace("-", "_"),
            "Acme": self.prefix,
            "acme": self.flavor,
        }
        return _ACME.sub(lambda found: names[found[0]], text)


def names_of(distribution: str, points: Sequence[str]) -> Names:
    """The names that go with a distribution's: ``acme-tracker`` has the flavor ``acme``.

    Raises:
        UsageError: a distribution cannot be called so, or something else is.
    """
    if NAME.fullmatch(distribution) is None or len(distribution) > MAX_NAME:
        near = re.sub(r"[^a-z0-9]+", "-", distribution.lower()).strip("-0123456789")
        instead = f", e.g. {near!r}" if NAME.fullmatch(near) and len(near) <= MAX_NAME else ""
        raise UsageError(
            f"plugin name {distribution!r}: use up to {MAX_NAME} lower-case ASCII letters, digits "
            f"and single '-', with a letter first{instead}"
        )
    package = distribution.replace("-", "_")
    if keyword.iskeyword(package):
        raise UsageError(
            f"plugin name {distribution!r}: {package!r} is a word of Python's own. Choose another "
            "name"
        )
    if package in sys.stdlib_module_names or _imported(package):
        raise UsageError(
            f"plugin name {distribution!r}: a module {package!r} is there already"
            f"{_home(package)}. Choose another name"
        )
    flavor = distribution
    for point in points:
        flavor = flavor.removesuffix(f"-{point.replace('_', '-')}")
    prefix = "".join(part.capitalize() for part in flavor.split("-"))
    return Names(distribution, package, flavor, prefix)


def plugin_files(names: Names, points: Sequence[str]) -> dict[str, str]:
    """The distribution's files: relative path to text.

    Args:
        names: how it is called.
        points: what it adds, keys of ``POINTS``.
    """
    chosen = [POINTS[name] for name in points]
    files = {}
    for name in ("README.md", "pyproject.txt", "gitignore", "ci.yaml", *_sources(points)):
        text = (TEMPLATE / name).read_text(encoding="utf-8")
        files[RENAMED.get(name, name)] = text
    files["src/acme_tools/plugin.py"] = _plugin(chosen)
    files["src/acme_tools/__init__.py"] = '"""What acme-tools adds to Stackyard."""\n'
    files["src/acme_tools/py.typed"] = ""
    blanks = {
        "REQUIRES": _requirements(sorted({r for p in chosen for r in p.requires})),
        "TESTING": ",".join(["testing", *sorted({e for p in chosen for e in p.extras})]),
        "POINTS": ", ".join(name.replace("_", " ") for name in points),
        "TABLE": _table(chosen),
        "STACK": _stack(chosen),
    }
    for name, text in files.items():
        filled = re.sub(r"<([A-Z]+)>", lambda m: blanks.get(m[1], m[0]), text)
        files[name] = names.fill(filled)
    return {names.fill(name): text for name, text in files.items()}


def _imported(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except (ImportError, ValueError):
        return False


def _home(module: str) -> str:
    """Where a module lies, for a message; nothing where that cannot be told."""
    spec = importlib.util.find_spec(module) if _imported(module) else None
    return f", in {spec.origin}" if spec is not None and spec.origin else ""


def _sources(points: Sequence[str]) -> Iterator[str]:
    for name in points:
        yield f"src/acme_tools/{name}.py"
        yield f"tests/test_{name}.py"


def _plugin(points: Sequence[Point]) -> str:
    """The module of the entry point: it names classes and imports none of them."""
    hooks = {hook: [p for p in points if p.hook == hook] for hook in _OFFERING}
    used = {hook: offering for hook, offering in hooks.items() if offering}
    text = '"""What acme-tools offers: it names its classes, and imports none of them."""\n\n'
    text += "from __future__ import annotations\n"
    if not used:
        return text
    offers = ", ".join(sorted(_OFFERING[hook][0] for hook in used))
    text += "\nfrom collections.abc import Iterable\n\n"
    text += f"from stackyard import hookimpl\nfrom stackyard.flavors import {offers}\n"
    for hook, offering in used.items():
        kind, about = _OFFERING[hook]
        text += f'\n\n@hookimpl\ndef {hook}() -> Iterable[{kind}]:\n    """Yield {about}."""\n'
        text += "".join(f"    yield {point.offer}\n" for point in offering)
    return text


def _requirements(others: Sequence[str]) -> str:
    from stackyard.discovery import CORE
    from stackyard.plugins import installed

    own = installed().get(CORE)  # none where the core is run from its source
    versions = "" if own is None else f" {compatible(own.version)}"
    return "".join(f'    "{text}",\n' for text in (f"{CORE}{versions}", *others))


def compatible(version: str) -> str:
    """The versions that keep what ``version`` promises: before 1.0 those of its minor version."""
    from packaging.version import Version

    parsed = Version(version)
    lowest = version if parsed.is_prerelease else f"{parsed.major}.{parsed.minor}"
    return f">={lowest},<{f'0.{parsed.minor + 1}' if parsed.major == 0 else parsed.major + 1}"


def _table(points: Sequence[Point]) -> str:
    rows = [
        f"| `src/acme_tools/{p.name}.py` | `tests/test_{p.name}.py` | docs/reference/{p.page} |"
        for p in points
    ]
    return "\n".join(rows)


def _stack(points: Sequence[Point]) -> str:
    """What a stack says of them; a heading that several share stands there once."""
    said: dict[str, list[str]] = {}
    for point in points:
        heading, _, line = point.use.partition("\n")
        said.setdefault(heading, []).extend([line] if line else [])
    return "\n".join(line for heading, lines in said.items() for line in (heading, *lines))


def known_point(name: str) -> str:
    """Return ``name`` if a plugin may add it.

    Raises:
        UsageError: it is none.
    """
    found = name.replace("-", "_")
    if found not in POINTS:
        raise UsageError(
            f"--kind {name!r}: there are {', '.join(POINTS)}.{suggest(found, list(POINTS))}"
        )
    return found


def check_free(flavor: str, points: Sequence[str], installed: Plugins) -> None:
    """Refuse a name under which an installed plugin offers the same already.

    Raises:
        UsageError: it does; two of a name could not be told apart.
    """
    taken = {(f.kind, f.name): p for p in installed.loaded for f in p.flavors}
    taken |= {("format", f.name): p for p in installed.loaded for f in p.formats}
    taken |= {("secret_provider", s.name): p for p in installed.loaded for s in p.secret_providers}
    for point in points:
        if (point, flavor) in taken:
            raise UsageError(
                f"{point.replace('_', ' ')} {flavor!r} is there already, from "
                f"{taken[point, flavor]}. Choose another name of the plugin"
            )
