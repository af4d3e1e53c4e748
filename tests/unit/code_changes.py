"""Changes of code: a small project, one edit of it, and whether it may change what a step does."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Files = Mapping[str, str]


@dataclass(frozen=True)
class Row:
    """One edit: in ``file``, ``old`` becomes ``new``; ``step`` is the body of the step's module."""

    name: str
    step: str
    old: str
    new: str
    file: str = "flow.py"
    others: Files = field(default_factory=dict)


def project(row: Row) -> dict[str, str]:
    files = {"flow.py": f"from stackyard import step\n{textwrap.dedent(row.step)}"}
    files.update({name: textwrap.dedent(text) for name, text in row.others.items()})
    return files


HELPERS = {"helpers.py": "def clean(x):\n    return x + 1\n\ndef other(x):\n    return x - 1\n"}
HELPER: Any = dict(old="x + 1", new="x + 2", file="helpers.py", others=HELPERS)
PACKAGE = {
    "pkg/__init__.py": "from .impl import clean\n",
    "pkg/impl.py": "def clean(x):\n    return x + 1\n",
    "pkg/sub/__init__.py": "",
    "pkg/sub/deep.py": "def clean(x):\n    return x + 1\n",
}
IMPL: Any = dict(old="x + 1", new="x + 2", file="pkg/impl.py", others=PACKAGE)
DEEP: Any = dict(old="x + 1", new="x + 2", file="pkg/sub/deep.py", others=PACKAGE)
REGISTRY = {
    "registry.py": "TABLE = {}\ndef register(f):\n    TABLE[f.__name__] = f\n    return f\n",
}


def run(body: str, before: str = "", decorators: str = "@step") -> str:
    """A step ``run`` with ``body``, after the statements ``before``."""
    lines = textwrap.indent(textwrap.dedent(body).strip(), "    ")
    return f"{textwrap.dedent(before).strip()}\n{decorators}\ndef run(x):\n{lines}\n"


