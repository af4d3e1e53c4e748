"""Trees of stack files that were read before: the same trees, and never a reason to fail."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from stackyard.yaml_source import parse, read

TEXT = """\
# a comment
text: "ü \\U0001F600"
other: [1, -2.5, 1e3, true, ~, 0x10, 123456789012345678901234567890]
deep: &d
  a: {b: [{c: []}, {}]}
again: *d
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "s.yaml"
    path.write_text(TEXT, encoding="utf-8")
    return path


def copy_of(cache: Path) -> Path:
    (found,) = cache.glob("stacks-*/*")
    return found


def test_what_was_read_before_is_the_same_tree(file: Path, tmp_path: Path) -> None:
    made = read(file, "stacks/s.yaml", tmp_path / "cache")
    assert made == parse(TEXT, "stacks/s.yaml")
    assert read(file, "stacks/s.yaml", tmp_path / "cache") == made
    renamed = read(file, "stacks/other.yaml", tmp_path / "cache")
    assert renamed == parse(TEXT, "stacks/other.yaml")
    assert str(renamed.items()["deep"].items()["a"].key) == "stacks/other.yaml:5:3"


def test_a_file_that_changed_is_read_again(file: Path, tmp_path: Path) -> None:
    read(file, "s", tmp_path / "cache")
    before = file.stat()
    file.write_text(TEXT.replace("-2.5", "-2.6"), encoding="utf-8")
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert read(file, "s", tmp_path / "cache").plain()["other"][1] == -2.6


@pytest.mark.parametrize(
    "damage",
    [b"", b"[1", b"\xff", b"{}", b"[1, 2]", b"[[[]], 1, 1, null]", b"[" * 100_000],
    ids=range(7),
)
def test_a_damaged_copy_is_made_again(file: Path, tmp_path: Path, damage: bytes) -> None:
    made = read(file, "s", tmp_path / "cache")
    copy_of(tmp_path / "cache").write_bytes(damage)
    assert read(file, "s", tmp_path / "cache") == made
    assert json.loads(copy_of(tmp_path / "cache").read_bytes())


def test_a_cache_that_cannot_be_written_is_no_error(file: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file is in the way")
    assert read(file, "s", tmp_path / "cache") == parse(TEXT, "s")


def test_a_known_file_needs_no_parser(file: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stackyard.yaml_source import read\n"
        f"read(Path({str(file)!r}), 's', Path({str(tmp_path / 'cache')!r}))\n"
        "print('yaml' in sys.modules)"
    )
    said = [subprocess.check_output([sys.executable, "-c", code], text=True) for _ in range(2)]
    assert said == ["True\n", "False\n"]
