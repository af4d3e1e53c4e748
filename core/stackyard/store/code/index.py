"""The part of a cache key that stands for code: a step's function and all project code it reaches.

Computed from source files alone; nothing of the project is imported. The smallest thing that counts
is a unit: a top-level function, class or assignment. Starting from a step's function, references
are followed through the modules below the code roots; what cannot be resolved statically makes a
module count whole. Statements that may do something when a module is imported count for every
step that loads the module. Where in doubt, more counts: a key may change for nothing, but it never
misses a change of the code that it covers. See docs/explanation/caching.md for what it cannot see.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from stackyard.graph import canonical_json
from stackyard.store.code.effects import Effects, is_library
from stackyard.store.code.modules import Modules
from stackyard.store.code.parts import Parts
from stackyard.store.code.reach import Reach
from stackyard.store.code.resolve import Resolver
from stackyard.store.code.summary import FORMAT, Summaries
from stackyard.store.digest import digest
from stackyard.store.libraries import Libraries


@dataclass(frozen=True)
class CodeFingerprint:
    """What a step's code is, as far as it can change what the step does.

    ``parts`` maps what counts ("function cleaning.trim", "module helpers") to digests, and
    ``reasons`` the modules that count whole to why. ``ambiguous`` code belongs to a target that
    may stand for several functions, so that a step's name must join the key.
    """

    digest: str
    target: str
    granularity: Literal["function", "module"]
    parts: Mapping[str, str]
    distributions: Mapping[str, str]
    reasons: Mapping[str, str] = field(default_factory=dict)
    ambiguous: bool = False

    def describe(self) -> str:
        """One line for ``--explain``: what counts, and why more than the functions it reaches."""
        kinds = [part.partition(" ")[0] for part in self.parts]
        names = {"function": "functions", "class": "classes", "constant": "constants"}
        counted = [
            f"{kinds.count(kind)} {kind if kinds.count(kind) == 1 else plural}"
            for kind, plural in names.items()
            if kind in kinds
        ]
        said = "reaches " + (", ".join(counted) or "no functions of the project")
        whole = [f"{name} ({why})" for name, why in list(self.reasons.items())[:3]]
        if len(self.reasons) > 3:
            whole.append(f"{len(self.reasons) - 3} more")
        return said + (f"; whole modules: {', '.join(whole)}" if whole else "")


class CodeIndex:
    """The code of one project as it is now; make a new one for each run.

    Args:
        roots: folders that stand at the front of ``sys.path``; modules below them are project code.
        sources: text of modules that are in no file, such as the cells of a notebook under
            ``__main__``, in the order in which they were run.
        cache_dir: folder for summaries of modules, shared by any number of processes.
        path: where libraries are looked for; default ``sys.path``.
    """

    def __init__(
        self,
        roots: Sequence[Path],
        *,
        sources: Mapping[str, str] | None = None,
        cache_dir: Path | None = None,
        path: Sequence[str] | None = None,
    ) -> None:
        modules = Modules(roots, sources or {})
        self._resolver = Resolver(modules, Summaries(cache_dir))
        self._effects = Effects(self._resolver)
        self._libraries = Libraries(cache_dir, skip=modules.roots, path=path)
        self._parts = Parts(self._resolver, self._effects)
        self._known: dict[tuple[object, ...], CodeFingerprint] = {}

    def fingerprint(
        self, target: str, *, types: Iterable[str] = (), pipeline: str | None = None
    ) -> CodeFingerprint:
        """Return what the code behind ``target`` is.

        Args:
            target: ``module:qualified_name`` of a function or class.
            types: dotted names of the types of the step's inputs. Their methods run in the step
                although its code may not name them.
            pipeline: the module that defines the pipeline, where a worker imports that too.
        """
        key = (target, tuple(types), pipeline)
        if key not in self._known:
            self._known[key] = self._fingerprint(*key)
        return self._known[key]

    def _fingerprint(
        self, target: str, types: tuple[str, ...], pipeline: str | None
    ) -> CodeFingerprint:
        reach = Reach(self._resolver, self._effects)
        ambiguous = self._start(reach, target)
        for dotted in types:
            self._start_type(reach, dotted)
        if pipeline is not None:
            reach.load(pipeline)
            if ambiguous:
                reach.whole(pipeline, f"{target} may stand for several functions")
        reach.finish()
        parts = self._parts.of(reach)
        if any(re.match(r"__main__[.:]", place) for place in (target, *types)) and (
            self._resolver.modules.find("__main__") is None
        ):
            # Nothing is known of the code, so no other key may meet this one.
            parts["module __main__"] = digest(os.urandom(32))
            reach.wholes["__main__"] = "its source is not known"
        tops = sorted({dotted.partition(".")[0] for dotted in reach.outside if is_library(dotted)})
        distributions = self._libraries.versions(tops)
        content = {
            "format": FORMAT,
            "target": target,
            "parts": parts,
            "distributions": distributions,
        }
        return CodeFingerprint(
            digest(canonical_json(content)),
            target,
            "module" if reach.wholes else "function",
            parts,
            distributions,
            {name: reach.wholes[name] for name in sorted(reach.wholes)},
            ambiguous,
        )

    # Where to start

    def _start(self, reach: Reach, target: str) -> bool:
        """Begin at ``target``; True if the source does not say which one function it is."""
        name, _, qualified = target.partition(":")
        if self._resolver.modules.find(name) is None:
            if name != "__main__":
                reach.outside[name] = None
            return False
        reach.load(name)
        first = qualified.partition(".")[0]
        edges, found = self._resolver.start(name, first)
        reach.take(edges)
        if not found:
            reach.whole(name, f"{qualified} is not found in its source")
            return True
        summary = self._resolver.summary(name)
        numbers = [number for number, _ in summary.bindings.get(first, ())]
        kinds = {summary.units[number].kind for number in numbers}
        digests = {summary.units[number].digest for number in numbers}
        notebook = name == "__main__"
        named = "<" not in qualified  # as in make.<locals>.load and <lambda>
        single = len(digests) == 1 and (notebook or len(numbers) == 1)
        if named and single and kinds <= {"function", "class"}:
            return False
        if named and notebook:
            for number, unit in enumerate(summary.units):
                if any(ref.root == first for ref in unit.refs):
                    reach.add(name, number)
        else:
            reach.whole(name, f"{qualified} may stand for several functions")
        return True

    def _start_type(self, reach: Reach, dotted: str) -> None:
        parts = dotted.replace(":", ".").split(".")
        for end in range(len(parts) - 1, 0, -1):
            name = ".".join(parts[:end])
            if self._resolver.modules.find(name) is not None:
                reach.load(name)
                edges, found = self._resolver.start(name, parts[end])
                reach.take(edges)
                if not found:
                    reach.whole(name, f"{dotted} is not found in its source")
                return
        if len(parts) > 1 and parts[0] != "__main__":
            reach.outside[parts[0]] = None
