"""Broken registries."""

from __future__ import annotations

import json
import shutil
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from acme_tools.registry import AcmeRegistry

from stackyard.errors import NotFound


class LosesTheSignature(AcmeRegistry):
    """What a model takes and gives is not kept."""

    caught_by = "test_01_what_is_registered_is_got"

    def _read(self, name: str, version: str) -> Any:
        found = super()._read(name, version)
        return replace(found, package=replace(found.package, signature=None))


class RegistersTwice(AcmeRegistry):
    """A step that is tried again makes another version."""

    caught_by = "test_03_a_step_tried_again_registers_once"

    def _add(self, name: str, digest: str, source: Path, facts: str) -> str:
        return super()._add(name, str(time.monotonic_ns()), source, facts)


class KnowsNoRuns(AcmeRegistry):
    """The same package is the same version, whichever run registers it."""

    caught_by = "test_03_a_step_tried_again_registers_once"

    def _add(self, name: str, digest: str, source: Path, facts: str) -> str:
        for version in self.list(name):
            if version.package.digest == digest:
                return version.version
        return super()._add(name, digest, source, facts)


class TrustsThePackage(AcmeRegistry):
    """What the files are is not compared with the digest."""

    caught_by = "test_04_a_damaged_package_is_refused"

    def register(self, name: str, package: Any, **options: Any) -> Any:
        tags = {"tags": options.get("tags") or {}, "run": self.context.run}
        facts = json.dumps({"package": {**vars(package), "signature": None}, **tags})
        return self.get(name, self._add(name, package.digest, Path(package.uri), facts))


class GivesTheNewestInstead(AcmeRegistry):
    """An alias that there is not gets the newest version."""

    caught_by = "test_06_what_is_not_there"

    def get(self, name: str, version: str | None = None, *, alias: str | None = None) -> Any:
        if alias is not None and alias not in self._aliases(name):
            alias = None
        return super().get(name, version, alias=alias)


class SortsAsText(AcmeRegistry):
    """Version 9 comes before version 10."""

    caught_by = "test_07_newest_first"

    def list(self, name: str | None = None) -> Any:
        return tuple(sorted(super().list(name), key=lambda v: v.version, reverse=True))


class KeepsTheOldPlace(AcmeRegistry):
    """An alias that is moved is at both versions."""

    caught_by = "test_08_an_alias_moves"

    def _read(self, name: str, version: str) -> Any:
        log = self._home / name / "aliases.txt"
        lines = [line.split() for line in log.read_text().splitlines()] if log.exists() else []
        aliases = {alias for alias, at in lines if at == version}
        return replace(super()._read(name, version), aliases=tuple(sorted(aliases)))


class ChecksTheAliasTooLate(AcmeRegistry):
    """With a wrong alias, the version is there already."""

    caught_by = "test_09_aliases_are_checked[latest]"

    def register(
        self, name: str, package: Any, *, alias: str | None = None, tags: Any = None
    ) -> Any:
        made = super().register(name, package, tags=tags)
        if alias is not None:
            self.set_alias(name, alias, made.version)
        return self.get(name, made.version)


class TellsNobody(AcmeRegistry):
    """An alias that is set at registering is not in the history."""

    caught_by = "test_10_a_change_of_an_alias_is_written_down"

    def register(
        self, name: str, package: Any, *, alias: str | None = None, tags: Any = None
    ) -> Any:
        made = super().register(name, package, tags=tags)
        if alias is not None:
            self.move_alias(name, alias, made.version)
        return made


class KeepsNoCopy(AcmeRegistry):
    """A version's files are where they were when it was registered."""

    caught_by = "test_12_a_fetched_model_predicts_the_same"

    def _read(self, name: str, version: str) -> Any:
        found = super()._read(name, version)
        said = json.loads((self._home / name / version / "version.json").read_text())
        return replace(found, package=replace(found.package, uri=said["package"]["uri"]))


class GivesWhatItIsGiven(AcmeRegistry):
    """The package is returned, and nobody asks whether it is there."""

    caught_by = "test_13_fetching_what_is_gone"

    def fetch(self, version: Any) -> Any:
        return version.package


class DoesNotLook(AcmeRegistry):
    """Of what is fetched the digest is not computed."""

    caught_by = "test_14_what_is_damaged_is_not_fetched"

    def fetch(self, version: Any) -> Any:
        return self.get(version.name, version.version).package


class TakesAnyVersion(AcmeRegistry):
    """A version is a path."""

    caught_by = "test_15_what_is_asked_for_leads_nowhere_else"

    def get(self, name: str, version: str | None = None, *, alias: str | None = None) -> Any:
        if version is None:
            return super().get(name, alias=alias)
        try:
            return self._read(name, version)
        except (OSError, ValueError) as exc:
            raise NotFound(f"no {version}") from exc


class LeavesItOut(AcmeRegistry):
    """What it cannot do is not refused, it is not there."""

    caught_by = "test_16_what_it_cannot_do_it_says"

    def request_alias(self, name: str, alias: str, version: str, *, why: str = "") -> Any:
        raise NotImplementedError


class BeginsAtOnce(AcmeRegistry):
    """Making it makes its folder."""

    caught_by = "test_c04_silent_until_used"

    def __init__(self, config: Any, context: Any) -> None:
        super().__init__(config, context)
        self._home.mkdir(parents=True, exist_ok=True)


class LooksAndThenRegisters(AcmeRegistry):
    """It looks for the version, thinks, and takes the next number."""

    caught_by = "test_c09_two_processes_at_once"

    def _add(self, name: str, digest: str, source: Path, facts: str) -> str:
        for version in self.list(name):
            if (version.package.digest, version.run) == (digest, self.context.run):
                return version.version
        time.sleep(0.5)
        while True:
            number = str(len(self._versions(name)) + 1)
            made = self._home / name / number
            try:
                made.mkdir(parents=True)
            except FileExistsError:
                continue
            (made / "version.json").write_text(facts)
            shutil.copytree(source, made / "package")
            return number


class WritesAllAliases(AcmeRegistry):
    """It reads the aliases, thinks, and writes all of them."""

    caught_by = "test_c09_two_processes_at_once"

    def move_alias(self, name: str, alias: str, version: str | None) -> None:
        aliases = {**self._aliases(name), alias: version or "-"}
        time.sleep(0.5)
        text = "".join(f"{one} {at}\n" for one, at in aliases.items())
        (self._home / name / "aliases.txt").write_text(text)
