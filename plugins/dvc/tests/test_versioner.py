"""The data versioner's contract on a real DVC: each place of versions, each kind of remote."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stackyard.components.base import Context, Secret
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


def another_machine(context: Context) -> Context:
    """The same project with a cache and a log of its own."""
    folder = context.project / "elsewhere"
    return replace(context, cache_dir=folder / "cache", state_dir=folder / "state")


class DvcContract(DataVersionerContract):
    """What all have in common."""

    config = DvcConfig()

    def connect(self, context: Context) -> DataVersioner:
        return DvcDataVersioner(self.config, context)

    def plain(self, context: Context) -> DataVersioner:
        return DvcDataVersioner(DvcConfig(), context)

    def elsewhere(self, context: Context) -> DataVersioner:
        return DvcDataVersioner(self.config, another_machine(context))

    def damage(self, versioner: DataVersioner, name: str, version: str, file: str) -> bool:
        repo = self.config.repo
        context = versioner.context
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


class TestFolder(DvcContract):
    """A folder as remote."""

    config = DvcConfig(remote="../remote")

    def unreachable(self, context: Context) -> DataVersioner:
        return DvcDataVersioner(DvcConfig(remote="../not mounted/remote"), context)


class TestS3(DvcContract):
    """A bucket as remote; an address that takes connections and never answers."""

    @pytest.fixture(autouse=True)
    def _s3(self, s3_url: str, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.delenv("AWS_ACCESS_KEY_ID")
        monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
        monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
        key = Secret("${secret:KEY}", lambda: "not-to-be-seen")
        self.config = DvcConfig(
            remote=s3_url, endpointurl=s3_endpoint, region="us-east-1",
            access_key_id=key, secret_access_key=key,
        )  # fmt: skip
        with socket.socket() as self.silent:
            self.silent.bind(("127.0.0.1", 0))
            self.silent.listen(64)
            yield

    def unreachable(self, context: Context) -> DataVersioner:
        address = f"http://127.0.0.1:{self.silent.getsockname()[1]}"
        return DvcDataVersioner(replace(self.config, endpointurl=address), context)

    def test_a_bucket_that_is_not_there(self, context: Context, data: Path) -> None:
        """The library for S3 takes it for a file that is not there."""
        made = DvcDataVersioner(replace(self.config, remote="s3://no-such-bucket/x"), context)
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
        given = configured(self.config, versioner.context).fs.fs_args
        assert (given["key"], given["secret"]) == ("not-to-be-seen", "not-to-be-seen")
        version = versioner.commit(data, "flights")
        versioner.push("flights", version.id)
        texts = [p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()]
        assert len(texts) > 5 and not any(b"not-to-be-seen" in text for text in texts)


class TestRepository(DvcContract):
    """A DVC repository around the project, in git, with a default remote of its own."""

    config = DvcConfig(repo="..")

    @pytest.fixture(autouse=True)
    def _repository(self, repo: Path) -> None:
        (repo / ".dvc" / "config").write_text(
            f"[core]\n    remote = team\n['remote \"team\"']\n    url = {self.remote(repo)}\n"
        )

    def remote(self, repo: Path) -> Path:
        """Where the repository's default remote is."""
        return repo.with_name(f"{repo.name}-remote")

    def elsewhere(self, context: Context) -> DataVersioner:
        config = DvcConfig(remote=str(self.remote(context.project.parent)))
        return DvcDataVersioner(config, another_machine(context))
