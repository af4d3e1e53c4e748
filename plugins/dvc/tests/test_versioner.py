"""The data versioner's contract on a real DVC: each place of versions, each kind of remote."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from stackyard.components.base import Context
from stackyard.components.data_versioner import DataVersioner
from stackyard.errors import ComponentError
from stackyard.testing import DataVersionerContract
from stackyard_dvc.cache import own_cache
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.remote import configured
from stackyard_dvc.repository import repository
from stackyard_dvc.versioner import DvcDataVersioner


def rot(path: Path) -> None:
    """Change a byte; size, mode and times are those from before."""
    before = path.stat()
    data = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])
    path.chmod(0o444)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


class DvcContract(DataVersionerContract):
    """What all have in common."""

    def damage(self, versioner: DataVersioner, name: str, version: str, file: str) -> bool:
        repo, context = versioner.config.repo, versioner.context
        with repository(repo, context) if repo else own_cache(context) as cache:
            rot(Path(cache.odb.oid_to_path(cache.files(version)[file])))
        return True

    def test_doctor_says_whether_the_remote_answers(
        self, versioner: DataVersioner, context: Context, data: Path
    ) -> None:
        versioner.commit(data, "flights")
        (finding,) = versioner.check()
        expected = " answers" if "remote" in versioner.capabilities else "no remote"
        assert finding.ok and finding.what.startswith("1 version in ")
        assert finding.what.endswith(expected)
        broken = self.unreachable(replace(context, deadline=1.5))
        if broken is not None:
            (finding,) = broken.check()
            assert not finding.ok and "cannot" in finding.what


class TestOwnCache(DvcContract):
    """Without remote, git and ``dvc init``."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"flavor": "dvc"}


class TestFolder(DvcContract):
    """A folder as remote."""

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return {"flavor": "dvc", "remote": "../remote"}

    def silent(self, address: str) -> dict[str, Any]:
        return {"flavor": "dvc", "remote": "../not mounted/remote"}


class TestS3(DvcContract):
    """A bucket as remote; an address that takes connections and never answers."""

    @pytest.fixture
    def settings(
        self, s3_url: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
    ) -> dict[str, Any]:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
        self.said = {
            "flavor": "dvc", "remote": s3_url, "endpointurl": s3_endpoint, "region": "us-east-1",
            "access_key_id": "${secret:KEY_ID}", "secret_access_key": "${secret:KEY}",
        }  # fmt: skip
        return self.said

    def silent(self, address: str) -> dict[str, Any]:
        return {**self.said, "endpointurl": f"http://{address}"}

    def test_a_bucket_that_is_not_there(self, versioner: DataVersioner, data: Path) -> None:
        """The library for S3 takes it for a file that is not there."""
        config = replace(versioner.config, remote="s3://no-such-bucket/x")
        made = DvcDataVersioner(config, versioner.context)
        version = made.commit(data, "flights").id
        (finding,) = made.check()
        assert not finding.ok and "s3://no-such-bucket/x: there is no such bucket" in finding.what
        for call in (made.push, made.pull):
            with pytest.raises(ComponentError, match="there is no such bucket") as caught:
                call("flights", version)
            assert type(caught.value) is ComponentError  # neither NotFound, nor to be retried

    def test_a_key_is_written_nowhere(
        self, versioner: DataVersioner, data: Path, tmp_path: Path
    ) -> None:
        """It reaches the library for S3 alone."""
        given = configured(versioner.config, versioner.context).fs.fs_args
        assert (given["key"], given["secret"]) == ("not-to-be-seen-KEY_ID", "not-to-be-seen-KEY")
        version = versioner.commit(data, "flights")
        versioner.push("flights", version.id)
        texts = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
        assert len(texts) > 5 and not any(b"not-to-be-seen" in text for text in texts)


class TestRepository(DvcContract):
    """A DVC repository around the project, in git, with a default remote of its own."""

    @pytest.fixture
    def settings(self, repo: Path) -> dict[str, Any]:
        (repo / ".dvc" / "config").write_text(
            f"[core]\n    remote = team\n['remote \"team\"']\n    url = {self.remote(repo)}\n"
        )
        return {"flavor": "dvc", "repo": ".."}

    def remote(self, repo: Path) -> Path:
        """Where the repository's default remote is."""
        return repo.with_name(f"{repo.name}-remote")

    def elsewhere(self, context: Context) -> DataVersioner:
        own, remote = context.project / "elsewhere", self.remote(context.project.parent)
        there = replace(context, cache_dir=own / "cache", state_dir=own / "state")
        return DvcDataVersioner(DvcConfig(remote=str(remote)), there)
