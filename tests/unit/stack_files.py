"""Projects with stack files, and installed plugins, made for a test."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

from stackyard.profile import Profile, load_profile
from stackyard.project import Project

LOCAL = "components:\n  orchestrator: {flavor: local}\n"


def project(root: Path, files: Mapping[str, str]) -> Project:
    """A project with these files; a name without a folder is one of a stack."""
    (root / "stacks").mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        path = root / name if "/" in name else root / "stacks" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text), encoding="utf-8")
    roots = tuple(p for p in (root / "dags", root / "src") if p.is_dir())
    return Project(root, roots)


def profile(root: Path, text: str, **others: str) -> Profile:
    """The profile of a stack ``s`` with this text, beside other stacks."""
    return load_profile(project(root, {"s": text, **others}), "s")


def install(folder: Path, name: str, code: str, *, version: str = "1.0", entry: str = "") -> None:
    """Make the distribution ``name`` in ``folder``: a module and the entry point that names it."""
    module = entry or name.replace("-", "_") + "_plugin"
    folder.mkdir(exist_ok=True)
    if not entry:
        (folder / f"{module}.py").write_text(dedent(code), encoding="utf-8")
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(
        f"[console_scripts]\nx = x:main\n\n[stackyard.plugins]\n{name} = {module}\n"
    )
