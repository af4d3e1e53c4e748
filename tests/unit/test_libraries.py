"""Versions of what code imports: by name, by the map of import names, by content."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import pytest

from stackyard.store.code.index import CodeIndex
from stackyard.store.libraries import Libraries


def install(site: Path, name: str, version: str, *, modules: str, **files: str) -> Path:
    """Put the metadata of a distribution into ``site``; ``modules`` are the lines of its RECORD."""
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Name: {name}\nVersion: {version}\n")
    (info / "RECORD").write_text(modules)
    for file, text in files.items():
        (info / file.replace("__", ".")).write_text(text)
    return info


@pytest.fixture
def site(tmp_path: Path) -> Path:
    place = tmp_path / "site"
    install(place, "tiny_lib", "1.2.0", modules="tiny_lib/__init__.py,,\n")
    install(place, "scikit_thing", "0.9", modules="skthing/a.py,,\nskthing/b.py,,\n_skext.so,,\n")
    install(place, "acme_one", "1.0", modules="acme/one.py,,\n")
    install(place, "acme_two", "2.0", modules="acme/two.py,,\n")
    install(place, "old", "3.0", modules="", top_level__txt="legacy\n")
    return place


def test_versions_by_name_and_by_import_name(site: Path, tmp_path: Path) -> None:
    libraries = Libraries(tmp_path / "cache", path=[str(site)])
    assert libraries.versions(["skthing", "tiny_lib"]) == {
        "scikit-thing": "0.9",
        "tiny-lib": "1.2.0",
    }
    assert libraries.versions(["acme"]) == {"acme-one": "1.0", "acme-two": "2.0"}
    assert libraries.versions(["legacy"]) == {"old": "3.0"}
    assert libraries.versions(["absent"]) == {"absent": "not installed"}


def test_the_first_folder_on_the_path_counts(site: Path, tmp_path: Path) -> None:
    install(tmp_path / "first", "tiny_lib", "9.9", modules="")
    assert Libraries(None, path=[str(tmp_path / "first"), str(site)]).versions(["tiny_lib"]) == {
        "tiny-lib": "9.9"
    }


def test_the_map_is_kept_until_the_folder_changes(site: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    assert Libraries(cache, path=[str(site)]).versions(["skthing"]) == {"scikit-thing": "0.9"}
    (kept,) = (cache / "libraries-1").iterdir()
    kept.write_text(json.dumps({"skthing": ["tiny-lib"]}))
    assert Libraries(cache, path=[str(site)]).versions(["skthing"]) == {"tiny-lib": "1.2.0"}
    kept.write_text("{cut o")
    assert Libraries(cache, path=[str(site)]).versions(["skthing"]) == {"scikit-thing": "0.9"}
    (site / "scikit_thing-0.9.dist-info").rename(site / "scikit_thing-1.0.dist-info")
    os.utime(site, ns=(time.time_ns(), time.time_ns() + 1))
    assert Libraries(cache, path=[str(site)]).versions(["skthing"]) == {"scikit-thing": "1.0"}


def test_a_module_without_distribution_counts_by_content(tmp_path: Path) -> None:
    def version(text: str, folder: str) -> str:
        place = tmp_path / folder
        (place / "local" / "sub").mkdir(parents=True)
        (place / "local" / "__init__.py").write_text("")
        (place / "local" / "sub" / "a.py").write_text(text)
        return Libraries(None, path=[str(place)]).versions(["local"])["local"]

    assert version("A = 1", "x") == version("A = 1", "y")
    assert version("A = 1", "z") != version("A = 2", "w")


@pytest.mark.parametrize("editable", [True, False])
def test_code_that_changes_under_one_version(tmp_path: Path, editable: bool) -> None:
    def version(text: str, folder: str) -> str:
        site, source = tmp_path / folder / "site", tmp_path / folder / "source"
        origin = {"url": f"file://{source}", "dir_info": {"editable": editable}}
        record = f"own.py,sha256={text},1\n../bin/own,sha256={folder},1\n"
        install(site, "own", "0.1.0", modules=record, direct_url__json=json.dumps(origin))
        source.mkdir()
        (source / "own.py").write_text(text)
        return Libraries(None, path=[str(site), str(source)]).versions(["own"])["own"]

    assert version("A = 1", "a") == version("A = 1", "b")
    assert version("A = 1", "c") != version("A = 2", "d")
    assert version("A = 1", "e").startswith("0.1.0 ")


def libraries_of(tmp_path: Path, source: str) -> dict[str, str]:
    root = tmp_path / "dags"
    root.mkdir()
    (root / "flow.py").write_text(source)
    return dict(CodeIndex([root], path=[]).fingerprint("flow:run").distributions)


@pytest.mark.parametrize(
    ("source", "names"),
    [
        (
            "import numpy as np\nimport pandas\ndef run(): return np.mean([1])\n"
            "def other(): return pandas",
            {"numpy"},
        ),
        ("from sklearn.linear_model import Ridge\ndef run(): return Ridge()", {"sklearn"}),
        ("def run():\n    import pandas as pd\n    return pd.DataFrame()", {"pandas"}),
        ("def run():\n    from a.b import c\n", {"a"}),
        ("import swifter\ndef run(): return 1", {"swifter"}),
        ("from numpy import *\ndef run(): return mean([1])", {"numpy"}),
        (
            "try:\n    import cudf as pd\nexcept ImportError:\n    import pandas as pd\n"
            "def run(): return pd.DataFrame()",
            {"cudf", "pandas"},
        ),
        ("import numpy as np\nX = np.array([1])\ndef run(): return X", {"numpy"}),
        ("import numpy as np\ndef g() -> np.ndarray: ...\ndef run(): return 1", set()),
        (
            "from __future__ import annotations\nimport os, json, stackyard\n"
            "def run(): return os, json, stackyard.Period",
            set(),
        ),
        (
            "from importlib.util import find_spec\ndef run(): return find_spec('data_package')",
            {"data_package"},
        ),
    ],
)
def test_the_libraries_that_count(tmp_path: Path, source: str, names: set[str]) -> None:
    assert set(libraries_of(tmp_path, source)) == names


def test_another_version_is_another_fingerprint(tmp_path: Path) -> None:
    root = tmp_path / "dags"
    root.mkdir()
    (root / "flow.py").write_text("import tinylib\ndef run(): return tinylib.one()\n")
    digests = set()
    for version in ("1.0", "1.1"):
        site = tmp_path / version
        install(site, "tinylib", version, modules="tinylib.py,,\n")
        digests.add(CodeIndex([root], path=[str(site)]).fingerprint("flow:run").digest)
    assert len(digests) == 2