MATTERS = [
    # The step itself
    Row("body", run("return x + 1"), "x + 1", "x + 2"),
    Row("default", run("return f(x)", "def f(x, n=1):\n    return n"), "n=1", "n=2"),
    Row("default of the step", "@step\ndef run(x, n=1):\n    return n", "n=1", "n=2"),
    Row("number and truth", run("return 1"), "return 1", "return True"),
    Row("number and fraction", run("return 1"), "return 1", "return 1.0"),
    Row("sign of zero", run("return 0.0"), "0.0", "-0.0"),
    Row("text and bytes", run("return 'a'"), "'a'", "b'a'"),
    Row("infinity and a name", run("return 1e999", "inf = 1"), "1e999", "inf"),
    Row("grouping", run("return x + (x + x)"), "x + (x + x)", "x + x + x"),
    Row("unpacking and None", run("return {**x, 1: 2}"), "**x", "None: x"),
    Row("keyword default", "@step\ndef run(*, x):\n    return x", "*, x", "*, x=None"),
    Row("not async", run("return 1"), "def run", "async def run"),
    Row("return and yield", run("return x"), "return x", "yield x"),
    # Helpers in other modules, by every form of import
    Row("import", run("return helpers.clean(x)", "import helpers"), **HELPER),
    Row("import as", run("return h.clean(x)", "import helpers as h"), **HELPER),
    Row("from import", run("return clean(x)", "from helpers import clean"), **HELPER),
    Row("from import as", run("return g(x)", "from helpers import clean as g"), **HELPER),
    Row("star", run("return clean(x)", "from helpers import *"), **HELPER),
    Row("import inside", run("import helpers\nreturn helpers.clean(x)"), **HELPER),
    Row("import inside as", run("import helpers as h\nreturn h.clean(x)"), **HELPER),
    Row("from import inside", run("from helpers import clean\nreturn clean(x)"), **HELPER),
    Row(
        "global import inside",
        run("fill()\nreturn h.clean(x)", "def fill():\n    global h\n    import helpers as h"),
        **HELPER,
    ),
    Row(
        "import in a nested function",
        run("def inner():\n    import helpers\n    return helpers.clean(x)\nreturn inner()"),
        **HELPER,
    ),
    Row("package", run("return pkg.clean(x)", "import pkg"), **IMPL),
    Row("re-exported", run("return clean(x)", "from pkg import clean"), **IMPL),
    Row("submodule", run("return pkg.sub.deep.clean(x)", "import pkg.sub.deep"), **DEEP),
    Row("submodule as", run("return d.clean(x)", "import pkg.sub.deep as d"), **DEEP),
    Row(
        "from package import module",
        run("return deep.clean(x)", "from pkg.sub import deep"),
        **DEEP,
    ),
    Row(
        "submodule that another import loads",
        run("return pkg.sub.deep.clean(x)", "import pkg\nimport pkg.sub.deep as other"),
        **DEEP,
    ),
    Row(
        "re-export changes",
        run("return clean(x)", "from pkg import clean"),
        ".impl",
        ".sub.deep",
        "pkg/__init__.py",
        {**PACKAGE, "pkg/sub/deep.py": "def clean(x):\n    return x + 2\n"},
    ),
    Row(
        "relative",
        run("return top(x)", "from pkg.mod import top"),
        "x + 1",
        "x + 2",
        "pkg/impl.py",
        {**PACKAGE, "pkg/mod.py": "from . import impl\ndef top(x):\n    return impl.clean(x)\n"},
    ),
    Row(
        "relative upwards",
        run("return top(x)", "from pkg.sub.mod import top"),
        "x + 1",
        "x + 2",
        "pkg/impl.py",
        {
            **PACKAGE,
            "pkg/sub/mod.py": "from ..impl import clean\ndef top(x):\n    return clean(x)\n",
        },
    ),
    Row(
        "helper of a helper",
        run("return top(x)", "from mid import top"),
        "x + 1",
        "x + 2",
        "helpers.py",
        {**HELPERS, "mid.py": "import helpers\ndef top(x): return helpers.clean(x)\n"},
    ),
    Row(
        "namespace package",
        run("return ns.mod.f()", "import ns.mod"),
        "return 1",
        "return 2",
        "ns/mod.py",
        {"ns/mod.py": "def f(): return 1\n"},
    ),
    Row(
        "another step as a function",
        run("return load(x)", "@step\ndef load(x):\n    return 1"),
        "return 1",
        "return 2",
    ),
    Row(
        "either of two imports",
        run(
            "return clean(x)",
            "try:\n    from fast import clean\nexcept ImportError:\n    from helpers import clean",
        ),
        **HELPER,
    ),
    Row(
        "under a condition",
        run(
            "return clean(x)",
            "import sys\nif sys.version_info > (3, 12):\n    from helpers import clean\n"
            "else:\n    from helpers import other as clean",
        ),
        **HELPER,
    ),
    Row(
        "condition",
        run("return D", "import os\nif 'A' in os.environ:\n    D = 1\nelse:\n    D = 2"),
        "D = 2",
        "D = 3",
    ),
    Row(
        "in the else of TYPE_CHECKING",
        run(
            "return clean(x)",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    pass\nelse:\n"
            "    from helpers import clean",
        ),
        **HELPER,
    ),
    Row(
        "a constant that is called TYPE_CHECKING",
        run("return D", "TYPE_CHECKING = True\nD = 0\nif TYPE_CHECKING:\n    D = 1"),
        "D = 1",
        "D = 2",
    ),
    # Constants, classes, tables
    Row("constant", run("return D", "D = 1"), "D = 1", "D = 2"),
    Row(
        "constant elsewhere",
        run("return m.D", "import m"),
        "D = 1",
        "D = 2",
        "m.py",
        {"m.py": "D = 1"},
    ),
    Row("unpacked constant", run("return E", "D, (E, *F) = 1, (2, 3)"), "(2, 3)", "(4, 3)"),
    Row("annotated constant", run("return D", "D: int = 1"), "= 1", "= 2"),
    Row("walrus", run("return E", "D = [E := 1]"), ":= 1", ":= 2"),
    Row("constant of a constant", run("return D", "C = 1\nD = [C]"), "C = 1", "C = 2"),
    Row("set again", run("return D", "D = 1\nD = D + 1"), "D = 1", "D = 3"),
    Row("added to", run("return D", "D = 1\nD += 1"), "+= 1", "+= 2"),
    Row(
        "order of assignments",
        run("return Y", "X = 1\nY = X\nX = 2"),
        "Y = X\nX = 2",
        "X = 2\nY = X",
    ),
    Row(
        "class in a table",
        run("return TABLE['a']().f()", "class A:\n    def f(self): return 1\nTABLE = {'a': A}"),
        "return 1",
        "return 2",
    ),
    Row(
        "table",
        run("return T['a'](x)", "def f(x): return 1\ndef g(x): return 2\nT = {'a': f}"),
        "'a': f",
        "'a': g",
    ),
    Row("class attribute", run("return A.n", "class A:\n    n = 1"), "n = 1", "n = 2"),
    Row(
        "base class",
        run("return B().f()", "class A:\n    def f(self): return 1\nclass B(A): pass"),
        "return 1",
        "return 2",
    ),
    Row(
        "base class elsewhere",
        run("return B().f()", "import m\nclass B(m.A): pass"),
        "return 1",
        "return 2",
        "m.py",
        {"m.py": "class A:\n    def f(self): return 1\n"},
    ),
    Row(
        "generic base class",
        run("return B().f()", "import m\nclass B(m.A[int]): pass"),
        "return 1",
        "return 2",
        "m.py",
        {
            "m.py": "from typing import Generic, TypeVar\nT = TypeVar('T')\n"
            "class A(Generic[T]):\n    def f(self): return 1\n"
        },
    ),
    Row(
        "metaclass",
        run("return A.n", "class M(type):\n    n = 1\nclass A(metaclass=M): pass"),
        "n = 1",
        "n = 2",
    ),
    Row(
        "property",
        run("return A().n", "class A:\n    @property\n    def n(self): return 1"),
        "return 1",
        "return 2",
    ),
    Row(
        "method's helper",
        run("return A().f()", "def g(): return 1\nclass A:\n    def f(self): return g()"),
        "return 1",
        "return 2",
    ),
    Row(
        "private name in a class",
        run("return A().f()", "def _A__g(): return 1\nclass A:\n    def f(self): return __g()"),
        "return 1",
        "return 2",
    ),
    Row(
        "class variable hides a global",
        run("return A.y", "z = 1\nclass A:\n    y = z\n    z = 2"),
        "z = 1",
        "z = 3",
    ),
    Row(
        "name of a class in its comprehension",
        run("return A.y", "z = [1]\nclass A:\n    z = [2]\n    y = [z for _ in 'ab']"),
        "z = [1]",
        "z = [3]",
    ),
    Row(
        "dataclass field",
        run(
            "return P(1)",
            "from dataclasses import dataclass\n@dataclass\nclass P:\n    a: int\n    b: int = 1",
        ),
        "b: int = 1",
        "b: int = 2",
    ),
    Row(
        "enum",
        run("return C.A.value", "from enum import Enum\nclass C(Enum):\n    A = 1"),
        "A = 1",
        "A = 2",
    ),
    # Decorators
    Row(
        "decorator",
        run("return x", "def deco(f):\n    return lambda x: 1", "@step\n@deco"),
        "lambda x: 1",
        "lambda x: 2",
    ),
    Row(
        "decorator outside",
        run("return x", "def deco(f):\n    return lambda x: 1", "@deco\n@step"),
        "lambda x: 1",
        "lambda x: 2",
    ),
    Row(
        "decorator's argument",
        run("return x", "def deco(n):\n    return lambda f: f", "@step\n@deco(1)"),
        "@deco(1)",
        "@deco(2)",
    ),
    Row(
        "decorator taken away",
        run("return x", "from functools import cache", "@step\n@cache"),
        "@cache",
        "",
    ),
    Row(
        "order of decorators",
        run("return x", "def a(f): return f\ndef b(f): return f", "@a\n@b"),
        "@a\n@b",
        "@b\n@a",
    ),
    Row(
        "decorator with wraps",
        run(
            "return x",
            "import functools\ndef d(f):\n    @functools.wraps(f)\n    def inner(x):\n        "
            "return 1\n"
            "    return inner",
            "@step\n@d",
        ),
        "return 1",
        "return 2",
    ),
    Row(
        "decorated helper",
        run(
            "return g(x)",
            "from functools import lru_cache\n@lru_cache(maxsize=1)\ndef g(x): return 1",
        ),
        "return 1",
        "return 2",
    ),
    Row(
        "singledispatch",
        run(
            "return f(x)",
            "from functools import singledispatch\n@singledispatch\ndef f(x): return 0\n"
            "@f.register\ndef _(x: int): return 1",
        ),
        "return 1",
        "return 2",
    ),
    # Inside functions
    Row(
        "nested function",
        run("def g(): return h()\nreturn g()", "def h(): return 1"),
        "return 1",
        "return 2",
    ),
    Row(
        "lambda", run("return F(x)", "def h(): return 1\nF = lambda x: h()"), "return 1", "return 2"
    ),
    Row(
        "comprehension", run("return [h() for _ in x]", "def h(): return 1"), "return 1", "return 2"
    ),
    Row("first iterable", run("return [h for h in h]", "h = [1]"), "[1]", "[2]"),
    Row("default of a lambda", run("return (lambda n=h: n)()", "h = 1"), "h = 1", "h = 2"),
    Row(
        "case",
        run("match x:\n    case A.n:\n        return 1", "class A:\n    n = 1"),
        "n = 1",
        "n = 2",
    ),
    Row(
        "case class",
        run("match x:\n    case A(n):\n        return n", "class A:\n    __match_args__ = ('a',)"),
        "('a',)",
        "('b',)",
    ),
    Row("capture", run("match x:\n    case [a, *b]:\n        return b"), "[a, *b]", "[*b, a]"),
    Row("f-string", run("return f'{h()}'", "def h(): return 1"), "return 1", "return 2"),
    Row("f-string format", run("return f'{x:>{W}}'", "W = 1"), "W = 1", "W = 2"),
    Row("declared global", run("global D\nD += 1\nreturn D", "D = 1"), "D = 1", "D = 2"),
    Row(
        "a function that sets a global",
        run("return D", "D = 1\ndef set_d():\n    global D\n    D = 5"),
        "D = 5",
        "D = 6",
    ),
    Row(
        "a function that fills a table",
        run("return T", "T = {}\ndef fill():\n    T['a'] = 5"),
        "= 5",
        "= 6",
    ),
    Row(
        "recursion",
        run("return f(x)", "def f(x): return g(x)\ndef g(x): return f(x) or 1"),
        "or 1",
        "or 2",
    ),
    Row(
        "import cycle",
        run("return helpers.clean(x)", "import helpers\nD = 1"),
        "D = 1",
        "D = 2",
        others={"helpers.py": "import flow\ndef clean(x): return flow.D\n"},
    ),
    # Annotations
    Row(
        "returned NamedTuple",
        "from typing import NamedTuple\nclass S(NamedTuple):\n    a: int\n    b: int\n"
        "@step\ndef run(x) -> S:\n    return (x, x)",
        "a: int\n    b: int",
        "b: int\n    a: int",
    ),
    Row(
        "quoted NamedTuple",
        "from typing import NamedTuple\nclass S(NamedTuple):\n    a: int\n    b: int\n"
        "@step\ndef run(x) -> 'S':\n    return (x, x)",
        "a: int\n    b: int",
        "b: int\n    a: int",
    ),
    Row(
        "annotation",
        run("return x", "class A:\n    n = 1").replace("(x)", "(x: A)"),
        "n = 1",
        "n = 2",
    ),
    Row(
        "future annotations",
        run("return f(x)", "import os\ndef f(x: int): return 1"),
        "from stackyard",
        "from __future__ import annotations\nfrom stackyard",
    ),
    # What importing does
    Row("item assigned", run("return T", "T = {}\nT['x'] = 1"), "= 1", "= 2"),
    Row(
        "item assigned to a function",
        run("return T['x'](x)", "T = {}\ndef f(x): return 1\nT['x'] = f"),
        "return 1",
        "return 2",
    ),
    Row("update", run("return T", "T = {}\nT.update(a=1)"), "a=1", "a=2"),
    Row(
        "register",
        run("return TABLE", "from registry import TABLE, register\ndef f(): return 1\nregister(f)"),
        "return 1",
        "return 2",
        others=REGISTRY,
    ),
    Row(
        "register as decorator",
        run("return TABLE", "from registry import TABLE, register\n@register\ndef f(): return 1"),
        "return 1",
        "return 2",
        others=REGISTRY,
    ),
    Row(
        "registered elsewhere",
        run("return registry.TABLE", "import registry, plugins"),
        "return 1",
        "return 2",
        "plugins.py",
        {**REGISTRY, "plugins.py": "from registry import register\n@register\ndef f(): return 1\n"},
    ),
    Row(
        "registered by subclassing",
        run("return Base.kinds", "from base import Base\nimport kinds"),
        "return 1",
        "return 2",
        "kinds.py",
        {
            "base.py": "class Base:\n    kinds = {}\n    def __init_subclass__(cls):\n"
            "        Base.kinds[cls.__name__] = cls\n",
            "kinds.py": "from base import Base\nclass A(Base):\n    def f(self): return 1\n",
        },
    ),
    Row(
        "registered by a grandchild",
        run("return Base.kinds", "from base import Base\nimport kinds"),
        "return 1",
        "return 2",
        "kinds.py",
        {
            "base.py": "class Base:\n    kinds = {}\n    def __init_subclass__(cls):\n"
            "        Base.kinds[cls.__name__] = cls\nclass Mid(Base): pass\n",
            "kinds.py": "from base import Mid\nclass A(Mid):\n    def f(self): return 1\n",
        },
    ),
    Row(
        "registered by a metaclass",
        run("return meta.KINDS", "import meta, kinds"),
        "return 1",
        "return 2",
        "kinds.py",
        {
            "meta.py": "KINDS = []\nclass M(type):\n    def __init__(cls, *a):\n        "
            "KINDS.append(cls)\n",
            "kinds.py": "from meta import M\nclass A(metaclass=M):\n    def f(self): return 1\n",
        },
    ),
    Row(
        "registered by a descriptor",
        run("return fields.SEEN", "import fields, model"),
        "F(1)",
        "F(2)",
        "model.py",
        {
            "fields.py": "SEEN = []\nclass F:\n    def __init__(self, n): SEEN.append(n)\n",
            "model.py": "from fields import F\nclass A:\n    x = F(1)\n",
        },
    ),
    Row(
        "registered by a record",
        run("return fields.SEEN", "import fields, model"),
        "F(1)",
        "F(2)",
        "model.py",
        {
            "fields.py": "from dataclasses import dataclass\nSEEN = []\n@dataclass\n"
            "class F:\n    n: int\n"
            "    def __post_init__(self): SEEN.append(self.n)\n",
            "model.py": "from fields import F\nX = F(1)\n",
        },
    ),
    Row(
        "side effect of a call that is assigned",
        run("return T", "T = []\ndef add(n):\n    T.append(n)\n    return n\n_ = add(1)"),
        "add(1)",
        "add(2)",
    ),
    Row(
        "side effect through map",
        run("return T", "T = []\ndef add(n): T.append(n)\n_ = list(map(add, [1]))"),
        "[1]",
        "[2]",
    ),
    Row(
        "side effect of a sorting key",
        run(
            "return T",
            "T = []\ndef key(n):\n    T.append(n)\n    return n\n_ = sorted([1], key=key)",
        ),
        "sorted([1]",
        "sorted([2]",
    ),
    Row(
        "side effect in a default",
        run("return T", "T = []\ndef add(n):\n    T.append(n)\ndef g(x=add(1)): pass"),
        "add(1)",
        "add(2)",
    ),
    Row(
        "side effect of an operator",
        run(
            "return T",
            "class L(list):\n    def __rshift__(self, n): self.append(n)\nT = L()\n_ = T >> 1",
        ),
        ">> 1",
        ">> 2",
    ),
    Row("loop", run("return T", "T = {}\nfor i in (1, 2):\n    T[i] = i"), "(1, 2)", "(1, 3)"),
    Row(
        "with",
        run("return T", "import io\nwith io.StringIO('1') as f:\n    T = f.read()"),
        "'1'",
        "'2'",
    ),
    Row(
        "try",
        run("return T", "try:\n    T = int('1')\nexcept ValueError:\n    T = 2"),
        "'1'",
        "'3'",
    ),
    Row(
        "patch",
        run("return helpers.clean(x)", "import helpers, patches"),
        "x * 3",
        "x * 4",
        "patches.py",
        {
            **HELPERS,
            "patches.py": "import helpers\ndef better(x): return x * 3\nhelpers.clean = better\n",
        },
    ),
    Row(
        "patch by setattr",
        run("return helpers.clean(x)", "import helpers, patches"),
        "x * 3",
        "x * 4",
        "patches.py",
        {**HELPERS, "patches.py": "import helpers\nsetattr(helpers, 'clean', lambda x: x * 3)\n"},
    ),
    Row(
        "patch of a package's init",
        run("return pkg.sub.deep.clean(x)", "import pkg.sub.deep"),
        "x * 3",
        "x * 4",
        "pkg/__init__.py",
        {**PACKAGE, "pkg/__init__.py": "from .sub import deep\ndeep.clean = lambda x: x * 3\n"},
    ),
    Row(
        "patch that is taken away",
        run("return helpers.clean(x)", "import helpers\nimport patches"),
        "\nimport patches",
        "",
        others={**HELPERS, "patches.py": "import helpers\nhelpers.clean = lambda x: x * 3\n"},
    ),
    Row(
        "order of imports that do something",
        run("return registry.TABLE", "import one\nimport two\nimport registry"),
        "import one\nimport two",
        "import two\nimport one",
        others={
            **REGISTRY,
            "one.py": "import registry\nregistry.TABLE['f'] = 1\n",
            "two.py": "import registry\nregistry.TABLE['f'] = 2\n",
        },
    ),
    Row(
        "order of statements",
        run("return T", "T = []\nT.append(1)\nT.append(2)"),
        "T.append(1)\nT.append(2)",
        "T.append(2)\nT.append(1)",
    ),
    Row(
        "a name taken away", run("return len(x)", "def len(x): return 1\ndel len"), "\ndel len", ""
    ),
    Row("a builtin hidden", run("return sum(x)", "D = 1"), "D = 1", "def sum(x): return 1"),
    Row(
        "a builtin hidden by a star",
        run("return sum(x)", "from m import *"),
        "D = 1",
        "def sum(x): return 1",
        "m.py",
        {"m.py": "D = 1"},
    ),
    Row(
        "a name hidden by a star",
        run("return f(x)", "from helpers import clean as f\nfrom m import *"),
        "D = 1",
        "def f(x): return 1",
        "m.py",
        {**HELPERS, "m.py": "D = 1"},
    ),
    Row(
        "what a star brings",
        run("return sum(x)", "from m import *"),
        "['g']",
        "['sum']",
        "m.py",
        {"m.py": "__all__ = ['g']\ndef g(x): return 1\ndef sum(x): return 2\n"},
    ),
    # Dynamic lookups: the module counts whole
    Row("getattr", run("return getattr(helpers, x)(1)", "import helpers"), **HELPER),
    Row(
        "getattr by constant",
        run("return getattr(helpers, 'clean')(1)", "import helpers"),
        **HELPER,
    ),
    Row(
        "module as a value",
        run("return pick(helpers)", "import helpers\ndef pick(m): return getattr(m, 'clean')"),
        **HELPER,
    ),
    Row(
        "module in a table",
        run("return T['h'].clean(x)", "import helpers\nT = {'h': helpers}"),
        **HELPER,
    ),
    Row(
        "module under another name",
        run("return h.clean(x)", "import helpers\nh = helpers"),
        **HELPER,
    ),
    Row("vars", run("return vars(helpers)[x]", "import helpers"), **HELPER),
    Row("__dict__", run("return helpers.__dict__[x]", "import helpers"), **HELPER),
    Row(
        "module __getattr__",
        run("return m.anything", "import m"),
        "return 1",
        "return 2",
        "m.py",
        {"m.py": "def _f(): return 1\ndef __getattr__(name): return globals()['_f']()\n"},
    ),
    Row("globals", run("return globals()[x](1)", "def f(x): return 1"), "return 1", "return 2"),
    Row(
        "globals of another module",
        run("return m.pick(x)", "import m"),
        "return 1",
        "return 2",
        "m.py",
        {"m.py": "def f(): return 1\ndef pick(x): return globals()[x]()\n"},
    ),
    Row(
        "locals of the module",
        run("return T['f']()", "def f(): return 1\nT = locals()"),
        "return 1",
        "return 2",
    ),
    Row("eval", run("return eval(x)", "def f(x): return 1"), "return 1", "return 2"),
    Row("eval of another module", run("return eval(x)", "import helpers"), **HELPER),
    Row(
        "eval under another name",
        run("return e(x)", "e = eval\ndef f(x): return 1"),
        "return 1",
        "return 2",
    ),
    Row("exec", run("exec(x)", "import helpers"), **HELPER),
    Row(
        "import_module",
        run("return importlib.import_module(x).clean(1)", "import importlib"),
        **HELPER,
    ),
    Row(
        "import_module by constant",
        run("return import_module('helpers').clean(1)", "from importlib import import_module"),
        **HELPER,
    ),
    Row(
        "import_module by beginning",
        run("return im(f'pkg.{x}').clean(1)", "from importlib import import_module as im"),
        **IMPL,
    ),
    Row("__import__", run("return __import__('helpers').clean(1)"), **HELPER),
    Row(
        "sys.modules",
        run("return sys.modules['helpers'].clean(1)", "import sys, helpers"),
        **HELPER,
    ),
    Row(
        "unpickled",
        run("return pickle.load(x)", "import pickle"),
        "return 1",
        "return 2",
        "m.py",
        {"m.py": "class A:\n    def f(self): return 1\n"},
    ),
    Row(
        "subclasses",
        run("return A.__subclasses__()", "from m import A\nimport kinds"),
        "return 1",
        "return 2",
        "kinds.py",
        {
            "m.py": "class A: pass\n",
            "kinds.py": "import m\nclass B(m.A):\n    def f(self): return 1\n",
        },
    ),
    Row(
        "globals of a function",
        run("return f.__globals__[x]", "from helpers import other as f"),
        **HELPER,
    ),
    Row(
        "module that imports a module",
        run("return getattr(getattr(helpers, x), 'clean')", "import mid as helpers"),
        "x + 1",
        "x + 2",
        "helpers.py",
        {**HELPERS, "mid.py": "import helpers\n"},
    ),
    Row(
        "package as a value", run("return getattr(pkg, x).clean(1)", "import pkg, pkg.impl"), **IMPL
    ),
    Row(
        "name set from elsewhere",
        run("return later(x)", "import m"),
        "return 1",
        "return 2",
        "m.py",
        {"m.py": "import builtins\ndef f(x): return 1\nbuiltins.later = f\n"},
    ),
    Row("docstring that is read", run("return f.__doc__", "def f():\n    'one'"), "'one'", "'two'"),
    Row(
        "docstring that a decorator may read",
        run("return TABLE", "from registry import TABLE, register\n@register\ndef f():\n    'one'"),
        "'one'",
        "'two'",
        others=REGISTRY,
    ),
    Row(
        "source that is read",
        run("return inspect.getsource(f)", "import inspect\ndef f(): pass # 1"),
        "# 1",
        "# 2",
    ),
    Row(
        "variable in a query",
        run("return x.query('delay > @LIMIT')", "LIMIT = 1"),
        "LIMIT = 1",
        "LIMIT = 2",
    ),
    Row(
        "variable in a formula",
        run("return ols('y ~ center(x)', x)", "from s import ols\ndef center(x): return 1"),
        "return 1",
        "return 2",
    ),
    Row(
        "variable in SQL",
        run("return duck.sql('select * from airports')", "import duck\nairports = [1]"),
        "[1]",
        "[2]",
    ),
    Row(
        "source that cannot be parsed",
        run("return helpers.clean(x)", "import helpers"),
        "x + 1",
        "x + 2",
        "helpers.py",
        {"helpers.py": "def clean(x):\n    return x + 1 1\n"},
    ),
    Row(
        "a module that is not whole",
        run("return helpers.clean(x)", "import helpers"),
        "x + 1 1",
        "x + 1",
        "helpers.py",
        {"helpers.py": "def clean(x):\n    return x + 1 1\n"},
    ),
    Row(
        "star inside try",
        run("return clean(x)", "try:\n    from helpers import *\nexcept ImportError:\n    pass"),
        **HELPER,
    ),
    Row(
        "class on top of itself",
        run("return A().f()", "class A:\n    def f(self): return 1\nclass A(A): pass"),
        "return 1",
        "return 2",
    ),
    # Steps that are not plain functions
    Row("made by assignment", "def f(x): return 1\nrun = step(f)", "return 1", "return 2"),
    Row(
        "step that is a closure",
        "def make(n):\n    @step\n    def run(x): return n\n    return run\nrun = make(1)",
        "make(1)",
        "make(2)",
    ),
]

