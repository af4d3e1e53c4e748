"""Pages of the documentation as somebody follows them: blocks, files, commands, what is printed.

The conventions are written down in CONTRIBUTING.md, "Documentation".
"""

from __future__ import annotations

import ast
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
HOME = "/home/ada"  # in the pages; the folder of the test stands for it

_FENCE = re.compile(r"^```(\S*)[ ]*(.*)$")
_FILE = re.compile(r"# (?P<path>[\w./-]+\.(?:py|yaml|toml))(?P<changed>, changed)?")
_VOLATILE = (
    (r"\d{8}-\d{6}-[0-9a-f]{8}", "<run>"),
    (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "<date>"),
    (r"(?<![\w.])(?:\d+h\d\dm|\d+m\d\ds|\d+(?:\.\d+)?m?s)(?!\w)", "<time>"),
    (r"(?<!\w)\d+\.\d+(?!\w)", "<number>"),
    (r"(?<!\w)[0-9a-f]{12,64}(?!\w)", "<digest>"),
    (r"\s+", " "),
)


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the words after it, its text and where it stands."""

    page: str
    line: int
    language: str
    words: tuple[str, ...]
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"

    @property
    def file(self) -> str | None:
        """The file that the block's first line names."""
        match = _FILE.fullmatch(self.text.partition("\n")[0])
        return match["path"] if match else None

    @property
    def changed(self) -> bool:
        """Whether the block holds only what changes in its file."""
        match = _FILE.fullmatch(self.text.partition("\n")[0])
        return bool(match and match["changed"])

    def is_run(self, *, slow: bool) -> bool:
        """Whether it is run: shell that needs no other machine and, without ``slow``, no time."""
        left = {"elsewhere"} if slow else {"elsewhere", "slow"}
        return self.language == "sh" and not left & set(self.words)


