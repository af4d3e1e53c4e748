"""One attempt of one step: inputs from the store, the user's function, outputs into the store."""

from __future__ import annotations

import contextvars
import importlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard import printed
from stackyard.binding import arguments_of
from stackyard.capture import Capture
from stackyard.components.base import redact
from stackyard.errors import (
    ArtifactNotFound,
    DigestMismatch,
    InvalidInput,
    PipelineError,
    StepFailed,
    StoreError,
    Unstorable,
    Unsupported,
    UsageError,
)
from stackyard.graph import Step
from stackyard.injected import Injected
from stackyard.journal import StepJournal
from stackyard.store.records import ArtifactRef, AttemptRecord, host_name
from stackyard.user_frames import tracebacks

if TYPE_CHECKING:
    from stackyard.annotation import Type
    from stackyard.pipeline import StepFunction
    from stackyard.runner import Runner
    from stackyard.signature import Signature
    from stackyard.store.store import Store


_OF_DATA = Unstorable | ArtifactNotFound | DigestMismatch  # the step's own failure, not the store's
_FINAL = UsageError | StoreError | StepFailed | InvalidInput | Unsupported  # waiting cures none


@dataclass(frozen=True)
class Attempt:
    """What is known of an attempt before it is made."""

    step: str
    number: int
    inputs: Mapping[str, ArtifactRef] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    key: str = ""
    key_parts: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    truths: Mapping[str, bool] = field(default_factory=dict)  # which way each ``either`` goes


@dataclass(frozen=True)
class Current:
    """The step that is running in this process."""

    run_id: str
    step: str
    keep: Callable[[Path], str]
    fetch: Callable[[str], Path]
    note: Callable[[Any], None]  # writes a frozen value into the attempt's record
    key: str  # of the attempt: equal where nothing that it depends on differs
    inputs: Mapping[str, ArtifactRef]
    store: Store


_current: contextvars.ContextVar[Current | None] = contextvars.ContextVar("step", default=None)


def current() -> Current | None:
    """The step that is running in this process, None outside of one."""
    return _current.get()


def find_function(target: str) -> StepFunction[..., Any]:
    """Import ``module:name`` and return the step.

    Raises:
        PipelineError: the module or the name does not exist, or is no step.
        StepFailed: the module raises while it is imported.
    """
    from stackyard.pipeline import StepFunction

    module_name, _, name = target.partition(":")
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as exc:
        if exc.name == module_name:
            raise PipelineError(
                f"step {target!r}: there is no module {module_name!r} under dags/, src/ or the "
                "folders of [tool.stackyard] code in pyproject.toml"
            ) from exc
        raise StepFailed(f"step {target!r}: importing its module failed: {exc}") from exc
    except Exception as exc:  # whatever user code raises at import is the step's failure
        raise StepFailed(
            f"step {target!r}: importing its module failed: {type(exc).__name__}: {exc}"
        ) from exc
    found = getattr(module, name, None)
    if not isinstance(found, StepFunction):
        raise PipelineError(f"step {target!r}: {module_name} has no step of that name")
    return found


