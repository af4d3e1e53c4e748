"""The fingerprint against the truth: every small mutation of a project that changes what its step
returns must change the step's fingerprint.

The project uses whatever makes names hard to follow. Each mutant (a number changed, a statement
taken away, two neighbours exchanged) is really imported and run, and its result compared.
"""

from __future__ import annotations

import ast
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from stackyard.store.code.index import CodeIndex

PROJECT = {
    "flow.py": """
from __future__ import annotations
import functools
import one, two
import helpers as h
from helpers import double as twice, Base
from pkg import clean, sub
import pkg.sub.deep
from stars import *
from typing import NamedTuple

DEPTH = 3
WIDTH = DEPTH + 4
A, (B, *REST) = 1, (2, 5, 6)
TABLE = {}
COUNT = 10
COUNT += 11
UNUSED = 99

class Out(NamedTuple):
    first: int
    second: int = 12

class Left(Base):
    weight = 13
    def value(self, n=14):
        return n + self.weight + _private()

class Right(Left):
    weight = 15

def _private():
    return WIDTH

def unused(x):
    return x + 98

def wrap(n):
    def deco(f):
        @functools.wraps(f)
        def inner(*args):
            return f(*args) + n
        return inner
    return deco

def note(f):
    TABLE[f.__name__] = f
    return f

@note
def noted():
    return 16

@wrap(17)
def wrapped(x):
    return x * 18

TABLE["lambda"] = lambda x: x + 19
for name in ("p", "q"):
    TABLE[name] = len(TABLE) + 20
KINDS = {"left": Left, "right": Right}

try:
    import nothing_of_this_name
    LIMIT = 21
except ImportError:
    LIMIT = 22

if DEPTH > 2:
    def choice(): return 23
else:
    def choice(): return 24

def recursive(n):
    return 25 if n <= 0 else other(n - 1)

def other(n):
    return recursive(n - 1) + 26

def counter():
    global COUNT
    COUNT += 27
    return COUNT

def matched(x):
    match x:
        case {"a": value, **rest}:
            return value + len(rest)
        case [1, *more]:
            return 28
        case _:
            return 29

def run(x, n=DEPTH):
    local = [twice(i) + B for i in REST]
    import lazy
    from pkg.sub import deep as d
    def nested(y, z=A):
        return y + z + LIMIT
    values = [
        local, lazy.late(x), d.deepest(), pkg.sub.deep.deepest(), sub.SUB, clean(x), nested(30),
        KINDS["right"]().value(), TABLE["lambda"](1), TABLE["p"], TABLE["noted"](), wrapped(x),
        choice(), recursive(3), counter(), matched({"a": 31, "b": 1}), h.CONSTANT, h.patched(),
        starred(x), hidden_by_star(), Base.kinds["Left"], one.registry.ITEMS, Out(32),
        getattr(h, "double")(33), list(map(lambda v: v + two.TWO, [34])), h.later(),
    ]
    return repr(values)
""",
    "helpers.py": """
import registry
CONSTANT = 40
def double(x): return x * 41
def patched(): return 42
class Base:
    kinds = {}
    weight = 43
    def __init_subclass__(cls, **kw):
        Base.kinds[cls.__name__] = 44 + len(cls.__mro__)
def unrelated(): return 97
def later(): return registry.STATE["later"]
""",
    "registry.py": """
ITEMS = []
STATE = dict(later=50)
def add(n):
    ITEMS.append(n)
    return n
""",
    "one.py": """
import registry
import helpers
registry.ITEMS.append(60)
X = registry.add(61)
def better(): return 62
helpers.patched = better
def unrelated(): return 96
""",
    "two.py": """
import registry
from registry import add as put
put(70)
TWO = 71
THREE = 95
def setup():
    registry.STATE["later"] = TWO + 72
setup()
""",
    "stars.py": """
from more import *
def starred(x): return x + 80 + len(x_list)
x_list = [more_value, 81]
""",
    "more.py": """
__all__ = ["more_value", "hidden_by_star"]
more_value = 90
def hidden_by_star(): return 91
def not_exported(): return 94
""",
    "lazy.py": "BASE = 100\ndef late(x): return _in(x)\ndef _in(x): return BASE + x\n",
    "pkg/__init__.py": "from .impl import clean\nfrom . import sub\nsub.SUB = sub.SUB + 110\n",
    "pkg/impl.py": "from .sub.deep import deepest\ndef clean(x): return x + deepest() + 111\n",
    "pkg/sub/__init__.py": "SUB = 112\ndef unrelated(): return 93\n",
    "pkg/sub/deep.py": "import pkg\ndef deepest(): return 113\ndef _shallow(): return 92\n",
}


