"""Of pinned code only the source runs, and what is compiled of it lies in a private folder."""

from __future__ import annotations

import importlib.util
import os
import py_compile
import subprocess
import sys
from pathlib import Path

CODE = """
import sys
from pathlib import Path
from stackyard.bytecode import compile_aside
code, aside = map(Path, sys.argv[1:])
compile_aside(code, aside)
sys.path.insert(0, str(code / "src"))
import pack.module
"""


def ran(code: Path, aside: Path) -> str:
    argv = [sys.executable, "-c", CODE, str(code), str(aside)]
    # without PYTHONDONTWRITEBYTECODE and the like
    env = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    return subprocess.run(argv, capture_output=True, text=True, check=True, env=env).stdout.strip()


def plant(target: Path, folder: Path) -> None:
    """Bytecode that Python runs without a look at the source."""
    other = folder / "other.py"
    other.write_text("print('planted')")
    target.parent.mkdir(parents=True, exist_ok=True)
    py_compile.compile(
        str(other), str(target), invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH
    )


def test_bytecode_of_pinned_code(tmp_path: Path) -> None:
    home = tmp_path / "bundles"
    home.mkdir(mode=0o700)
    module = home / "code/src/pack/module.py"
    module.parent.mkdir(parents=True)
    module.write_text("print('pinned')")
    inside = Path(importlib.util.cache_from_source(str(module)))
    outside = home / "aside" / inside.relative_to(home / "code")
    plant(inside, tmp_path)
    assert ran(home / "code", home / "aside") == "pinned"
    inside.unlink()
    assert outside.is_file()
    assert not inside.exists()
    plant(outside, tmp_path)
    assert ran(home / "code", home / "aside") == "planted"  # what is there is used: it is our own
    home.chmod(0o777)
    assert ran(home / "code", home / "aside") == "pinned"
    outside.unlink()
    assert ran(home / "code", home / "aside") == "pinned"
    assert not inside.exists()
    assert not outside.exists()
