"""The cache key of a step: equal keys mean that running the step again would give the same result.

A key is BLAKE3 of the canonical JSON of named parts. The parts are kept beside it in short form, so
that two of them say in one line why a step ran again. What may be reused at all is another
question, which ``reusable`` and ``max_age`` answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from stackyard.graph import Binding, FromStep, ListOf, Step, canonical_json, leaves, sources
from stackyard.period import short_periods

if TYPE_CHECKING:
    from stackyard.store.code.index import CodeFingerprint

# Raise it when keys of the same step must no longer meet those of earlier releases.
FORMAT = 1
UNTOLD = "of run "  # begins the state of a component that cannot tell it
_SHORT = 12  # hexadecimal characters of a digest that is kept for people
_PLAIN = 80  # characters of a value that is kept as it is
_BARE = ("package", "python", "target", "step", "state")
_SHOWN = 3  # changes named in one line
_CODE = ("function", "class", "constant", "definition", "module", "statements", "text")
# Kinds of parts, most telling first.
_ORDER = (
    "version", "target", *_CODE, "parameter", "input", "collection", "component", "state",
    "package", "python", "fingerprint", "outputs", "step", "format",
)  # fmt: skip


def compute(
    step: Step,
    *,
    code: CodeFingerprint,
    inputs: Mapping[str, str],
    values: Mapping[str, Any],
    components: Mapping[str, Any],
    states: Mapping[str, str],
    python: str,
    version: str = "",
    fingerprint: object = None,
) -> tuple[str, dict[str, str]]:
    """Return a step's key, 64 hexadecimal characters, and its parts in short form.

    Args:
        step: whose inputs say from which step they come; its name does not count.
        code: what ``CodeIndex.fingerprint`` says of its target.
        inputs: digests of the artifacts that it reads, by parameter.
        values: its other parameters as plain JSON.
        components: flavor and non-secret configuration of what is injected, by parameter.
        states: what injected feature stores would answer now, by parameter.
        python: "3.11".
        version: the version that the author declared.
        fingerprint: plain result of the author's own fingerprint function; None for none.
    """
    full: dict[str, Any] = {"format": FORMAT, "target": code.target, "python": python}
    full["outputs"] = list(step.outputs)
    if code.ambiguous:
        full["step"] = step.name
    if version:
        full["version"] = version
    if fingerprint is not None:
        full["fingerprint"] = fingerprint
    digests = {
        **code.parts,
        **{f"input {name}": digest for name, digest in inputs.items()},
        **{f"component {name}": _digest(value) for name, value in components.items()},
    }
    full.update(digests)
    full.update({f"state {name}": state for name, state in states.items()})
    full.update({f"parameter {name}": value for name, value in values.items()})
    full.update({f"package {name}": found for name, found in code.distributions.items()})
    full.update({f"collection {n}": shape for n, b in step.inputs.items() if (shape := _shape(b))})
    single = [leaf for name, binding in step.inputs.items() for leaf in leaves(name, binding)]
    origins = {name: _origin(leaf) for name, leaf in single if isinstance(leaf, FromStep)}
    short = {
        name: value[:_SHORT] if name in digests else _plain(name, value)
        for name, value in full.items()
    }
    for name, why in code.reasons.items():
        short[f"module {name}"] = f"{short[f'module {name}']} whole module: {why}"[:_PLAIN]
    for name in inputs:
        if name in origins:
            short[f"input {name}"] += f" from step {origins[name]}"
    return _digest(full), short


def explain(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """Say in one line what changed between two keys, given their parts; most telling first.

    For example ``function cleaning.trim changed; parameter depth: 6 -> 8``.
    """
    rows: list[tuple[tuple[int, int, str], str]] = []
    whole = {_name(part) for part in {*old, *new} if part.startswith("module ")}
    for part in {*old, *new}:
        before, after = old.get(part), new.get(part)
        kind = _kind(part)
        if before == after or (kind in _CODE and kind != "module" and _is_below(part, whole)):
            continue
        said = _say(kind, _name(part), before, after)
        if said:
            rank = _ORDER.index(kind) if kind in _ORDER else len(_ORDER)
            rows.append(((rank if before and after else rank + len(_ORDER), rank, part), said))
    changes = [said for _, said in sorted(rows)]
    more = [f"{len(changes) - _SHOWN} more"] if len(changes) > _SHOWN else []
    return "; ".join([*changes[:_SHOWN], *more]) or "nothing that counts changed"


def reusable(step: Step) -> bool:
    """Whether another run's result of ``step`` under the same key may stand for a new one.

    It may if the step changes nothing in the world (``effect``), and either reads other steps'
    results alone or says how long what it reads stays true (``cache`` or ``fingerprint``). A
    result of the very run that is being resumed always may: see ``earlier``.
    """
    options = step.options
    if options.effect or options.cache is False:
        return False
    if options.cache is not None or options.fingerprint is not None:
        return True
    return any(True for binding in step.inputs.values() for _ in sources(binding))


def max_age(step: Step) -> float | None:
    """Seconds for which a result of another run stays true; None without limit."""
    cache = step.options.cache
    return None if cache is None or isinstance(cache, bool) else float(cache)


def _digest(value: object) -> str:
    import blake3

    return blake3.blake3(canonical_json(value)).hexdigest()


def _plain(part: str, value: object) -> str:
    """A value for people, on one line: versions as they are, all others as JSON."""
    bare = _kind(part) in _BARE and isinstance(value, str)
    text = str(value) if bare else canonical_json(value).decode()
    return text if len(text) <= _PLAIN else f"{text[: _PLAIN - 20]}... {_digest(value)[:_SHORT]}"


def _shape(binding: Binding) -> Any:
    """How a collected input is put together; its items count for themselves."""
    if not isinstance(binding, ListOf):
        return None
    return [binding.type, list(binding.keys), [_shape(item) for item in binding.items]]


def _origin(leaf: FromStep) -> str:
    """The step, and which of its named outputs."""
    return leaf.step if leaf.output == "result" else f"{leaf.step}.{leaf.output}"


def _kind(part: str) -> str:
    return part.partition(" ")[0]


def _name(part: str) -> str:
    return part.partition(" ")[2]


def _is_below(part: str, modules: Iterable[str]) -> bool:
    """Whether a function or the like belongs to a module that counts whole, now or before."""
    name = _name(part)
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _say(kind: str, name: str, before: str | None, after: str | None) -> str:
    if kind in _CODE:
        return _say_code(kind, name, before, after)
    if kind == "input":
        return _say_input(name, before, after)
    if kind == "component":
        gone = "is no longer used" if after is None else "is new"
        return f"{name} {'configuration changed' if before and after else gone}"
    if kind == "state":
        untold = (after or "").startswith(UNTOLD)
        said = f"{name} cannot tell what changed in it" if untold else f"what {name} holds changed"
        return said if before and after else ""
    if kind in ("package", "python"):
        return f"{name or kind} {_shown(before)} -> {_shown(after)}"
    said = {
        "parameter": f"parameter {name}",
        "collection": f"how input {name} is put together",
        "fingerprint": "the step's own fingerprint",
        "version": "declared version",
        "outputs": "named outputs",
        "step": "name of the step",
        "target": "function of the step",
        "format": "form of cache keys",
    }.get(kind, f"{kind} {name}".strip())
    old, new = short_periods(_shown(before), _shown(after))
    return f"{said}: {old} -> {new}"


def _say_code(kind: str, name: str, before: str | None, after: str | None) -> str:
    said = {"statements": f"what importing {name} does", "text": f"text of module {name}"}.get(
        kind, f"{kind} {name}"
    )
    whole = (after or before or "").partition(" ")[2]
    reason = f" ({whole})" if whole else ""
    if before is None:
        return f"{said} is now reached{reason}"
    if after is None:
        return f"{said} is no longer reached{reason}"
    return f"{said} changed{reason}" if before[:_SHORT] != after[:_SHORT] else ""


def _say_input(name: str, before: str | None, after: str | None) -> str:
    old_digest, _, old_origin = (before or "").partition(" ")
    digest, _, origin = (after or "").partition(" ")
    if origin or old_origin:  # which item of a collection, is said by where it comes from
        name = name.partition(".")[0]
    if before is None:
        return f"input {name} is new ({origin})" if origin else f"input {name} is new"
    if after is None:
        return f"input {name} is gone ({old_origin})" if old_origin else f"input {name} is gone"
    if digest == old_digest:
        return ""
    moved = origin
    if old_origin and origin not in ("", old_origin):
        moved = f"{old_origin} -> {origin.removeprefix('from step ')}"
    return f"input {name} changed ({moved})" if moved else f"input {name} changed"


def _shown(value: str | None) -> str:
    return "none" if value is None else value
