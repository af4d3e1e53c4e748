"""A real notebook: steps in cells, a run, its outputs, and a cell that is run again."""

from __future__ import annotations

from textwrap import dedent
from typing import Any

import pytest

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")

CELLS = [
    """
    from typing import NamedTuple
    from stackyard import Period, pipeline, step

    class Split(NamedTuple):
        train: list
        test: list

    def scaled(value):
        return value * 10
    """,
    """
    @step(cache=True)
    def load(period: Period, rows: int) -> list:
        return [period.start.day + n for n in range(rows)]

    @step
    def split(rows: list) -> Split:
        return Split(rows[1:], rows[:1])
    """,
    """
    @step
    def train(rows: list, depth: int = 2) -> dict:
        return {"depth": depth, "sum": scaled(sum(rows))}

    @pipeline(schedule="@daily")
    def flow(period: Period = Period.scheduled(), rows: int = 3):
        train(split(load(period, rows)).train)
    """,
    # 3: a first run
    """
    run = flow.run(period="2013-01-05")
    statuses = lambda run: {s.name: s.status for s in run.summary.steps}
    print(run["split"].train, run["train"], statuses(run))
    """,
    # 4: nothing changed
    """print(statuses(flow.run(period="2013-01-05")))""",
    # 5: rich display
    """run""",
    # 6: a helper is redefined, which only train reaches
    """
    def scaled(value):
        return value * 100
    """,
    """
    run = flow.run(period="2013-01-05")
    print(run["train"], statuses(run))
    """,
    # 8: a step is redefined, with another signature
    """
    @step
    def train(rows: list, depth: int = 5, width: int = 1) -> dict:
        return {"depth": depth, "width": width}
    """,
    """
    run = flow.run(period="2013-01-05", rows=2)
    print(run["train"], statuses(run))
    """,
    # 10: mistakes
    """
    @pipeline
    def wrong():
        if train([1]):
            pass

    mistakes = [wrong.graph, lambda: flow.run(depth=3), lambda: flow.run(stack="dve")]
    for mistake in mistakes:
        try:
            mistake()
        except Exception as exc:
            print(f"{type(exc).__name__}: {exc}")
    """,
    # 11: a step with a timeout runs in a process of its own, which cannot import the notebook
    """
    import os

    @step(timeout="60s")
    def elsewhere(rows: list) -> bool:
        return scaled(len(rows)) == 300 and os.getpid() != here

    here = os.getpid()

    @pipeline
    def apart():
        elsewhere([1, 2, 3])

    print(apart.run()["elsewhere"])
    """,
    # 12: a run that fails must not look like one that did not
    """
    @step
    def broken() -> int:
        raise ValueError("no data")

    @pipeline
    def fails():
        broken()

    try:
        fails.run()
    except Exception as exc:
        print(f"{type(exc).__name__}: {exc}")
        print(exc.__notes__[0])
    """,
]


@pytest.fixture(scope="module")
def outputs(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each cell displayed: ``text`` printed, ``html`` of its value."""
    pytest.importorskip("stackyard.run")
    root = tmp_path_factory.mktemp("notebook")
    (root / "stacks").mkdir()
    stack = "components:\n  orchestrator: {flavor: local}\n"
    (root / "stacks" / "local.yaml").write_text(stack)
    cells = [nbformat.v4.new_code_cell(dedent(source).strip()) for source in CELLS]
    notebook = nbformat.v4.new_notebook(cells=cells)
    client = nbclient.NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(root)}}
    )
    client.execute()
    return [displayed(cell) for cell in notebook.cells]


def displayed(cell: Any) -> dict[str, Any]:
    shown: dict[str, Any] = {"text": "", "html": ""}
    for output in cell.outputs:
        if output.output_type == "stream" and output.name == "stdout":
            shown["text"] += output.text
        elif output.output_type == "execute_result":
            shown["html"] += output.data.get("text/html", "")
    return shown


def test_a_run_gives_its_outputs(outputs: list[dict[str, Any]]) -> None:
    assert outputs[3]["text"] == (
        "[6, 7] {'depth': 2, 'sum': 130} "
        "{'load': 'succeeded', 'split': 'succeeded', 'train': 'succeeded'}\n"
    )


def test_a_second_run_is_cached(outputs: list[dict[str, Any]]) -> None:
    assert outputs[4]["text"] == "{'load': 'cached', 'split': 'cached', 'train': 'cached'}\n"


def test_a_run_is_displayed_richly(outputs: list[dict[str, Any]]) -> None:
    assert "<b>flow</b> on local: succeeded" in outputs[5]["html"]


def test_a_redefined_helper_runs_what_reaches_it(outputs: list[dict[str, Any]]) -> None:
    assert outputs[7]["text"] == (
        "{'depth': 2, 'sum': 1300} {'load': 'cached', 'split': 'cached', 'train': 'succeeded'}\n"
    )


def test_a_redefined_step_is_the_one_that_runs(outputs: list[dict[str, Any]]) -> None:
    assert outputs[9]["text"] == (
        "{'depth': 5, 'width': 1} "
        "{'load': 'succeeded', 'split': 'succeeded', 'train': 'succeeded'}\n"
    )


def test_mistakes_name_their_place(outputs: list[dict[str, Any]]) -> None:
    wrong, unknown, stack = outputs[10]["text"].splitlines()
    assert wrong.startswith("PipelineError: notebook cell:3: truth value")
    assert unknown.startswith("ParameterError: pipeline 'flow' has no parameter 'depth'")
    assert "'dve'" in stack and "local" in stack


def test_a_step_in_a_process_of_its_own_has_what_its_cells_define(
    outputs: list[dict[str, Any]],
) -> None:
    assert outputs[11]["text"] == "True\n"


def test_a_run_that_fails_raises_with_the_steps_own_traceback(
    outputs: list[dict[str, Any]],
) -> None:
    first, *notes = outputs[12]["text"].splitlines()
    assert first.startswith("RunError: run 2")
    assert "of pipeline 'fails' failed: step 'broken' failed: ValueError: no data. Look:" in first
    assert notes[0] == "step 'broken':"
    assert notes[-1] == "ValueError: no data"
