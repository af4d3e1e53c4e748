"""A project on disk: where its stacks and its code are, which pipelines it has, loading one."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.allowed import FILE
from stackyard.errors import ConfigError, PipelineError, UsageError, suggest
from stackyard.graph import NAME
from stackyard.importing import import_file, module_name, use_roots

if TYPE_CHECKING:
    from stackyard.pipeline import Pipeline


@dataclass(frozen=True)
class Project:
    """A folder that holds ``stacks/``, and the folders in it from which code is imported.

    A run's pinned code lies in a folder of its own: then ``pinned`` is that folder, which has the
    code roots and the stacks, while ``root`` stays the place of ``.stackyard``.
    """

    root: Path
    code_roots: tuple[Path, ...]
    pinned: Path | None = None

    @property
    def stacks(self) -> Path:
        """The folder of the stack files."""
        return (self.pinned or self.root) / "stacks"

    @property
    def plugin_file(self) -> Path | None:
        """``stackyard_plugins.py`` beside the stack files: a plugin that is not installed."""
        file = self.stacks / FILE
        return file if file.is_file() else None

    @property
    def cache(self) -> Path:
        """Where what can be made again is kept; it may be deleted at any time."""
        return self.root / ".stackyard" / "cache"

    @property
    def roots(self) -> tuple[str, ...]:
        """The code roots relative to the project."""
        home = self.pinned or self.root
        return tuple(path.relative_to(home).as_posix() for path in self.code_roots)

    def at(self, folder: Path, roots: Sequence[str]) -> Project:
        """The same project with the code and stacks that lie in ``folder``."""
        return Project(self.root, tuple(folder / r for r in roots), folder)

    def activate(self) -> None:
        """Put the code roots on ``sys.path``; what another project had put there is taken away."""
        use_roots(self.code_roots)

    def pipelines(self) -> dict[str, Path]:
        """Return the pipelines by name with their files, found without importing anything."""
        from stackyard.finding import find_pipelines

        found = find_pipelines(self.code_roots).files
        return {name: files[0] for name, files in sorted(found.items())}

    def unreadable(self) -> list[str]:
        """Files that no pipeline can be found in, because they cannot be read: where and why."""
        from stackyard.finding import find_pipelines

        found = find_pipelines(self.code_roots).broken
        return [f"{self._shown(file)}:{why}" for file, why in found.items()]

    def load(self, reference: str) -> Pipeline:
        """Import and return a pipeline.

        Args:
            reference: a pipeline's name, or ``path.py`` or ``path.py:name`` of a file below a code
                root.

        Raises:
            PipelineError: there is no such pipeline, or its file cannot be imported; one line that
                begins with file and line.
        """
        left, colon, right = reference.rpartition(":")
        file, name = (left, right) if colon and left.endswith(".py") else (reference, None)
        if file.endswith(".py"):
            return self._from_file(self._file(file), name)
        if NAME.fullmatch(reference) is None and reference not in self.pipelines():
            raise PipelineError(
                f"{reference!r} is no pipeline. Give a name ({self._known()}) or a file: "
                "path.py[:name]"
            )
        return self._from_file(self._defining(reference), reference)

    def _file(self, text: str) -> Path:
        """The file that a person means, from the current folder or the root of the project."""
        below = [Path(os.path.abspath(base / text)) for base in (Path.cwd(), self.root)]
        files = [file for file in (*below, *(file.resolve() for file in below)) if file.is_file()]
        if not files:
            raise PipelineError(f"{text!r} does not exist. Pipelines: {self._known()}")
        file = next((f for f in files if module_name(f, self.code_roots) is not None), None)
        if file is None:
            roots = ", ".join(self._shown(root) for root in self.code_roots) or "none"
            raise PipelineError(
                f"{text!r} is outside of the project's code, from which other processes import. "
                f"Code is in: {roots}. Move it there, or name its folder in pyproject.toml: "
                "[tool.stackyard] code = [...]"
            )
        return file

    def _defining(self, name: str) -> Path:
        from stackyard.finding import find_pipelines

        found = find_pipelines(self.code_roots)
        files = found.files.get(name, [])
        if len(files) > 1:
            shown = [self._shown(file) for file in dict.fromkeys(files)]
            if len(shown) == 1:
                raise PipelineError(
                    f"pipeline {name!r} is defined {len(files)} times in {shown[0]}. Keep one, or "
                    "rename the others"
                )
            raise PipelineError(
                f"pipeline {name!r} is defined in {len(shown)} files: {', '.join(shown)}. Rename "
                f"one, or say which: {shown[0]}:{name}"
            )
        if files:
            return files[0]
        if name in found.near:
            file, line, mark = found.near[name]
            raise PipelineError(
                f"{self._shown(file)}:{line}: {name!r} is marked @{mark}, which is not defined. "
                "Write @pipeline, after: from stackyard import pipeline"
            )
        broken = self.unreadable()
        raise PipelineError(
            f"there is no pipeline {name!r}. Pipelines: {self._known()}."
            f"{suggest(name, list(found.files))}"
            + (f" Files that cannot be read: {'; '.join(broken)}" if broken else "")
        )

    def _from_file(self, file: Path, name: str | None) -> Pipeline:
        from stackyard.pipeline import Pipeline

        self.activate()
        module = import_file(file, self.code_roots, self.root)
        here = [
            value
            for value in vars(module).values()
            if isinstance(value, Pipeline) and value.function.__module__ == module.__name__
        ]
        names = [pipeline.name for pipeline in here]
        chosen = [p for p in here if name is None or name in (p.name, p.function.__name__)]
        if len(chosen) == 1:
            return chosen[0]
        shown = self._shown(file)
        if not here:
            raise PipelineError(f"{shown}: no function is marked @pipeline")
        if name is None:
            raise PipelineError(
                f"{shown} has several pipelines: {', '.join(names)}. Name one: {shown}:{names[0]}"
            )
        raise PipelineError(
            f"{shown} has no pipeline {name!r}. Pipelines: "
            f"{', '.join(names)}.{suggest(name, names)}"
        )

    def _known(self) -> str:
        return ", ".join(self.pipelines()) or "none yet; a pipeline is a function marked @pipeline"

    def _shown(self, path: Path) -> str:
        return (
            path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else str(path)
        )


def find_project(start: Path | None = None) -> Project:
    """Return the project around ``start``, else around the current folder.

    The root is the nearest folder upward that holds ``stacks/``; ``STACKYARD_PROJECT`` names one.

    Raises:
        UsageError: there is none.
        ConfigError: its pyproject.toml is wrong.
    """
    named = os.environ.get("STACKYARD_PROJECT")
    if start is None and named:
        root = Path(named).resolve()
        if not root.is_dir():
            raise UsageError(f"STACKYARD_PROJECT: {named!r} is no folder")
        return Project(root, _code_roots(root))
    begin = (start or Path.cwd()).resolve()
    for root in (begin, *begin.parents):
        if (root / "stacks").is_dir():
            return Project(root, _code_roots(root))
    raise UsageError(
        f"{begin} is not in a project: no folder from there upward holds stacks/. Go into a "
        "project, name one in STACKYARD_PROJECT, or make one: stackyard init"
    )


def _code_roots(root: Path) -> tuple[Path, ...]:
    named = [root / "dags", root / "src", *_configured(root)]
    return tuple(dict.fromkeys(folder for folder in named if folder.is_dir()))


def _configured(root: Path) -> list[Path]:
    """The folders that ``[tool.stackyard] code`` names in pyproject.toml."""
    file = root / "pyproject.toml"
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return []
    if "[tool.stackyard" not in text:  # saves the parser's import
        return []
    import tomllib

    try:
        data: Mapping[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        at = re.search(r"line (\d+), column (\d+)", str(exc))
        line, column = at.groups() if at else (len(text.splitlines()), 1)
        raise ConfigError(f"{file.name}:{line}:{column} {exc}") from exc
    section = data.get("tool", {}).get("stackyard", {})
    code = section.get("code", []) if isinstance(section, dict) else []
    rows = enumerate(text.splitlines(), 1)
    where = next((n for n, row in rows if re.match(r"\s*code\s*=", row)), 1)
    label = f"{file.name}:{where}:1 tool.stackyard.code"
    if not isinstance(code, list) or not all(isinstance(item, str) for item in code):
        raise ConfigError(f'{label}: {code!r} is no list of folders, such as ["lib"]')
    folders = [(root / item).resolve() for item in code]
    for item, folder in zip(code, folders, strict=True):
        if not folder.is_relative_to(root) or folder == root:
            raise ConfigError(f"{label}: {item!r} is not a folder below the project's root")
        if not folder.is_dir():
            raise ConfigError(f"{label}: the folder {item!r} does not exist")
    return folders