def mutants(text: str) -> Iterator[tuple[str, str]]:
    """Every mutant of a module's source, and what was done to it."""
    count = sum(
        isinstance(n, ast.Constant) and type(n.value) is int for n in ast.walk(ast.parse(text))
    )
    for number in range(count):
        tree = ast.parse(text)
        constants = [
            n for n in ast.walk(tree) if isinstance(n, ast.Constant) and type(n.value) is int
        ]
        chosen = constants[number]
        before = chosen.value
        chosen.value = before + 1000  # type: ignore[operator]
        yield f"{before} + 1000, line {chosen.lineno}", ast.unparse(tree)
    bodies = sum(isinstance(getattr(n, "body", None), list) for n in ast.walk(ast.parse(text)))
    for number in range(bodies):
        position = 0
        while True:
            for exchange in (False, True):
                tree = ast.parse(text)
                found = [n for n in ast.walk(tree) if isinstance(getattr(n, "body", None), list)]
                body: list[ast.stmt] = found[number].body  # type: ignore[attr-defined]
                if position + exchange >= len(body):
                    break
                line = body[position].lineno
                if exchange:
                    body[position : position + 2] = body[position : position + 2][::-1]
                    yield f"exchange of lines {line} and next", ast.unparse(tree)
                else:
                    del body[position]
                    body[:] = body or [ast.Pass()]
                    yield f"without line {line}", ast.unparse(tree)
            position += 1
            if position >= len(body):
                break


def behaviour(root: Path) -> str | None:
    """What the step really does; None if its pipeline cannot even be loaded."""
    names = {name.removesuffix(".py").split("/")[0] for name in PROJECT}
    sys.path.insert(0, str(root))
    sys.dont_write_bytecode = True
    try:
        importlib.invalidate_caches()
        try:
            flow = importlib.import_module("flow")
        except Exception:  # whatever a mutant raises
            return None
        return str(flow.run(5))
    except Exception as error:  # whatever a mutant raises is what it does
        return f"{type(error).__name__}: {error}"
    finally:
        sys.path.remove(str(root))
        sys.dont_write_bytecode = False
        for module in [m for m in sys.modules if m.partition(".")[0] in names]:
            del sys.modules[module]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("mutants") / "dags"
    for name, text in PROJECT.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(ast.unparse(ast.parse(text)))
    return root


@pytest.mark.parametrize("name", sorted(PROJECT))
def test_no_mutant_is_missed(project: Path, name: str, tmp_path: Path) -> None:
    def fingerprint() -> str:
        return CodeIndex([project], cache_dir=tmp_path, path=[]).fingerprint("flow:run").digest

    file = project / name
    original = file.read_text()
    truth, known = behaviour(project), fingerprint()
    assert truth is not None
    assert "Error" not in truth
    missed, spurious, changed = [], [], 0
    for what, text in mutants(original):
        file.write_text(text)
        result = behaviour(project)
        if result is None:
            continue
        differs = result != truth
        noticed = fingerprint() != known
        changed += differs
        if differs and not noticed:
            missed.append(what)
        if noticed and not differs:
            spurious.append(what)
    file.write_text(original)
    print(f"{name}: {changed} mutants differ; changed for nothing: {spurious}")
    assert not missed
    assert changed or name == "more.py"
    assert fingerprint() == known
