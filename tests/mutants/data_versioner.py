"""Broken data versioners."""

from __future__ import annotations

import json
import os
import shutil
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from acme_tools import data_versioner
from acme_tools.data_versioner import AcmeDataVersioner

from stackyard.components.data_versioner import DataDiff
from stackyard.errors import Conflict, NotFound


class FlattensFolders(AcmeDataVersioner):
    """What comes back lies in one folder."""

    caught_by = "test_01_what_is_committed_comes_back"

    def checkout(self, name: str, version: str, target: Path, *, overwrite: bool = False) -> Any:
        known = super().checkout(name, version, target, overwrite=overwrite)
        if target.is_dir():
            for path in [path for path in target.rglob("*") if path.is_file()]:
                path.rename(target / path.name)
        return known


class CountsTimes(AcmeDataVersioner):
    """A file that was written again is another version."""

    caught_by = "test_02_equal_content_has_an_equal_id"

    def _keep(self, source: Path) -> tuple[str, int]:
        digest, size = super()._keep(source)
        stamped = f"{digest}-{source.stat().st_mtime_ns}"
        shutil.copyfile(self._home / "files" / digest, self._home / "files" / stamped)
        return stamped, size


class ForgetsNames(AcmeDataVersioner):
    """A version is the content of its files, whatever they are called."""

    caught_by = "test_03_other_content_has_another_id"

    def commit(self, path: Path, name: str) -> Any:
        version = super().commit(path, name)
        _, parts = self._find(name, version.id)
        return replace(version, id="".join(sorted(set(parts.values()))))


class TellsTheLastTime(AcmeDataVersioner):
    """Committing again gives the version a new time."""

    caught_by = "test_04_committing_again_gives_the_version_that_there_is"

    def commit(self, path: Path, name: str) -> Any:
        return replace(super().commit(path, name), committed=time.time())


class LeavesOutLinks(AcmeDataVersioner):
    """A link that leads nowhere is passed over."""

    caught_by = "test_05_what_cannot_be_kept_is_refused[dead link]"

    def commit(self, path: Path, name: str) -> Any:
        for one in path.rglob("*"):
            if one.is_symlink() and not one.exists():
                one.unlink()
        return super().commit(path, name)


class KeepsLinks(AcmeDataVersioner):
    """Of a link, where it leads to is kept."""

    caught_by = "test_07_a_link_to_a_file_counts_as_the_file"

    def _keep(self, source: Path) -> tuple[str, int]:
        if source.is_symlink():
            led = self.context.project / "led"
            led.write_text(os.readlink(source))
            source = led
        return super()._keep(source)


class WritesOver(AcmeDataVersioner):
    """What is in the target is overwritten, whoever's it is."""

    caught_by = "test_09_nothing_of_the_users_is_touched"

    def checkout(self, name: str, version: str, target: Path, *, overwrite: bool = False) -> Any:
        return super().checkout(name, version, target, overwrite=True)


class LeavesTheRest(AcmeDataVersioner):
    """With overwrite, what the version does not have stays."""

    caught_by = "test_10_overwriting_makes_it_exactly_the_version"

    def checkout(self, name: str, version: str, target: Path, *, overwrite: bool = False) -> Any:
        rest = {p.name: p.read_bytes() for p in target.glob("extra")} if overwrite else {}
        known = super().checkout(name, version, target, overwrite=overwrite)
        for one, data in rest.items():
            (target / one).write_bytes(data)
        return known


class LinksTheFiles(AcmeDataVersioner):
    """What is kept and what was committed are one file on the disk."""

    caught_by = "test_11_a_version_stays_what_it_is"

    def _keep(self, source: Path) -> tuple[str, int]:
        digest, size = super()._keep(source)
        kept = self._home / "files" / digest
        kept.unlink()
        os.link(source, kept)
        return digest, size


class ListsByName(AcmeDataVersioner):
    """Versions are in the order of their ids."""

    caught_by = "test_12_newest_first"

    def list(self, name: str | None = None) -> Any:
        return sorted(super().list(name), key=lambda version: version.id)


class TakesPaths(AcmeDataVersioner):
    """A version is a path."""

    caught_by = "test_13_what_is_not_there"

    def _find(self, name: str, version: str) -> Any:
        path = self._home / "versions" / name / f"{version}.json"
        if version == "" or len(version) > 200 or not path.is_file():
            return super()._find(name, version)
        note = json.loads(path.read_text())
        return data_versioner.DataVersion(**note["version"]), note["parts"]


class NotesNothing(AcmeDataVersioner):
    """The record of the step does not say which data it had."""

    caught_by = "test_14_the_record_says_which_data_it_was"

    def note(self, entry: Any) -> None:
        pass


class GivesUp(AcmeDataVersioner):
    """While one commits, others are refused."""

    caught_by = "test_15_nothing_is_lost_when_many_commit_at_once"

    def _keep(self, source: Path) -> tuple[str, int]:
        lock = self._home / "lock"
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            lock.touch(exist_ok=False)
        except FileExistsError as exc:
            raise Conflict("somebody else commits") from exc
        time.sleep(0.02)
        kept = super()._keep(source)
        lock.unlink()
        return kept


class ComparesNamesOnly(AcmeDataVersioner):
    """A file that is in both versions is not changed."""

    caught_by = "test_16_two_versions_are_compared"

    def diff(self, name: str, first: str, second: str) -> DataDiff:
        return replace(super().diff(name, first, second), changed=())


class LooksForTheFilesOnly(AcmeDataVersioner):
    """A file that is there is sound."""

    caught_by = "test_17_damage_is_found"

    def verify(self, name: str, version: str) -> Any:
        _, parts = self._find(name, version)
        return [p for p, digest in parts.items() if not (self._home / "files" / digest).exists()]


class PushesNowhere(AcmeDataVersioner):
    """Without a remote, a push is nothing, and not refused."""

    caught_by = "test_20_what_it_cannot_do_it_says"

    def push(self, name: str, version: str) -> None:
        pass


class BeginsAtOnce(AcmeDataVersioner):
    """Listing makes the folder."""

    caught_by = "test_c04_silent_until_used"

    def list(self, name: str | None = None) -> Any:
        self._home.mkdir(parents=True, exist_ok=True)
        return super().list(name)


class RaisesInDoctor(AcmeDataVersioner):
    """A check that finds no version raises."""

    caught_by = "test_c08_doctor_is_told_and_nothing_is_raised"

    def check(self) -> Any:
        raise NotFound("there are no versions")


class WritesOneList(AcmeDataVersioner):
    """It reads the list of all versions, thinks, and writes all of it."""

    caught_by = "test_c09_two_processes_at_once"

    def commit(self, path: Path, name: str) -> Any:
        log = self._home / "all.json"
        known = json.loads(log.read_text()) if log.exists() else []
        version = super().commit(path, name)
        time.sleep(0.5)
        if asdict(version) not in known:
            log.write_text(json.dumps([*known, asdict(version)]))
        return version

    def list(self, name: str | None = None) -> Any:
        log = self._home / "all.json"
        known = json.loads(log.read_text()) if log.exists() else []
        return [data_versioner.DataVersion(**one) for one in reversed(known)]
