"""All that a process writes is kept, by whomever and in order; of very much the two ends."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from textwrap import dedent

import pytest

from stackyard import output_file
from stackyard.output_file import last_lines, written

LOUD = """
    import ctypes, logging, os, subprocess, sys
    print("printed")
    print("told", file=sys.stderr)
    logging.getLogger("mine").warning("logged")
    os.system("echo from a program; echo its error >&2")
    subprocess.run([sys.executable, "-c", "print('from Python')"])
    libc = ctypes.CDLL(None)
    libc.puts(b"from C")
    libc.fflush(None)
    os.write(1, b"no text: \\xff\\n")
    print("é \\udcff")
    print("end", end="")
"""
SAID = (
    "printed\ntold\nWARNING mine: logged\nfrom a program\nits error\nfrom Python\nfrom C\n"
    "no text: \ufffd\né \\udcff\nend"
)


def process(body: str, capture: str) -> subprocess.CompletedProcess[str]:
    """Run ``body`` captured; its standard output says what was kept, after what is not."""
    code = dedent(
        """
        import json, os, sys
        from pathlib import Path
        from stackyard.output_file import FileCapture, TeeCapture
        print("before")
        with CAPTURE as kept:
            BODY
        print("after", file=sys.stderr)
        sys.stderr.flush()
        os.write(1, json.dumps(kept.text).encode())
        """
    ).replace("CAPTURE", capture)
    body = dedent(body).strip().replace("\n", "\n    ")
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [sys.executable, "-c", code.replace("BODY", body), folder],
            capture_output=True, encoding="utf-8", errors="replace", timeout=60,
        )  # fmt: skip
        assert done.returncode or not os.listdir(folder)
    return done


def test_a_task_keeps_and_passes_on_what_anybody_writes() -> None:
    done = process(LOUD, "TeeCapture(Path(sys.argv[1]))")
    assert done.stderr == SAID + "after\n"
    out = done.stdout.removeprefix("before\n")
    assert eval(out) == SAID


def test_the_last_words_of_a_process_that_crashes_are_passed_on() -> None:
    body = 'os.write(2, b"free(): invalid pointer\\n"); print("last"); os.kill(os.getpid(), 9)'
    done = process(body, "TeeCapture(Path(sys.argv[1]))")
    assert done.returncode == -9
    assert done.stderr == "free(): invalid pointer\nlast\n"


def test_a_program_that_is_left_behind_neither_delays_nor_ends() -> None:
    """It may go on writing where the task's output went."""
    body = """
        import subprocess
        left = "import sys, time; sys.stdin.read(); print('late', flush=True)"
        beside = subprocess.Popen([sys.executable, "-c", left], stdin=subprocess.PIPE)
        print("done")
    """
    done = process(body, "TeeCapture(Path(sys.argv[1]))")
    assert eval(done.stdout.removeprefix("before\n")) == "done\n"
    assert done.stderr.startswith("done\nafter\n")
    assert done.stderr.endswith("late\n")


def test_a_collection_beside_a_long_step_takes_nothing_away() -> None:
    body = """
        print("begin", flush=True)
        while not os.path.getsize(next(os.scandir(sys.argv[1])).path): pass
        os.unlink(next(os.scandir(sys.argv[1])).path)
        print("end")
    """
    done = process(body, "TeeCapture(Path(sys.argv[1]))")
    assert eval(done.stdout.removeprefix("before\n")) == "begin\nend\n", done.stderr


def test_a_worker_keeps_what_is_written_into_its_file() -> None:
    code = """
import os, sys
from stackyard.output_file import FileCapture
print("not the step's")
for number in range(2):
    with FileCapture() as kept:
        print("step", number)
        os.system("echo from a program")
    os.write(int(sys.argv[1]), repr(kept.text).encode() + b"\\n")
"""
    with tempfile.TemporaryFile() as file, tempfile.TemporaryFile() as said:
        subprocess.run(
            [sys.executable, "-c", code, str(said.fileno())],
            stdout=file, stderr=file, pass_fds=[said.fileno()], check=True, timeout=60,
        )  # fmt: skip
        said.seek(0)
        texts = [eval(line) for line in said]
        assert last_lines(file.fileno(), 1) == ["from a program"]
    assert texts == [f"step {n}\nfrom a program\n" for n in (0, 1)]


@pytest.mark.parametrize("size", [0, 5, 10, 11, 20, 21, 500])
def test_the_middle_of_very_much_is_left_out(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output_file, "HALF", 10)
    text = "".join(chr(65 + i % 26) for i in range(size))
    with tempfile.TemporaryFile() as file:
        file.write(b"before" + text.encode())
        file.flush()
        kept = written(file.fileno(), 6)
    if size <= 20:
        assert kept == text
    else:
        assert kept == f"{text[:10]}\n... {size - 20} bytes were not kept ...\n{text[-10:]}"
