"""What is known of code outside the project: what has no effect when called, what looks around.

Names are dotted, as in ``functools.lru_cache``; a family ends with a dot. A name that is missing
among the pure ones costs precision and never truth: calling it while a module is imported makes
that statement count for every step that loads the module.
"""

from __future__ import annotations

import re


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Calling these while a module is imported changes nothing but the value that is returned.
PURE_CALLS = _names(
    """
    builtins.abs builtins.all builtins.any builtins.bool builtins.bytearray builtins.bytes
    builtins.chr builtins.complex builtins.dict builtins.divmod builtins.enumerate
    builtins.float builtins.format builtins.frozenset builtins.getattr builtins.hasattr
    builtins.hash builtins.hex builtins.id builtins.int builtins.isinstance builtins.issubclass
    builtins.len builtins.list builtins.max builtins.min builtins.object builtins.oct
    builtins.ord builtins.pow builtins.print builtins.property builtins.range builtins.repr
    builtins.reversed builtins.round builtins.set builtins.slice builtins.sorted
    builtins.staticmethod builtins.classmethod builtins.str builtins.sum builtins.super
    builtins.tuple builtins.zip collections.ChainMap collections.Counter collections.OrderedDict
    collections.defaultdict collections.deque collections.namedtuple dataclasses.field
    datetime.date datetime.datetime datetime.time datetime.timedelta datetime.timezone
    decimal.Decimal enum.auto fractions.Fraction functools.partial functools.lru_cache
    itertools.chain itertools.count itertools.cycle itertools.product itertools.permutations
    itertools.combinations itertools.repeat logging.getLogger operator.attrgetter
    operator.itemgetter os.getenv os.environ.get os.path.abspath os.path.basename
    os.path.dirname os.path.exists os.path.expanduser os.path.join os.path.realpath os.getcwd
    os.fspath pathlib.Path pathlib.PurePath pathlib.PurePosixPath pathlib.Path.cwd
    pathlib.Path.home re.compile re.escape string.Template types.MappingProxyType
    types.SimpleNamespace threading.Lock threading.RLock uuid.UUID zoneinfo.ZoneInfo
    importlib.util.find_spec importlib.metadata.version numpy.arange numpy.array numpy.asarray
    numpy.dtype numpy.eye numpy.finfo numpy.float32 numpy.float64 numpy.full numpy.iinfo
    numpy.int32 numpy.int64 numpy.linspace numpy.ones numpy.random.default_rng numpy.timedelta64
    numpy.datetime64 numpy.zeros pandas.CategoricalDtype pandas.DataFrame pandas.DatetimeTZDtype
    pandas.Index pandas.Period pandas.Series pandas.Timedelta pandas.Timestamp pandas.date_range
    pandas.to_datetime pandas.to_timedelta attr.ib attr.field attrs.field pydantic.Field
    pydantic.ConfigDict
    """
)
PURE_CALL_FAMILIES = ("stackyard.", "typing.", "typing_extensions.", "math.", "datetime.datetime.")

# As decorators, or as what a decorator's call returns.
PURE_DECORATORS = _names(
    """
    abc.abstractmethod builtins.classmethod builtins.property builtins.staticmethod
    contextlib.asynccontextmanager contextlib.contextmanager dataclasses.dataclass enum.unique
    functools.cache functools.cached_property functools.lru_cache functools.singledispatch
    functools.singledispatchmethod functools.total_ordering functools.wraps types.coroutine
    attr.define attr.frozen attr.s attrs.define attrs.frozen numba.jit numba.njit
    numba.vectorize pydantic.field_validator pydantic.model_validator pydantic.validator
    pydantic.dataclasses.dataclass torch.no_grad torch.inference_mode
    """
)
PURE_DECORATOR_FAMILIES = ("stackyard.", "typing.", "typing_extensions.")

# Making a subclass of these tells nobody. All classes of the standard library are taken as such.
PURE_BASES = (
    "attr.", "attrs.", "msgspec.", "numpy.", "pandas.", "pydantic.", "sklearn.", "stackyard.",
    "torch.", "typing_extensions.",
)  # fmt: skip

# Methods of plain values (numbers, text, paths, collections) that leave them as they are.
PURE_METHODS = _names(
    """
    absolute as_posix capitalize casefold copy count decode difference encode endswith exists
    expanduser format get index intersection is_dir is_file items join joinpath keys lower
    lstrip partition read_bytes read_text relative_to removeprefix removesuffix replace resolve
    rpartition rsplit rstrip split splitlines startswith strip symmetric_difference title
    translate union upper values with_name with_suffix zfill
    """
)

