"""Where Python keeps what it compiled of a project's code.

Nowhere, where the code may change: bytecode counts as that of its source if this was last changed
in the same second and is as long as it was, and what such code returns would be stored as what the
changed one does.

Of a run's pinned code it is kept. Python runs a ``.pyc`` beside a module instead of the module
itself, and need not compare the two. So what is compiled of an opened bundle lies outside of it, in
a folder that nobody but this user can write to; where there is none, each process compiles the code
again. A ``.pyc`` in the bundle is never run by the process that opened it.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterable
from importlib.machinery import (
    BYTECODE_SUFFIXES,
    EXTENSION_SUFFIXES,
    SOURCE_SUFFIXES,
    ExtensionFileLoader,
    FileFinder,
    SourceFileLoader,
    SourcelessFileLoader,
)
from pathlib import Path
from typing import Any, NoReturn

_changing: tuple[str, ...] = ()
_pinned: list[str] = []


class FreshLoader(SourceFileLoader):
    """Compiles a module whenever it is imported."""

    def path_stats(self, path: str) -> NoReturn:
        """Not known: then bytecode is neither read nor written (``SourceLoader.get_code``)."""
        raise OSError


def compile_always(roots: Iterable[Path]) -> None:
    """Let this process keep nothing of the modules below ``roots``, and of no others before.

    Pinned code is left to ``compile_aside``.
    """
    global _changing
    before, _changing = _changing, tuple(map(str, roots))
    if before != _changing:
        for entry in [*sys.path_importer_cache]:
            if entry.startswith((*before, *_changing)):
                del sys.path_importer_cache[entry]
    if _fresh not in sys.path_hooks:
        sys.path_hooks.insert(0, _fresh)


def _fresh(folder: str) -> FileFinder:
    """The hook of ``compile_always``; it is asked for each package of each tool."""
    if not folder.startswith(_changing) or folder.startswith(tuple(_pinned)):
        raise ImportError(folder)  # the next hook is asked
    return FileFinder(
        folder, (ExtensionFileLoader, EXTENSION_SUFFIXES), (FreshLoader, SOURCE_SUFFIXES)
    )


def compile_aside(code: Path, aside: Path) -> None:
    """Let this process keep what it compiles of the modules below ``code`` in ``aside``.

    The folder above ``aside`` is the one that is to be private; where it is not, nothing is kept.
    """
    home = f"{code}{os.sep}"
    private = _private(aside.parent)

    class Loader(SourceFileLoader):
        def get_data(self, path: str) -> bytes:
            if not path.startswith(home) or not path.endswith(".pyc"):
                return super().get_data(path)
            if not private:
                raise FileNotFoundError(path)
            return super().get_data(f"{aside}{os.sep}{path.removeprefix(home)}")

        def set_data(self, path: str, data: Any, *, _mode: int = 0o666) -> None:
            if not path.startswith(home):
                super().set_data(path, data, _mode=_mode)
            elif private:
                super().set_data(f"{aside}{os.sep}{path.removeprefix(home)}", data, _mode=_mode)

    finder = FileFinder.path_hook(
        (ExtensionFileLoader, EXTENSION_SUFFIXES),
        (Loader, SOURCE_SUFFIXES),
        (SourcelessFileLoader, BYTECODE_SUFFIXES),
    )

    def hook(path: str) -> Any:
        if f"{path}{os.sep}".startswith(home):
            return finder(path)
        raise ImportError(path)  # the next hook is asked

    sys.path_hooks.insert(0, hook)
    _pinned.append(str(code))


def _private(folder: Path) -> bool:
    """Whether this user alone can write to the folder."""
    try:
        found = folder.stat()
    except OSError:
        return False
    mine = sys.platform == "win32" or found.st_uid == os.geteuid()
    return mine and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
