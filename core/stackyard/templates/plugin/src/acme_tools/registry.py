"""The model registry. Here a version is a folder: put your tool's client in its place.

What a registry must keep is numbered in Stackyard's docs/reference/registry.md.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from stackyard import ModelPackage, ModelVersion, Registry
from stackyard.components.registry import check_alias, check_model_name
from stackyard.errors import NotFound
from stackyard.models import signature_from, verified_folder


@dataclass(frozen=True)
class AcmeRegistryConfig:
    """What a stack may say.

    Attributes:
        folder: Where the models are kept; a relative path counts from the project.
    """

    folder: str = ".stackyard/acme-registry"


class AcmeRegistry(Registry):
    """A version is the folder ``<model>/<number>``; aliases are lines of ``<model>/aliases.txt``.

    A version takes the next number with all that it has, or not at all, and lines are only added:
    so several processes may register, and move aliases, at once.
    """

    config: AcmeRegistryConfig

    @property
    def capabilities(self) -> frozenset[str]:
        """``alias``: people or rules of the registry's own would be ``request``."""
        return frozenset({"alias"})

    def register(
        self,
        name: str,
        package: ModelPackage,
        *,
        alias: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> ModelVersion:
        """Add a version, unless this run has registered the same package before."""
        check_model_name(name)
        if alias is not None:
            check_alias(alias)
        source = verified_folder(package, fetch=self.context.fetch)
        facts = {"package": asdict(package), "tags": dict(tags or {}), "run": self.context.run}
        made = self._add(name, package.digest, source, json.dumps(facts))
        if alias is not None:
            self.set_alias(name, alias, made)
        return self.get(name, made)

    def get(
        self, name: str, version: str | None = None, *, alias: str | None = None
    ) -> ModelVersion:
        """Return a version by number or alias, the newest where neither is given."""
        versions = self._versions(check_model_name(name))
        if not versions:
            have = ", ".join(self._models()) or "none"
            raise NotFound(f"there is no model {name!r} in {self._home}. Models: {have}")
        if alias is not None:
            aliases = self._aliases(name)
            if alias not in aliases:
                have = ", ".join(sorted(aliases)) or "none"
                raise NotFound(f"model {name!r} has no alias {alias!r}. Aliases: {have}")
            version = aliases[alias]
        if version is None:
            version = versions[0]
        elif version not in versions:  # so nothing else than a number reaches a path
            have = ", ".join(versions)
            raise NotFound(f"model {name!r} has no version {version!r}. Versions: {have}")
        return self._read(name, version)

    def fetch(self, version: ModelVersion) -> ModelPackage:
        """Return the package with its folder: of a tool elsewhere, it is downloaded here.

        The place for that is ``self.context.cache_dir``.
        """
        package = self.get(version.name, version.version).package
        verified_folder(package)
        return package

    def list(self, name: str | None = None) -> Sequence[ModelVersion]:
        """Versions, newest first, of one model or of all."""
        names = self._models() if name is None else [check_model_name(name)]
        return tuple(self._read(n, version) for n in names for version in self._versions(n))

    def move_alias(self, name: str, alias: str, version: str | None) -> None:
        """Add a line to the model's aliases: of one alias, the last counts."""
        self.get(name, version)
        with (self._home / name / "aliases.txt").open("ab", buffering=0) as lines:
            lines.write(f"{alias} {version or '-'}\n".encode())

    @property
    def _home(self) -> Path:
        return self.context.project / self.config.folder

    def _models(self) -> Sequence[str]:
        return sorted(path.parent.name for path in self._home.glob("*/1"))

    def _versions(self, name: str) -> Sequence[str]:
        numbers = [int(path.name) for path in (self._home / name).glob("[0-9]*")]
        return [str(number) for number in sorted(numbers, reverse=True)]

    def _aliases(self, name: str) -> dict[str, str]:
        log = self._home / name / "aliases.txt"
        lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
        last = dict(line.split() for line in lines)
        return {alias: version for alias, version in last.items() if version != "-"}

    def _read(self, name: str, version: str) -> ModelVersion:
        folder = self._home / name / version
        facts = json.loads((folder / "version.json").read_text(encoding="utf-8"))
        said = facts["package"]
        package = ModelPackage(
            said["format"],
            str(folder / "package"),
            said["digest"],
            said["signature"] and signature_from(said["signature"]),
            tuple(said["requirements"]),
        )
        aliases = sorted(a for a, at in self._aliases(name).items() if at == version)
        return ModelVersion(name, version, package, tuple(aliases), facts["tags"], facts["run"])

    def _add(self, name: str, digest: str, source: Path, facts: str) -> str:
        """Make the next version of the files in ``source``; return its number."""
        home, run = self._home / name, self.context.run
        home.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".new-", dir=home) as scratch:
            made = Path(scratch, "version")
            shutil.copytree(source, made / "package")
            (made / "version.json").write_text(facts, encoding="utf-8")
            while True:
                versions = self._versions(name)
                for known in (self._read(name, version) for version in versions):
                    if run is not None and (known.package.digest, known.run) == (digest, run):
                        return known.version
                number = str(len(versions) + 1)
                try:
                    made.rename(home / number)
                    return number
                except OSError:  # taken: another process was faster, so look again
                    if not (home / number).exists():
                        raise