# What changes the object that it is called on.
MUTATORS = _names(
    """
    add append appendleft clear difference_update discard extend extendleft insert
    intersection_update pop popitem register remove reverse set setdefault sort update
    """
)

# What looks around instead of naming what it uses, and how far it sees:
#   "here"     all that the module can name: itself whole, and what it imports
#   "loaded"   every module that the step loads
#   "project"  every module of the project
#   "source"   the text of the code, comments and all;  "doc"  its docstrings
DYNAMIC: dict[str, str] = {
    "builtins.globals": "here",
    "builtins.__import__": "project",
    "builtins.__builtins__": "project",
    "builtins.compile": "project",
    "builtins.eval": "project",
    "builtins.exec": "project",
    "builtins.__doc__": "doc",
    "cloudpickle.load": "project",
    "cloudpickle.loads": "project",
    "dill.load": "project",
    "dill.loads": "project",
    "gc.get_objects": "loaded",
    "gc.get_referents": "loaded",
    "gc.get_referrers": "loaded",
    "hydra.utils": "project",
    "imp": "project",
    "importlib.__import__": "project",
    "importlib.abc": "project",
    "importlib.import_module": "project",
    "importlib.machinery": "project",
    "importlib.reload": "project",
    "importlib.util": "project",
    "inspect.cleandoc": "doc",
    "inspect.currentframe": "loaded",
    "inspect.findsource": "source",
    "inspect.getcomments": "source",
    "inspect.getdoc": "doc",
    "inspect.getmodule": "project",
    "inspect.getouterframes": "loaded",
    "inspect.getsource": "source",
    "inspect.getsourcelines": "source",
    "inspect.stack": "loaded",
    "inspect.trace": "loaded",
    "joblib.load": "project",
    "linecache": "source",
    "pandas.read_pickle": "project",
    "pickle.Unpickler": "project",
    "pickle.load": "project",
    "pickle.loads": "project",
    "pkgutil.find_loader": "project",
    "pkgutil.get_loader": "project",
    "pkgutil.iter_modules": "project",
    "pkgutil.resolve_name": "project",
    "pkgutil.walk_packages": "project",
    "pydoc": "project",
    "runpy": "project",
    "shelve": "project",
    "sys._current_frames": "loaded",
    "sys._getframe": "loaded",
    "sys.meta_path": "project",
    "sys.modules": "project",
    "sys.path_hooks": "project",
    "torch.load": "project",
    "zipimport": "project",
}
# Given a constant, these import it; the constant is an argument of the call.
IMPORTERS = _names(
    """
    builtins.__import__ importlib.__import__ importlib.import_module importlib.util.find_spec
    """
)
# The same for attributes, whatever the object.
DYNAMIC_ATTRIBUTES = {
    "__doc__": "doc",
    "__globals__": "loaded",
    "__subclasses__": "loaded",
    "f_back": "loaded",
    "f_builtins": "loaded",
    "f_globals": "loaded",
    "tb_frame": "loaded",
    "getdoc": "doc",
    "getsource": "source",
}
# Attributes that every module has and that say nothing of its contents.
MODULE_ATTRIBUTES = frozenset(
    ("__cached__", "__doc__", "__file__", "__name__", "__package__", "__path__", "__spec__")
)
# Names that exist in every module without being defined, beside the builtins.
AMBIENT = _names(
    """
    __annotations__ __cached__ __class__ __debug__ __file__ __loader__ __module__ __name__
    __package__ __path__ __qualname__ __spec__ WindowsError display get_ipython reveal_type
    """
)

# Variables named inside text: frame.query("x > @LIMIT"), SQL over frames, formulas.
TEXT_NAME = re.compile(r"(?:@|\b(?:from|join)\s+)([^\W\d]\w*)", re.IGNORECASE)
WORD = re.compile(r"[^\W\d]\w*")
TEXT_READERS = frozenset(("eval", "evaluate", "execute", "ols", "query", "sql"))

# In a notebook: a call of a library that is likely to change how it behaves from then on.
SETTING = re.compile(
    r"(?:^|[._])(?:set|seed|option|config|register|enable|disable|patch|init|use|load_ext|rc)"
    r"|filter",
    re.IGNORECASE,
)
