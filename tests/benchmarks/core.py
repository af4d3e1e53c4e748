"""Start-up and per-step cost of the core, beside plain Python and pickle in the same run."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from textwrap import dedent

from tests.benchmarks.measuring import Cost, Row, best, print_rows, python

STACKYARD = [sys.executable, "-m", "stackyard.cli.main"]

# What a step costs on a disk is for the most part what making three files costs there, which
# differs by ten between disks, and on one disk from minute to minute. So the budgets are held in
# memory, where there is such a folder, and the figures of the disk stand beside.
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None


def main() -> bool:
    """Measure all rows."""
    rows = [*start_up()]
    with tempfile.TemporaryDirectory() as disk, tempfile.TemporaryDirectory(dir=MEMORY) as memory:
        rows += whole_process(Path(disk))
        if MEMORY is not None:
            rows += per_step(Path(memory), "in memory")
        rows += per_step(Path(disk), "on disk", budgets=MEMORY is None)
        rows.append(cached(Path(disk)))
    return print_rows(rows)


def start_up() -> list[Row]:
    """``import stackyard`` and ``stackyard --help`` over a bare interpreter."""
    bare = best(python("pass"))
    imported = best(python("import stackyard"))
    script = [str(Path(sys.executable).with_name("stackyard")), "--help"]
    helped = best(script)
    over = imported.wall - bare.wall
    return [
        Row(
            "import stackyard, over python -c pass",
            f"{1000 * over:.0f} ms wall, {1000 * (imported.cpu - bare.cpu):.0f} ms CPU",
            "50 ms",
            over < 0.05,
        ),
        Row(
            "stackyard --help",
            f"{1000 * helped.wall:.0f} ms wall, {helped.cpu:.2f} CPU s",
            "120 ms",
            helped.wall < 0.12,
        ),
    ]


def whole_process(root: Path) -> list[Row]:
    """A command that runs one step and stores its result."""
    project(root)
    one = best([*STACKYARD, "run", "chain1", "--no-cache"], cwd=root)
    bare = best(python("pass"))
    return [
        Row(
            "one trivial step, persisted, whole process",
            f"{one.cpu:.3f} CPU s, {one.wall:.3f} s wall (python -c pass: {bare.cpu:.3f} CPU s)",
            "0.25 CPU s",
            one.cpu < 0.25,
        )
    ]


def per_step(root: Path, where: str, *, budgets: bool = True) -> list[Row]:
    """Chains of trivial steps, beside functions that pickle their results."""
    if not (root / "dags").exists():
        project(root)
    plain = in_process(root, "pickled", 1000)
    rows = []
    for durable, budget in ((False, 0.5), (True, 1.0)):
        stack = "durable" if durable else "local"
        many, few = (in_process(root, f"chain{n}", n, stack) for n in (1001, 1))
        each = many.cpu - few.cpu  # of 1000 steps, so milliseconds of one
        rows.append(
            Row(
                f"per further trivial step{', durable' if durable else ''}, {where}",
                f"{each:.2f} ms CPU, {many.wall - few.wall:.2f} ms wall "
                f"(plain pickle: {plain.cpu:.2f} ms CPU)",
                f"{budget} ms" if budgets else "none",
                not budgets or each < budget,
            )
        )
    return rows


def cached(root: Path) -> Row:
    """A run of which every step is in the cache."""
    found = in_process(root, "chain50", 50, warm=True)
    return Row(
        "50 cached steps, the run's part",
        f"{1000 * found.wall:.0f} ms wall, {1000 * found.cpu:.0f} ms CPU",
        "30 ms",
        found.wall < 0.03,
    )


def in_process(
    root: Path, what: str, steps: int, stack: str = "local", *, warm: bool = False
) -> Cost:
    """Measure inside one process, imports left out: the best of five runs."""
    code = f"""
    import json, os, pickle, tempfile, time
    from pathlib import Path
    what, steps, warm, stack = {what!r}, {steps}, {warm}, {stack!r}

    def pickled():
        with tempfile.TemporaryDirectory(dir=".") as folder:
            value = 0
            for n in range(steps):
                path = Path(folder) / str(n)
                path.write_bytes(pickle.dumps(value + 1))
                value = pickle.loads(path.read_bytes())

    def chain():
        from stackyard.project import find_project
        from stackyard.run import start
        made = start(find_project(), what, stack, cache=warm)
        assert made.status == "succeeded", made.summary.error

    work = pickled if what == "pickled" else chain
    work()
    results = []
    for _ in range(5):
        wall, cpu = time.perf_counter(), time.process_time()
        work()
        results.append((time.process_time() - cpu, time.perf_counter() - wall))
    print(json.dumps(min(results)))
    """
    import subprocess

    done = subprocess.run(
        python(dedent(code)), cwd=root, capture_output=True, text=True, check=True
    )
    cpu, wall = json.loads(done.stdout.splitlines()[-1])
    if what == "pickled":
        return Cost(1000 * wall / steps, 1000 * cpu / steps, 0)
    return Cost(wall, cpu, 0)


def project(root: Path) -> None:
    """Pipelines that are chains of a trivial step."""
    (root / "stacks").mkdir(parents=True)
    (root / "stacks/local.yaml").write_text("components:\n  orchestrator: {flavor: local}\n")
    (root / "stacks/durable.yaml").write_text("extends: local\ndurable: true\n")
    (root / "dags").mkdir()
    head = (
        "from stackyard import pipeline, step\n\n"
        "@step(cache=True)\ndef zero() -> int:\n    return 0\n\n"
        "@step\ndef more(x: int) -> int:\n    return x + 1\n"
    )
    for length in (1, 50, 1001):
        chain = (
            f"\n@pipeline\ndef chain{length}() -> None:\n    x = zero()\n"
            f"    for _ in range({length - 1}):\n        x = more(x)\n"
        )
        (root / f"dags/chain{length}.py").write_text(head + chain)


if __name__ == "__main__":
    sys.exit(0 if main() else 1)