def execute(runner: Runner, attempt: Attempt, *, through: bool = False) -> AttemptRecord:
    """Make ``attempt`` in this process and write its record.

    A step that raises anything, or whose input is not in the store any more, gives a record with
    status ``failed``; KeyboardInterrupt passes through and leaves no record. ``through``: its
    output also goes to standard error.

    Raises:
        StoreError: the store cannot be read or written.
        UsageError: the step cannot be run as it is written or configured.
    """
    step = runner.graph.step(attempt.step)
    artifacts = runner.store.artifacts
    kept: list[str] = []

    def keep(path: Path) -> str:
        kept.append(artifacts.keep(path))
        return kept[-1]

    journal = StepJournal(keep, "")
    started, cpu = time.time(), _cpu_seconds()
    clock = time.perf_counter()
    token = _current.set(
        Current(
            runner.run_id,
            step.name,
            keep,
            artifacts.fetch,
            journal.add,
            attempt.key,
            attempt.inputs,
            runner.store,
        )
    )
    outputs: dict[str, ArtifactRef] = {}
    error = trace = whole = None
    wrong: BaseException | None = None
    capture = Capture(through=through)
    try:
        with capture:
            try:
                function = find_function(step.target)
                arguments = arguments_of(runner, step, attempt, function)
                with Injected() as injected:
                    for name, injection in step.injections.items():
                        arguments[name] = runner.inject(step, name, injection, journal)
                        injected.add(arguments[name])
                    result = function.function(**arguments)
                    outputs = _save(runner, step, result, function.signature)
            except KeyboardInterrupt:
                raise
            except BaseException as exc:  # user code raises anything, asyncio.CancelledError too
                error, wrong = describe(exc), exc
                trace, whole = tracebacks(exc)
                outputs = {}
    finally:
        _current.reset(token)
    record = AttemptRecord(
        run_id=runner.run_id,
        step=step.name,
        attempt=attempt.number,
        status="failed" if error else "succeeded",
        started=started,
        seconds=time.perf_counter() - clock,
        key=attempt.key,
        key_parts=attempt.key_parts,
        inputs=attempt.inputs,
        values=attempt.values,
        outputs=outputs,
        journal=tuple(journal.entries),
        why=attempt.why,
        error=error,
        traceback=trace,
        full_traceback=whole,
        final=isinstance(wrong, _FINAL),
        log=printed.keep(runner.store, redact(capture.text)),
        kept=tuple(dict.fromkeys(kept)),
        cpu_seconds=_cpu_seconds() - cpu,
        peak_bytes=_peak_bytes(),
        host=host_name(),
        pid=os.getpid(),
    )
    record = runner.write(record)
    if isinstance(wrong, UsageError | StoreError) and not isinstance(wrong, _OF_DATA):
        raise wrong
    return record


def failed(runner: Runner, attempt: Attempt, error: str, started: float) -> AttemptRecord:
    """Write and return the record of an attempt that did not end by itself."""
    return runner.write(
        AttemptRecord(
            run_id=runner.run_id,
            step=attempt.step,
            attempt=attempt.number,
            status="failed",
            started=started,
            seconds=time.time() - started,
            key=attempt.key,
            key_parts=attempt.key_parts,
            inputs=attempt.inputs,
            values=attempt.values,
            why=attempt.why,
            error=error,
            host=host_name(),
        )
    )


def describe(exc: BaseException) -> str:
    """One line: the type and the message, secrets replaced."""
    text = f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__
    return redact(text)


def with_number(record: AttemptRecord, number: int) -> AttemptRecord:
    """The same record under another attempt number."""
    return replace(record, attempt=number)


def _save(runner: Runner, step: Step, result: Any, signature: Signature) -> dict[str, ArtifactRef]:
    save = runner.store.artifacts.save
    if not step.outputs:
        return {}
    promised = dict(zip(signature.outputs, signature.output_types, strict=True))
    if step.outputs == ("result",):
        _check(step, "", result, promised.get("result"))
        return {"result": save(result)}
    missing = [name for name in step.outputs if not hasattr(result, name)]
    if missing:
        raise StepFailed(
            f"step {step.name!r} returned {type(result).__name__}, which has no {missing[0]!r}; "
            f"its annotation promises {', '.join(step.outputs)}"
        )
    values = {name: getattr(result, name) for name in step.outputs}
    for name, value in values.items():
        _check(step, name, value, promised.get(name))
    refs = {}
    for name, value in values.items():
        try:
            refs[name] = save(value)
        except Unstorable as exc:
            raise Unstorable(f"output {name!r}: {exc}") from exc
    return refs


def _check(step: Step, output: str, value: Any, promised: Type | None) -> None:
    """Refuse a value of another class than the annotation promises to the steps that read it."""
    from stackyard.annotation import of_class
    from stackyard.typecheck import instance_fits

    if promised is not None and not instance_fits(value, promised):
        where = f" as {output!r}" if output else ""
        raise StepFailed(
            f"step {step.name!r} returned {of_class(type(value)).name or 'object'}{where}; "
            f"its annotation promises {promised.name}"
        )


def _cpu_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def _peak_bytes() -> int:
    """The largest resident size of this process so far; it never falls between steps."""
    if sys.platform == "win32":
        import psutil

        return int(psutil.Process().memory_info().peak_wset)
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak if sys.platform == "darwin" else peak * 1024)
