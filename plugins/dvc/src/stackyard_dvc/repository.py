"""A DVC repository that there is, with or without git, as the place of versions."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from stackyard.components.base import Context
from stackyard.errors import ComponentError, InvalidInput, Unavailable
from stackyard.whole_file import write_whole
from stackyard_dvc.cache import Cache, changed


class RepositoryCache(Cache):
    """The cache of a repository; what lies in its tree is also added to the repository."""

    def __init__(self, repo: Any) -> None:
        super().__init__(repo.cache.local)
        self._repo = repo

    def add(self, path: Path) -> tuple[str, int, int]:
        """As ``dvc add`` for what lies in the tree: the user commits the ``.dvc`` file to git.

        Raises:
            InvalidInput: as ``Cache.add``, or DVC refuses: it is tracked by git, made by a stage of
                ``dvc.yaml``, or ``.dvcignore`` leaves some of it out.
            Conflict: it was changed meanwhile.
            Unavailable: DVC works on it in another process.
        """
        from dvc.exceptions import DvcException
        from dvc.lock import LockError

        found = super().add(path)
        if Path(os.path.realpath(path)).is_relative_to(self._repo.root_dir):
            try:
                self._mend()
                (stage,) = self._repo.add(str(path))
            except LockError as exc:
                raise Unavailable(f"{path}: DVC says: {exc}") from exc
            except DvcException as exc:
                raise InvalidInput(f"{path}: DVC says: {exc}") from exc
            out = stage.outs[0]  # of a folder around it, where DVC tracks that
            if out.fs_path == str(path) and out.hash_info.value != found[0]:
                if super().add(path) != found:
                    raise changed(path)
                raise InvalidInput(
                    f"{path} holds what .dvcignore leaves out. See: dvc check-ignore -d {path}/*"
                )
        return found

    def remote(self) -> Any:
        """DVC's object database for the default remote; None where there is none.

        Raises:
            ComponentError: the library for its kind is not installed.
        """
        from dvc.config import NoRemoteError

        try:
            return self._repo.cloud.get_remote_odb()
        except NoRemoteError:
            return None
        except ImportError as exc:
            raise ComponentError(f"{self._repo.root_dir}: DVC says: {exc}") from exc

    def _mend(self) -> None:
        """Remove DVC's list of what processes work on, if one was killed before it wrote to it.

        DVC empties the file, writes it, and refuses all work where it finds it empty.
        """
        from dvc.lock import make_lock
        from dvc.rwlock import RWLOCK_FILE, RWLOCK_LOCK

        folder = self._repo.tmp_dir
        listed = Path(folder, RWLOCK_FILE)
        if not _is_empty(listed):
            return
        hardlink = self._repo.config["core"].get("hardlink_lock", False)
        guard = os.path.join(folder, RWLOCK_LOCK)
        with make_lock(guard, tmp_dir=folder, hardlink_lock=hardlink):
            if _is_empty(listed):  # and not just about to be written
                listed.unlink()


@contextmanager
def repository(path: str, context: Context) -> Iterator[RepositoryCache]:
    """Open the repository at ``path``, which counts from the project.

    Raises:
        InvalidInput: there is none, or DVC cannot use it.
    """
    from dvc.exceptions import DvcException, NotDvcRepoError
    from dvc.repo import Repo

    root = os.path.realpath(context.project / path)
    try:
        # Another process may work for longer than the 3 seconds that DVC waits by default.
        repo = Repo(root, config={"core": {"autostage": False}}, _wait_for_lock=True)
    except NotDvcRepoError as exc:
        raise InvalidInput(
            f"{context.name}: {root} is no DVC repository. Make it one with 'dvc init' (without "
            "git: 'dvc init --no-scm'), or leave out 'repo' in the stack file"
        ) from exc
    except DvcException as exc:
        raise InvalidInput(f"{context.name}: {root}: DVC says: {exc}") from exc
    try:
        _hide(context.state_dir)
        yield RepositoryCache(repo)
    finally:
        repo.close()


def _is_empty(file: Path) -> bool:
    return file.is_file() and file.stat().st_size == 0


def _hide(folder: Path) -> None:
    """Keep the log of versions, which may lie in the tree, out of the repository's own view."""
    mark = folder / ".dvcignore"
    if not mark.is_file():
        folder.mkdir(parents=True, exist_ok=True)
        write_whole(mark, "*\n")