def blocks(path: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    found, opened, kept = [], None, []
    page = path.relative_to(ROOT).as_posix()
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = _FENCE.match(line)
        if opened is None and match is not None:
            opened, kept = (number, match), []
        elif opened is not None and line == "```":
            start, head = opened
            words = tuple(head[2].split())
            found.append(Block(page, start, head[1], words, "\n".join(kept) + "\n"))
            opened = None
        else:
            kept.append(line)
    assert opened is None, f"{page}: a block is not closed"
    return found


def commands(block: Block) -> Iterator[list[str]]:
    """The words of every ``stackyard`` command in a block of shell."""
    text = block.text.replace("\\\n", " ")
    inner = re.findall(r"\$\(([^()]*)\)", text)
    for line in [*re.sub(r"\$\([^()]*\)", "x", text).splitlines(), *inner]:
        for part in re.split(r"&&|\|\||[|;]", line):
            words = shlex.split(part, comments=True)
            while words and re.fullmatch(r"\w+=.*", words[0]):
                words.pop(0)
            if words and words[0] == "stackyard":
                yield words[1:]


@dataclass
class Reader:
    """Somebody at a shell who does what a page says, in a folder of their own."""

    folder: Path
    env: Mapping[str, str] = field(default_factory=dict)
    swaps: dict[str, str] = field(default_factory=dict)  # what differs here from the page
    printed: str = ""

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.swaps.setdefault(HOME, str(self.folder))
        self._state = self.folder / ".shell"
        self._state.write_text(f"cd {shlex.quote(str(self.folder))}\n")

    @property
    def cwd(self) -> Path:
        """The current folder of the shell."""
        last = self._state.read_text().rstrip().rpartition("\n")[2]
        return Path(shlex.split(last)[1])

    def follow(self, page: list[Block], *, slow: bool) -> int:
        """Do what the blocks say, in order; what is printed is held against the page.

        Returns how many blocks were run.
        """
        count, printed = 0, False  # whether the block before this one printed what it has to
        for block in page:
            if block.language == "text" and printed:
                compare(self.swapped(block.text), self.printed, block)
            if block.file is not None:
                self.write(block)
            if printed := block.is_run(slow=slow):
                self.run(block)
                count += 1
        return count

    def write(self, block: Block) -> None:
        """Write the file that a block names, or change it as the block says."""
        assert block.file is not None
        path = self.cwd / block.file
        text = self.swapped(block.text)
        if block.changed:
            text = merged(path.read_text(encoding="utf-8"), text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def run(self, block: Block) -> str:
        """Run a block of shell and return what it printed; its exit code must be the page's."""
        wanted = next((int(w.partition("=")[2]) for w in block.words if w.startswith("exits=")), 0)
        state = shlex.quote(str(self._state))
        script = (
            f"source {state}\n"
            f'trap \'code=$?; {{ export -p; printf "cd %q\\n" "$PWD"; }} > {state}; exit $code\' '
            f"EXIT\nset -e\n{self.swapped(block.text)}"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            env=environment(self.env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=280,
        )
        self.printed = done.stdout
        assert done.returncode == wanted, f"{block}: exit code {done.returncode}\n{done.stdout}"
        return done.stdout

    def swapped(self, text: str) -> str:
        """Text of the page as it reads here."""
        for there, here in self.swaps.items():
            text = text.replace(there, here)
        return text

    def leave(self) -> None:
        """Stop the services and endpoints that the page started."""
        for stacks in sorted(self.folder.rglob("stacks")):
            kept = stacks.parent / ".stackyard"
            if (kept / "services").is_dir():
                self._stackyard(stacks.parent, "stack", "down")
            for log in sorted(kept.glob("state/server/*/inferences")):
                self._stackyard(stacks.parent, "serve", "undeploy", log.parent.name)

    def _stackyard(self, project: Path, *words: str) -> None:
        subprocess.run(
            [sys.executable, "-m", "stackyard.cli.main", *words],
            cwd=project,
            env=environment(self.env),
            capture_output=True,
            timeout=120,
        )


def environment(extra: Mapping[str, str]) -> dict[str, str]:
    """The environment of a reader whose virtual environment is this one."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("STACKYARD_", "PYTEST_"))}
    return {
        **kept,
        "COLUMNS": "200",
        "NO_COLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "PYTHONDONTWRITEBYTECODE": "1",  # two edits within a second are one to Python's cache
        "PYTHONUNBUFFERED": "1",  # both streams in the order in which they were written
        "STACKYARD_ACTOR": "ada",
        **extra,
    }


def compare(expected: str, printed: str, block: Block) -> None:
    """Assert that each line of the page was printed, in this order.

    Times, run ids, digests and numbers with a point may differ; ``...`` stands for anything.
    """
    lines = [_plain(line) for line in printed.splitlines()]
    position = 0
    for line in expected.splitlines():
        wanted = _plain(line)
        if wanted in ("", "..."):
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.split("..."))))
        while position < len(lines) and not pattern.fullmatch(lines[position]):
            position += 1
        assert position < len(lines), f"{block}: was not printed: {line}\n--- printed:\n{printed}"
        position += 1


def _plain(line: str) -> str:
    for pattern, word in _VOLATILE:
        line = re.sub(pattern, word, line)
    return line.strip()


def merged(before: str, changes: str) -> str:
    """A Python file after a change: definitions replace those of their name, imports are joined.

    What is new goes before the pipeline, as a reader would put it.
    """
    new = changes.splitlines(keepends=True)
    for node in ast.parse(changes).body:
        text, tree = _source(new, node), ast.parse(before)
        lines = before.splitlines(keepends=True)
        old = [n for n in tree.body if _names(n) & _names(node)]
        if old:
            first, last = _span(old[0])
            lines[first:last] = [text]
        elif isinstance(node, ast.Expr):  # the docstring
            continue
        elif isinstance(node, ast.Import | ast.ImportFrom):
            imports = [n for n in tree.body if isinstance(n, ast.Import | ast.ImportFrom)]
            lines.insert(_span(imports[-1])[1], text)
        else:
            lines.insert(_span(_pipeline(tree))[0], f"{text}\n\n")
        before = "".join(lines)
    return before


def _names(node: ast.stmt) -> set[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return {node.name}
    if isinstance(node, ast.Assign):
        return {t.id for t in node.targets if isinstance(t, ast.Name)}
    if isinstance(node, ast.ImportFrom):
        return {f"from {node.module}"}
    if isinstance(node, ast.If):
        return {f"if {ast.unparse(node.test)}"}
    return set()


def _pipeline(tree: ast.Module) -> ast.stmt:
    return next(
        n
        for n in tree.body
        if isinstance(n, ast.FunctionDef)
        and any("pipeline" in ast.unparse(mark) for mark in n.decorator_list)
    )


def _span(node: ast.stmt) -> tuple[int, int]:
    """First line and the one after the last, counted from 0, decorators included."""
    marks = getattr(node, "decorator_list", [])
    first = min([node.lineno, *(mark.lineno for mark in marks)])
    assert node.end_lineno is not None
    return first - 1, node.end_lineno


def _source(lines: list[str], node: ast.stmt) -> str:
    first, last = _span(node)
    return "".join(lines[first:last])
