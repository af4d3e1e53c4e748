"""Worker processes that a step can be stopped in.

A worker is a fresh interpreter (a fork after OpenMP has started hangs), in a session of its own, so
that stopping it stops what it started. It reads one JSON line per attempt from standard input and
answers with one line on a pipe; the record itself is in the store before the answer is sent, so
nothing that finished depends on the parent. When the parent dies, standard input closes and the
worker kills itself and what it started.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import IO, TYPE_CHECKING, Any

from stackyard.components.base import redact
from stackyard.errors import StackyardError, StepTimeout, UsageError
from stackyard.execute import describe
from stackyard.processes import kill_tree, uninterrupted

if TYPE_CHECKING:
    from stackyard.execute import Attempt
    from stackyard.runner import Runner


LOOK = 1.0  # seconds between two looks whether the workers still live


class Worker:
    """One worker process and the attempt it is making, if any."""

    def __init__(self, process: subprocess.Popen[bytes], answers: IO[bytes]) -> None:
        self.process = process
        self.answers = answers
        self.attempt: Attempt | None = None
        self.started = 0.0
        self.late: str | None = None  # what is to be said of an attempt killed after its time
        self._timer: threading.Timer | None = None
        self._lock = threading.Lock()

    def begin(self, attempt: Attempt, timeout: float | None) -> None:
        """Note the attempt. A thread keeps its time: this process may be busy with a step."""
        self.attempt, self.started = attempt, time.time()
        if timeout is not None:
            self._timer = threading.Timer(timeout, self._over, (attempt, timeout))
            self._timer.daemon = True
            self._timer.start()

    def end(self) -> Attempt | None:
        """Note that the attempt, which is returned, has ended."""
        with self._lock:
            attempt, self.attempt = self.attempt, None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return attempt

    def _over(self, attempt: Attempt, timeout: float) -> None:
        with self._lock:
            if self.attempt is attempt:
                self.late = describe(StepTimeout(f"stopped after its timeout of {timeout:g} s"))
                kill_tree(self.process.pid)

    def kill(self) -> None:
        """Stop the process, and all that it started unless it did so for an attempt that ended."""
        if self.end() is not None or self.process.poll() is not None:
            kill_tree(self.process.pid)
        else:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.answers.close()
        if self.process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):
                self.process.stdin.close()


@dataclass(frozen=True)
class Answer:
    """What became of an attempt: ``number`` of its record, or why there is none."""

    attempt: Attempt
    started: float
    number: int | None = None
    error: str | None = None  # the worker died, or the time was over
    usage_error: str | None = None  # the request is wrong: no retry


class Pool:
    """Up to ``size`` workers for one run; a worker is reused until it is killed."""

    def __init__(self, runner: Runner, size: int) -> None:
        self._runner = runner
        self.size = size
        self._workers: list[Worker] = []
        self._selector = selectors.DefaultSelector()

    @property
    def busy(self) -> int:
        """How many attempts are under way."""
        return len(self.under_way)

    @property
    def under_way(self) -> list[Attempt]:
        """The attempts that workers are making."""
        return [w.attempt for w in self._workers if w.attempt is not None]

    def submit(self, attempt: Attempt, timeout: float | None) -> None:
        """Start ``attempt``; the caller keeps ``busy`` below ``size``."""
        idle = [w for w in self._workers if w.attempt is None and w.process.poll() is None]
        worker = idle[0] if idle else self._start()
        worker.begin(attempt, timeout)
        line = json.dumps({"attempt": asdict(attempt), "function": _shipped(self._runner, attempt)})
        assert worker.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: collect() will say so
            worker.process.stdin.write(line.encode() + b"\n")
            worker.process.stdin.flush()

    def collect(self, wait: float) -> list[Answer]:
        """Return the attempts that ended, after ``wait`` seconds at most."""
        # Who is dead now has nothing to add to what is in the pipe; a process that a worker forked
        # may hold the pipe open.
        dead = [w for w in self._workers if w.process.poll() is not None]
        ready = [key.data for key, _ in self._selector.select(max(0.0, min(wait, LOOK)))]
        answers = [self._read(worker) for worker in ready]
        answers += [self._lost(worker) for worker in dead if worker not in ready]
        return [a for a in answers if a is not None]

    def close(self) -> None:
        """Kill every worker. May be called twice."""
        for worker in list(self._workers):
            self._drop(worker)
        self._selector.close()

    def _start(self) -> Worker:
        read, write = os.pipe()
        runner = self._runner
        config = {
            "project": str(runner.stack.project.root),
            "stack": runner.record.stack,
            "store": runner.store.url,
            "run": runner.run_id,
            "answers": write,
        }
        process = subprocess.Popen(
            [sys.executable, "-m", "stackyard.worker", json.dumps(config)],
            stdin=subprocess.PIPE,
            pass_fds=(write,),
            start_new_session=True,
        )
        os.close(write)
        worker = Worker(process, os.fdopen(read, "rb"))
        self._workers.append(worker)
        self._selector.register(worker.answers, selectors.EVENT_READ, worker)
        return worker

    def _read(self, worker: Worker) -> Answer | None:
        line = worker.answers.readline()
        if not line:
            return self._lost(worker)
        attempt = worker.end()
        if worker.late:  # killed right after it answered
            self._drop(worker)
        if attempt is None:
            return None
        data = json.loads(line)
        return Answer(attempt, worker.started, data.get("number"), None, data.get("usage_error"))

    def _lost(self, worker: Worker) -> Answer | None:
        code = worker.process.wait()
        attempt, started = worker.end(), worker.started
        self._drop(worker)
        if attempt is None:
            return None
        how = f"signal {-code}" if code < 0 else f"exit code {code}"
        error = worker.late or f"WorkerDied: the step's process ended with {how}"
        return Answer(attempt, started, error=error)

    def _drop(self, worker: Worker) -> None:
        with uninterrupted():
            self._selector.unregister(worker.answers)
            self._workers.remove(worker)
            worker.kill()


def _shipped(runner: Runner, attempt: Attempt) -> str | None:
    """A step of a notebook by value: another process cannot import it by name."""
    target = runner.graph.step(attempt.step).target
    module, _, name = target.partition(":")
    if module != "__main__":
        return None
    try:
        import cloudpickle
    except ModuleNotFoundError as exc:
        raise UsageError(
            f"step {attempt.step!r} is defined in a notebook and runs in a process of its own, "
            "which needs cloudpickle: uv pip install 'stackyard[pickle]'"
        ) from exc
    return base64.b64encode(cloudpickle.dumps(getattr(sys.modules["__main__"], name))).decode()


def main() -> None:
    """Serve attempts until standard input closes."""
    from stackyard.execute import Attempt, execute
    from stackyard.opening import reopen
    from stackyard.store.records import ArtifactRef

    config = json.loads(sys.argv[1])
    answers = os.fdopen(config["answers"], "w")
    tasks: SimpleQueue[dict[str, Any]] = SimpleQueue()
    threading.Thread(target=_listen, args=(tasks,), daemon=True).start()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent decides what Ctrl-C means
    runner = reopen(Path(config["project"]), config["stack"], config["store"], config["run"])
    while True:
        task = tasks.get()
        data = task["attempt"]
        data["inputs"] = {n: ArtifactRef(**ref) for n, ref in data["inputs"].items()}
        if task["function"] is not None:
            import cloudpickle

            name = runner.graph.step(data["step"]).target.partition(":")[2]
            function = cloudpickle.loads(base64.b64decode(task["function"]))
            setattr(sys.modules["__main__"], name, function)
        try:
            answer: dict[str, Any] = {"number": execute(runner, Attempt(**data)).attempt}
        except StackyardError as exc:
            answer = {"usage_error": redact(str(exc))}
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def _listen(tasks: SimpleQueue[dict[str, Any]]) -> None:
    for line in sys.stdin:
        tasks.put(json.loads(line))
    kill_tree(os.getpid())  # the parent is gone


if __name__ == "__main__":
    main()