DOES_NOT = [
    Row("comment", run("return 1  # one"), "# one", "# two"),
    Row(
        "layout",
        run("return f(x, 1)", "def f(x, n): return n"),
        "f(x, 1)",
        "f(\n        x,\n        1,\n    )",
    ),
    Row("lines above", run("return 1", "D = 1"), "D = 1", "\n\n\nD = 1"),
    Row("quotes", run("return 'a'"), "'a'", '"a"'),
    Row("joined text", run("return 'ab'"), "'ab'", "'a' 'b'"),
    Row("docstring", run("'''one'''\nreturn 1"), "one", "two"),
    Row("docstring alone", run("'''one'''"), "'''one'''", "pass"),
    Row(
        "docstring of a class",
        run("return A()", "class A:\n    'one'\n    n = 1"),
        "'one'",
        "'two'",
    ),
    Row("docstring of the module", run("return 1", "'one'"), "'one'", "'two'"),
    Row(
        "docstring of a helper elsewhere",
        run("return m.f()", "import m"),
        "one",
        "two",
        "m.py",
        {"m.py": "'''one'''\ndef f(): return 1\n"},
    ),
    Row(
        "options of the step",
        run("return 1", decorators="@step(retries=1)"),
        "retries=1",
        "retries=2",
    ),
    Row("options by name", run("return 1", "R = 1", "@step(retries=R)"), "R = 1", "R = 2"),
    Row(
        "step under another name",
        run("return 1", "import stackyard as sy", "@sy.step(retries=1)"),
        "retries=1",
        "retries=2",
    ),
    Row(
        "step as another name",
        run("return 1", "from stackyard import step as s", "@s(cache='1d')"),
        "1d",
        "2d",
    ),
    Row(
        "step through a module of the project",
        run("return 1", "from common import task", "@task(retries=1)"),
        "retries=1",
        "retries=2",
        others={"common.py": "from stackyard import step as task\n"},
    ),
    Row("another function", run("return 1", "def g(): return 2"), "return 2", "return 3"),
    Row(
        "another function elsewhere",
        run("return clean(x)", "from helpers import clean"),
        "x - 1",
        "x - 2",
        "helpers.py",
        HELPERS,
    ),
    Row("another constant", run("return 1", "D = 1"), "D = 1", "D = 2"),
    Row("another class", run("return 1", "class A:\n    n = 1"), "n = 1", "n = 2"),
    Row(
        "another step",
        run("return 1", "@step(retries=1)\ndef load(): return 2"),
        "return 2",
        "return 3",
    ),
    Row(
        "the pipeline",
        run(
            "return 1",
            "from stackyard import pipeline\n@pipeline(schedule='@daily')\ndef flow():\n    run(1)",
        ),
        "run(1)",
        "run(2)",
    ),
    Row(
        "an import that nobody uses",
        run("return 1", "D = 1"),
        "D = 1",
        "import os, helpers",
        others=HELPERS,
    ),
    Row(
        "order of functions",
        run("return f(x)", "def f(x): return 1\ndef g(x): return 2"),
        "def f(x): return 1\ndef g(x): return 2",
        "def g(x): return 2\ndef f(x): return 1",
    ),
    Row(
        "TYPE_CHECKING",
        run("return 1", "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import a"),
        "import a",
        "import b",
    ),
    Row(
        "typing.TYPE_CHECKING",
        run("return 1", "import typing as t\nif t.TYPE_CHECKING:\n    import a"),
        "import a",
        "import b",
    ),
    Row(
        "names for type checkers",
        run(
            "return 1",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
            "    from helpers import clean as C",
        ).replace("(x)", "(x: 'C')"),
        "x + 1",
        "x + 2",
        "helpers.py",
        HELPERS,
    ),
    Row(
        "main", run("return 1", "if __name__ == '__main__':\n    print(1)"), "print(1)", "print(2)"
    ),
    Row(
        "a local name like a global",
        run("load = x\nreturn load", "def load(): return 1"),
        "return 1",
        "return 2",
    ),
    Row("a parameter like a global", run("return x", "def x(): return 1"), "return 1", "return 2"),
    Row(
        "a variable of a comprehension",
        run("return [load for load in x]", "def load(): return 1"),
        "return 1",
        "return 2",
    ),
    Row(
        "a name of an exception",
        run("try:\n    pass\nexcept ValueError as load:\n    return load", "def load(): return 1"),
        "return 1",
        "return 2",
    ),
    Row(
        "a captured name",
        run(
            "match x:\n    case {'a': load, **rest}:\n        return load, rest",
            "def load(): return 1\ndef rest(): return 2",
        ),
        "return 1",
        "return 2",
    ),
    Row(
        "an attribute like a global",
        run("return x.load()", "def load(): return 1"),
        "return 1",
        "return 2",
    ),
    Row("annotation of a local variable", run("y: int = x\nreturn y"), "y: int", "y: float"),
    Row(
        "quotes of an annotation", run("return x").replace("(x)", "(x: int)"), "x: int", "x: 'int'"
    ),
    Row(
        "another key of Literal",
        run("return x", "from typing import Literal\ndef load(): return 1").replace(
            "(x)", "(x: Literal['load'])"
        ),
        "return 1",
        "return 2",
    ),
    Row("a logger", run("return 1", "import logging\nlog = logging.getLogger('a')"), "'a'", "'b'"),
    Row(
        "a path",
        run("return 1", "from pathlib import Path\nP = Path(__file__).parent.resolve() / 'a'"),
        "'a'",
        "'b'",
    ),
    Row(
        "a record",
        run(
            "return 1",
            "from dataclasses import dataclass\n@dataclass(frozen=True)\nclass P:\n"
            "    n: int = 1\nDEFAULT = P(n=2)",
        ),
        "n=2",
        "n=3",
    ),
    Row(
        "a decorator that only wraps",
        run(
            "return 1",
            "import functools\ndef d(f):\n    @functools.wraps(f)\n    def inner(*a):\n        "
            "return f(*a)\n"
            "    return inner\n@d\ndef g(): return 2",
        ),
        "return 2",
        "return 3",
    ),
    Row(
        "a collection of garbage",
        run("gc.collect()\nreturn 1", "import gc\ndef g(): return 2"),
        "return 2",
        "return 3",
    ),
    Row(
        "looking for an installed package",
        run("return find_spec('data')", "from importlib.util import find_spec\ndef g(): return 2"),
        "return 2",
        "return 3",
    ),
    Row(
        "one more import of the same package",
        run("return pkg.clean(x)", "import pkg"),
        "import pkg",
        "import pkg\nimport pkg.sub",
        others=PACKAGE,
    ),
    Row("a shift of numbers", run("return 1", "SIZE = 1 << 20"), "20", "21"),
]
