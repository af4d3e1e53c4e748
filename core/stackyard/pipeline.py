"""How a pipeline is written: ``@step`` and ``@pipeline``."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, cast, overload

from stackyard.errors import PipelineError
from stackyard.graph import Graph, StepOptions, check_event, check_name
from stackyard.location import defined, here, raised, said
from stackyard.options import read_options
from stackyard.signature import FromStack, Signature, parameters, plain, read_step
from stackyard.symbolic import Symbolic, current
from stackyard.target import reachable, source_of, target_of

if TYPE_CHECKING:
    from stackyard.run import Run

P = ParamSpec("P")
R = TypeVar("R")


class StepFunction(Generic[P, R]):
    """A step: called outside a pipeline it is the plain function, inside it adds a node."""

    def __init__(self, function: Callable[P, R], options: StepOptions) -> None:
        if isinstance(function, StepFunction | Pipeline):
            raise PipelineError(f"{here()}: {function!r} is marked twice. Keep one of the marks")
        self._plain = plain(function, "step")
        self.function = function
        self.options = options
        self.name: str = function.__name__
        self.explicit = False  # the name was given by ``named``
        self.waits_for: tuple[object, ...] = ()
        self._injected = any(
            isinstance(default, FromStack)
            for defaults in (self._plain.__defaults__, (self._plain.__kwdefaults__ or {}).values())
            for default in defaults or ()
        )
        functools.update_wrapper(self, function, updated=())

    @property
    def target(self) -> str:
        """``module:name`` under which another process finds the function."""
        return target_of(self._plain)

    @functools.cached_property
    def signature(self) -> Signature:
        """The signature, read at first use.

        Raises:
            PipelineError: an injected parameter is annotated with no component or resource.
        """
        return read_step(self._plain)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        builder = current.get()
        if builder is not None:
            return cast(R, builder.call(self, args, kwargs))
        if any(isinstance(value, Symbolic) for value in (*args, *kwargs.values())):
            raise PipelineError(
                f"{here()}: step {self.name!r} is called outside the pipeline with a value that "
                "exists only in a run. Call it inside the pipeline's function"
            )
        return self.function(*args, **(self._filled(args, kwargs) if self._injected else kwargs))

    def named(self, name: str) -> StepFunction[P, R]:
        """The same step under another name: ``train.named("deep")(rows, depth=9)``."""
        named = self._copy()
        named.name, named.explicit = check_name(name, f"{here()}: step name"), True
        return named

    def after(self, *results: object) -> StepFunction[P, R]:
        """The same step, made to wait for ``results`` of others without taking their values."""
        later = self._copy()
        later.waits_for = (*self.waits_for, *results)
        return later

    def check_reachable(self) -> None:
        """Raise PipelineError unless another process can find the function by its target."""
        reachable(self, self._plain)

    def __repr__(self) -> str:
        return f"<step {self.target}>"

    def __getstate__(self) -> dict[str, Any]:
        """A step of a notebook travels to workers by value, which read its signature anew."""
        return {name: value for name, value in vars(self).items() if name != "signature"}

    def _copy(self) -> StepFunction[P, R]:
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        return copy

    def _filled(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """Outside a pipeline: None for optional injections, an error for others left out."""
        filled = dict(kwargs)
        given = {*self.signature.positional[: len(args)], *kwargs}
        for name, injection in self.signature.injections.items():
            if name in given:
                continue
            if not injection.optional:
                raise PipelineError(
                    f"{here()}: step {self.name!r} is called outside a pipeline, where no stack "
                    f"gives {name!r}. Pass an object, e.g. one of stackyard.testing: "
                    f"{self.name}(..., {name}=...)"
                )
            filled[name] = None
        return filled


@overload
def step(function: Callable[P, R], /) -> StepFunction[P, R]: ...
@overload
def step(
    *,
    retries: int = 0,
    retry_delay: float | str | timedelta = 1.0,
    timeout: float | str | timedelta | None = None,
    cache: bool | float | str | timedelta | None = None,
    effect: bool = False,
    version: str | int = "",
    fingerprint: Callable[[], object] | None = None,
    resources: Mapping[str, Any] | None = None,
    emits: str = "",
) -> Callable[[Callable[P, R]], StepFunction[P, R]]: ...
def step(function: Callable[P, R] | None = None, /, **options: Any) -> Any:
    """Make a function a step of pipelines; the function itself stays callable.

    Args:
        retries: how often a failing attempt is made again.
        retry_delay: time before the first retry, doubled each time: seconds, or ``"30s"``.
        timeout: time after which an attempt is stopped: seconds, or ``"90s"``, ``"20m"``, ``"2h"``.
        cache: for a step that reads the outside world, how long an old result stays true
            (``"1d"``); True for always, False for never, also for a step that has inputs.
        effect: the step changes the world; it is never skipped because another run did it.
        version: joins the cache key; change it to run the step anew.
        fingerprint: module-level function without arguments whose plain result joins the cache
            key, such as the version of a table.
        resources: what the step needs of a machine, e.g. ``{"cpu": 4, "memory": "8Gi"}``.
        emits: the parameter that names the event which the step tells; see ``trigger``.

    Raises:
        PipelineError: the function cannot be a step, or an option is wrong.
    """
    if function is not None:
        return StepFunction(function, StepOptions())

    def decorate(inner: Callable[P, R]) -> StepFunction[P, R]:
        return StepFunction(inner, read_options(options, plain(inner, "step").__code__))

    return decorate


class Pipeline:
    """A pipeline as written; ``graph`` builds it as data."""

    def __init__(
        self,
        function: Callable[..., object],
        schedule: str | None,
        start: str | date | None,
        timezone: str,
        name: str | None,
        on: str = "",
    ) -> None:
        if isinstance(function, StepFunction | Pipeline):
            raise PipelineError(f"{here()}: {function!r} is marked twice. Keep one of the marks")
        self._plain = plain(function, "pipeline")
        self.function = function
        self.name = name or function.__name__
        self.schedule = schedule
        self.start = start
        self.timezone = timezone
        self.on = on
        self._graph: Graph | None = None
        functools.update_wrapper(self, function, updated=())

    def graph(self) -> Graph:
        """Run the function once with symbolic values and return what it wrote down.

        The graph is kept, but in a notebook, where cells change what the function calls.

        Raises:
            PipelineError: names file, line, what is wrong and what to write instead.
        """
        if self._graph is None or self._plain.__module__ == "__main__":
            self._graph = self._build()
        return self._graph

    def run(self, stack: str = "local", **params: Any) -> Run:
        """Run the pipeline here and return the run: ``run["split"].train`` is an output.

        Args:
            stack: name of the stack.
            params: values of the pipeline's parameters.

        Raises:
            UsageError: the stack or a parameter is wrong.
            RunError: the run did not succeed.
        """
        from stackyard.run import run_pipeline

        return run_pipeline(self, stack, params)

    def __call__(self, *args: object, **kwargs: object) -> Any:
        raise PipelineError(
            f"{here()}: a pipeline is not called. Run it with `{self.name}.run(...)` or `stackyard "
            f"run {self.name}`; to share steps between pipelines, call them in a plain function"
        )

    def __repr__(self) -> str:
        return f"<pipeline {self.name}>"

    def _build(self) -> Graph:
        from stackyard.building import Builder
        from stackyard.params import declare
        from stackyard.period import check_schedule

        label = f"{defined(self._plain.__code__)}: pipeline {self.name!r}"
        check_name(self.name, f"{defined(self._plain.__code__)}: pipeline name")
        try:
            check_schedule(self.schedule, self.timezone)
            start = None if self.start is None else date.fromisoformat(str(self.start)).isoformat()
        except (ValueError, TypeError) as exc:
            raise PipelineError(f"{label}: {exc}") from exc
        builder = Builder(self.name, self.timezone)
        declared = declare(builder, parameters(self._plain), label)
        token = current.set(builder)
        try:
            self.function(**{name: symbol for name, (_, symbol) in declared.items()})
        except PipelineError:
            raise
        except Exception as exc:  # the user's own code; whatever it raises is an error in it
            where = raised(exc.__traceback__, self._plain.__code__.co_filename)
            raise PipelineError(f"{where}: pipeline {self.name!r}: {said(exc)}") from exc
        finally:
            current.reset(token)
        if not builder.nodes:
            raise PipelineError(f"{label} calls no step. Call at least one function marked @step")
        return Graph(
            name=self.name,
            steps=builder.ordered(),
            params=tuple(param for param, _ in declared.values()),
            schedule=self.schedule,
            start=start,
            timezone=self.timezone,
            doc=(self.function.__doc__ or "").strip(),
            source=source_of(self._plain),
            on=check_event(self.on, label) if self.on else "",
        )


@overload
def pipeline(function: Callable[..., object], /) -> Pipeline: ...
@overload
def pipeline(
    *,
    schedule: str | None = None,
    start: str | date | None = None,
    timezone: str = "UTC",
    name: str | None = None,
    on: str = "",
) -> Callable[[Callable[..., object]], Pipeline]: ...
def pipeline(
    function: Callable[..., object] | None = None,
    /,
    *,
    schedule: str | None = None,
    start: str | date | None = None,
    timezone: str = "UTC",
    name: str | None = None,
    on: str = "",
) -> Any:
    """Make a function a pipeline: its parameters are the pipeline's, its step calls the graph.

    Args:
        schedule: cron expression or ``@hourly``, ``@daily``, ``@weekly``, ``@monthly``,
            ``@yearly``.
        start: first day that the schedule covers.
        timezone: IANA name of the zone in which the schedule and dates are meant.
        name: name of the pipeline; that of the function if left out.
        on: the event that the pipeline waits for, told by ``trigger`` in another one.

    Raises:
        PipelineError: the function cannot be a pipeline.
    """
    if function is not None:
        return Pipeline(function, schedule, start, timezone, name, on)
    return lambda inner: Pipeline(inner, schedule, start, timezone, name, on)
