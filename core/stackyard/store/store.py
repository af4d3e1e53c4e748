"""The store opened: its backend, artifacts, records and bundles together."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stackyard.store.backend import Backend, open_backend

if TYPE_CHECKING:
    from stackyard.flavors import ArtifactFormat
    from stackyard.store.artifacts import Artifacts
    from stackyard.store.bundle import Bundles
    from stackyard.store.run_records import Records


class Store:
    """One store. Its parts are made when they are first asked for."""

    def __init__(
        self,
        backend: Backend,
        *,
        cache_dir: Path,
        pickle_allowed: bool = True,
        formats: Iterable[ArtifactFormat] | None = None,
    ) -> None:
        self.backend = backend
        self.cache_dir = cache_dir
        self.pickle_allowed = pickle_allowed
        self._formats = formats

    @property
    def url(self) -> str:
        """The folder's absolute path, or the URL."""
        return self.backend.url

    @cached_property
    def artifacts(self) -> Artifacts:
        """Values, files and folders by digest."""
        from stackyard.store.artifacts import Artifacts
        from stackyard.store.formats import FormatRegistry, builtin_formats

        formats = builtin_formats() if self._formats is None else self._formats
        return Artifacts(
            self.backend,
            FormatRegistry(formats),
            pickle_allowed=self.pickle_allowed,
            cache_dir=self.cache_dir,
        )

    @cached_property
    def records(self) -> Records:
        """Runs and their attempts."""
        from stackyard.store.run_records import Records

        return Records(self.backend)

    @cached_property
    def bundles(self) -> Bundles:
        """The code of projects."""
        from stackyard.store.bundle import Bundles

        return Bundles(self.backend, self.cache_dir)


def open_store(
    url: str | Path,
    *,
    root: Path | None = None,
    cache_dir: Path | None = None,
    durable: bool = False,
    pickle_allowed: bool = True,
    formats: Iterable[ArtifactFormat] | None = None,
) -> Store:
    """Return the store at ``url``: a folder, or a URL such as ``s3://bucket/path``.

    Nothing is read or written yet. A relative folder counts from the project's ``root``, by
    default the current folder; the cache is ``.stackyard/cache`` there unless it is given.
    ``formats``: the artifact formats of all plugins, by default only the core's own.
    """
    home = (root or Path.cwd()).absolute()
    cache = cache_dir or home / ".stackyard" / "cache"
    place: str | Path = url
    if "://" not in str(url):
        place = home / Path(url).expanduser()
    backend = open_backend(place, cache_dir=cache, durable=durable)
    return Store(backend, cache_dir=cache, pickle_allowed=pickle_allowed, formats=formats)
