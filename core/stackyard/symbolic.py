"""What a pipeline function handles instead of data: values that exist only in a run.

Whatever would need the value now raises PipelineError and names the word to use instead.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NoReturn

from stackyard.annotation import Type
from stackyard.errors import PipelineError, suggest
from stackyard.graph import Binding, FromStep
from stackyard.location import here

if TYPE_CHECKING:
    from stackyard.building import Builder, Node

# The pipeline whose function runs now: inside of it, calling a step adds a node.
current: ContextVar[Builder | None] = ContextVar("stackyard_builder", default=None)

_DECIDE = "Decide inside a step, or branch: `with when(...):`"
_COMPARE = "Compare inside a step"
_LOOP = "Loop inside a step"
_COMPUTE = "Compute it inside a step"
_FORMAT = "Format it inside a step (repr() shows what it stands for)"
_TAKE = "Take it inside a step, or let the step return a NamedTuple to name its outputs"


class Symbolic:
    """A value of the run: a parameter of the pipeline or an output of a step."""

    __slots__ = ("_binding", "_builder", "_label", "_type")
    _builder: Builder
    _binding: Binding
    _type: Type
    _label: str

    def __init__(self, builder: Builder, binding: Binding, kind: Type, label: str) -> None:
        put = object.__setattr__
        put(self, "_builder", builder)
        put(self, "_binding", binding)
        put(self, "_type", kind)
        put(self, "_label", label)

    def __repr__(self) -> str:
        shown = f": {self._type.name}" if self._type.name else ""
        return f"<{self._label}{shown}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # copy, pickle, notebooks and numpy ask for such names
            raise AttributeError(name)
        self._refuse(f"attribute {name!r}", "Read it inside a step")

    def _refuse(self, doing: str, cure: str) -> NoReturn:
        raise PipelineError(
            f"{here()}: {doing} of the {self._label}: its value exists only when the pipeline "
            f"runs. {cure}"
        )

    def __bool__(self) -> bool:
        self._refuse("truth value (`if`, `and`, `or`, `not`)", _DECIDE)

    def __iter__(self) -> Iterator[Any]:
        self._refuse("iteration", _LOOP)

    def __len__(self) -> int:
        self._refuse("len()", _LOOP)

    def __contains__(self, item: object) -> bool:
        self._refuse("`in`", _COMPARE)

    def __hash__(self) -> int:
        self._refuse("hash (as dictionary key or member of a set)", "Use its name as the key")

    def __str__(self) -> str:
        self._refuse("text (str, print)", _FORMAT)

    def __format__(self, spec: str) -> str:
        self._refuse("formatting (f-string)", _FORMAT)

    def __getitem__(self, key: object) -> Any:
        self._refuse(f"item [{key!r}]", _TAKE)

    def __setitem__(self, key: object, value: object) -> None:
        self._refuse("item assignment", "Change it inside a step")

    def __delitem__(self, key: object) -> None:
        self._refuse("item deletion", "Change it inside a step")

    def __setattr__(self, name: str, value: object) -> None:
        self._refuse(f"assignment to attribute {name!r}", "Change it inside a step")

    def __call__(self, *args: object, **kwargs: object) -> Any:
        self._refuse("call", "Call it inside a step")

    def __enter__(self) -> Any:
        self._refuse("`with`", "Use it inside a step")

    def __exit__(self, *exc: object) -> None:
        """Never reached; ``with`` asks for it first."""

    def __await__(self) -> Any:
        self._refuse("`await`", "Steps are plain functions: leave the word out")


class Result(Symbolic):
    """What a step call returns in a pipeline: the only output, or all named outputs together."""

    __slots__ = ("_node",)
    _node: Node

    def __init__(self, node: Node, binding: Binding, kind: Type) -> None:
        super().__init__(node.builder, binding, kind, f"result of step {node.name!r}")
        object.__setattr__(self, "_node", node)

    def __getattr__(self, name: str) -> Any:
        outputs = self._node.outputs
        if self._node.signature.named and name in outputs:
            return self._output(name)
        if name == "after":
            return self._after
        if name.startswith("_"):
            raise AttributeError(name)
        label = f"{here()}: step {self._node.name!r}"
        if len(outputs) == 1:
            why = self._node.signature.unnamed
            raise PipelineError(
                f"{label} has no named output {name!r}: {why}. Read the attribute inside a step, "
                "or let the step return a NamedTuple to name its outputs"
            )
        if not outputs:
            raise PipelineError(f"{label} returns nothing, so it has no output {name!r}")
        raise PipelineError(
            f"{label} has no output {name!r}. Outputs: {', '.join(outputs)}."
            f"{suggest(name, outputs)}"
        )

    def __dir__(self) -> list[str]:
        named = self._node.signature.named
        return [*(self._node.outputs if named else ()), "after"]

    def __iter__(self) -> Iterator[Any]:
        """Unpack named outputs, whose number is known; anything else is refused."""
        if not self._node.signature.named:
            self._refuse("iteration or unpacking", f"{_LOOP}; {_TAKE[0].lower()}{_TAKE[1:]}")
        return iter([self._output(name) for name in self._node.outputs])

    def _output(self, name: str) -> Symbolic:
        kind = self._node.signature.output_types[self._node.outputs.index(name)]
        label = f"output {name!r} of step {self._node.name!r}"
        return Symbolic(self._builder, FromStep(self._node.name, name), kind, label)

    def _after(self, *others: object) -> Result:
        self._builder.order(self._node, others)
        return self


def _refusing(doing: str, cure: str) -> Any:
    def operator(self: Symbolic, *others: object) -> NoReturn:
        self._refuse(doing, cure)

    return operator


def _install() -> None:
    """Give Symbolic the operators, which differ in nothing but their sign."""
    signs = {
        "add": "+", "sub": "-", "mul": "*", "matmul": "@", "truediv": "/", "floordiv": "//",
        "mod": "%", "divmod": "divmod()", "pow": "**", "lshift": "<<", "rshift": ">>",
        "and": "&", "or": "|", "xor": "^",
    }  # fmt: skip
    for name, sign in signs.items():
        for prefix in ("", "r", "i"):
            if (prefix, name) != ("i", "divmod"):
                setattr(Symbolic, f"__{prefix}{name}__", _refusing(f"`{sign}`", _COMPUTE))
    unary = {"neg": "`-`", "pos": "`+`", "invert": "`~`", "abs": "abs()", "round": "round()"}
    numbers = {"int": "int()", "float": "float()", "complex": "complex()", "index": "use as index"}
    for name, doing in (unary | numbers).items():
        setattr(Symbolic, f"__{name}__", _refusing(doing, _COMPUTE))
    for name in ("trunc", "floor", "ceil", "array", "fspath", "bytes", "reversed", "next"):
        setattr(Symbolic, f"__{name}__", _refusing(f"{name}()", _COMPUTE))
    compared = {"eq": "==", "ne": "!=", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
    for name, sign in compared.items():
        setattr(Symbolic, f"__{name}__", _refusing(f"comparison (`{sign}`)", _COMPARE))


_install()
