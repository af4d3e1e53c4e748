"""What the plugin offers, at what cost, and what its configuration may say."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from stackyard.components.base import Context, Secret
from stackyard.components.data_versioner import DataVersion
from stackyard.errors import NotFound
from stackyard_dvc.config import DvcConfig
from stackyard_dvc.log import from_text, to_text
from stackyard_dvc.quiet import quiet
from stackyard_dvc.versioner import DvcDataVersioner

LIST = """
import sys
from pathlib import Path
import stackyard_dvc.plugin, stackyard_dvc.config
from stackyard.components.base import Context
from stackyard_dvc.versioner import DvcDataVersioner
state = Path(sys.argv[1])
versioner = DvcDataVersioner(stackyard_dvc.config.DvcConfig(), Context(state_dir=state))
print(len(versioner.list()), sorted({"dvc", "dvc_data", "fsspec", "yaml"} & set(sys.modules)))
"""


def test_listing_imports_nothing_heavy(tmp_path: Path) -> None:
    """Nor does describing the plugin, or making the component."""
    context = Context(project=tmp_path, state_dir=tmp_path / "state", cache_dir=tmp_path / "cache")
    (tmp_path / "a.csv").write_text("1")
    DvcDataVersioner(DvcConfig(), context).commit(Path("a.csv"), "a")
    done = subprocess.run(
        [sys.executable, "-c", LIST, str(tmp_path / "state")], capture_output=True, text=True
    )
    assert (done.stdout, done.stderr) == ("1 []\n", "")


def test_flavors_name_what_exists() -> None:
    import importlib
    from dataclasses import is_dataclass

    from stackyard_dvc.plugin import stackyard_flavors

    (flavor,) = stackyard_flavors()
    for target in (flavor.target, flavor.config):
        module, _, name = (target or "").partition(":")
        assert isinstance(getattr(importlib.import_module(module), name), type)
    assert is_dataclass(DvcConfig)


def test_keys_of_s3_need_a_remote_on_s3() -> None:
    key = Secret("${secret:KEY}", str)
    with pytest.raises(ValueError, match=r"region: only for a remote that begins with s3://"):
        DvcConfig(remote="/mnt/data", region="eu-west-1")
    with pytest.raises(ValueError, match="both"):
        DvcConfig(remote="s3://bucket", access_key_id=key)
    DvcConfig(remote="s3://bucket", access_key_id=key, secret_access_key=key)


def test_loggers_are_as_they_were_after_the_last_thread() -> None:
    logger = logging.getLogger("dvc")
    before = logger.level
    first, second = quiet(), quiet()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert logger.level > logging.CRITICAL
    second.__exit__(None, None, None)
    assert logger.level == before


def test_an_unknown_dataset_is_told_as_one(tmp_path: Path) -> None:
    context = Context(project=tmp_path, state_dir=tmp_path / "s", cache_dir=tmp_path / "c")
    made = DvcDataVersioner(DvcConfig(), context)
    (tmp_path / "a.csv").write_text("1")
    made.commit(Path("a.csv"), "flights")
    with pytest.raises(NotFound, match=r"Datasets: flights\. Did you mean 'flights'"):
        made.checkout("flight", "0" * 32, Path("out"))


@pytest.mark.parametrize("suffix", ["/../../out", "..", ".a/b"])
def test_an_ending_from_a_remote_leads_nowhere(suffix: str) -> None:
    """A remote may hold any note of a version."""
    version = DataVersion("flights", "0" * 32, 1, 1, 1.0, ".csv")
    assert from_text(to_text(version), "flights") == version
    assert from_text(to_text(replace(version, suffix=suffix)), "flights") is None


def test_a_library_that_is_missing_is_told(tmp_path: Path) -> None:
    """Remotes of most kinds need one of their own."""
    context = Context(project=tmp_path, state_dir=tmp_path / "s", cache_dir=tmp_path / "c")
    (finding,) = DvcDataVersioner(DvcConfig(remote="oss://bucket/data"), context).check()
    assert not finding.ok and finding.what.endswith("Install it: uv pip install 'dvc[oss]'")


def two_machines(folder: Path, config: DvcConfig) -> list[DvcDataVersioner]:
    """With a cache each; and a file to commit."""
    (folder / "a.csv").write_text("1")
    places = [folder / "here", folder / "there"]
    return [
        DvcDataVersioner(config, Context(project=folder, state_dir=place, cache_dir=place))
        for place in places
    ]


def test_what_dvc_itself_pushed_is_pulled(tmp_path: Path) -> None:
    """It leaves no note of a version's name and time."""
    here, there = two_machines(tmp_path, DvcConfig(remote="remote"))
    version = here.commit(Path("a.csv"), "flights").id
    here.push("flights", version)
    shutil.rmtree(tmp_path / "remote/stackyard")
    assert there.pull("flights", version).files == 1
    assert [v.id for v in there.list("flights")] == [version]


def test_what_is_damaged_in_the_remote_is_named_and_can_be_brought_back(tmp_path: Path) -> None:
    """DVC takes what is there for sound: it has to be removed before it is pushed again."""
    remote = tmp_path / "remote"
    config = DvcConfig(remote=str(remote))
    here, there = two_machines(tmp_path, config)
    version = here.commit(Path("a.csv"), "flights").id
    here.push("flights", version)
    kept = remote / "files" / "md5" / version[:2] / version[2:]
    kept.chmod(0o644)
    kept.write_text("2")
    with pytest.raises(NotFound) as caught:
        there.pull("flights", version)
    assert f"Remove files/md5/{version[:2]}/{version[2:]} there" in str(caught.value)
    kept.unlink()
    here.push("flights", version)
    assert there.pull("flights", version).id == version
