"""Writing the inference log: what was asked and answered, as Parquet files of an endpoint's folder.

    <folder>/2026-01-31/20260131T093000.123456-4f1c2a9b.parquet

A file is written whole and never changes. Its rows are of one version of the model; there is one
for each row of a request, and one for a request without an answer. The columns are in
docs/reference/server.md.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from stackyard.inference_checks import Tensor, tensors

if TYPE_CHECKING:
    import pyarrow as pa

    from stackyard.components.registry import Signature

Role = Literal["champion", "challenger", "shadow"]

_ARROW = {"BOOL": "bool", "BYTES": "string", "FP": "double", "INT": "int64", "UINT": "uint64"}


@dataclass(frozen=True)
class Inference:
    """One request, and which version answered it, or could not.

    Attributes:
        time: When it came, seconds since the epoch.
        version: The model's version that answered.
        role: What that version was then.
        latency: Seconds from the request to the answer.
        id: Of the answer.
        request: The V2 request; empty where there was no answer.
        response: The V2 answer; empty where there was none.
        error: Why there was no answer, or only that it was refused.
    """

    time: float
    version: str
    role: Role
    latency: float
    id: str
    request: Mapping[str, Any] = field(default_factory=dict)
    response: Mapping[str, Any] = field(default_factory=dict)
    error: str = ""


def write_inferences(
    folder: Path, inferences: Iterable[Inference], signatures: Mapping[str, Signature]
) -> list[Path]:
    """Append to the log: one file for each day and version, which appears when it is whole.

    Args:
        folder: The endpoint's.
        inferences: Requests, and their answers.
        signatures: What each version takes: a column has the model's type, whatever was sent.

    Raises:
        OSError: a file cannot be written; what was begun of it is removed.
    """
    import pyarrow.parquet as pq

    def group(one: Inference) -> tuple[str, str]:
        return datetime.fromtimestamp(one.time, UTC).strftime("%Y-%m-%d"), one.version

    written = []
    for (day, version), batch in groupby(sorted(inferences, key=group), group):
        rows = list(batch)
        place = folder / day
        place.mkdir(parents=True, exist_ok=True)
        stamp = datetime.fromtimestamp(rows[0].time, UTC).strftime("%Y%m%dT%H%M%S.%f")
        target = place / f"{stamp}-{secrets.token_hex(4)}.parquet"
        aside = target.with_name(f".{target.name}")
        try:
            pq.write_table(_table(rows, signatures[version]), aside, compression="zstd")
            os.replace(aside, target)
        except OSError:
            aside.unlink(missing_ok=True)
            raise
        written.append(target)
    return written


def _table(batch: Sequence[Inference], signature: Signature) -> pa.Table:
    import pyarrow as pa

    asked = [{} if one.error else tensors(one.request, "inputs", []) for one in batch]
    given = [{} if one.error else tensors(one.response, "outputs", []) for one in batch]
    counts = [next(iter(outputs.values())).shape[0] if outputs else 1 for outputs in given]
    own: dict[str, tuple[pa.DataType, list[Any]]] = {
        "id": (pa.string(), [one.id for one in batch]),
        "time": (pa.timestamp("us", "UTC"), [round(one.time * 1e6) for one in batch]),
        "version": (pa.string(), [one.version for one in batch]),
        "role": (pa.string(), [one.role for one in batch]),
        "latency_ms": (pa.float64(), [one.latency * 1000 for one in batch]),
        "error": (pa.string(), [one.error or None for one in batch]),
    }
    columns = {
        name: pa.array([v for v, n in zip(values, counts, strict=True) for _ in range(n)], kind)
        for name, (kind, values) in own.items()
    }
    columns["row"] = pa.array([row for n in counts for row in range(n)], pa.int32())
    for one in signature.inputs:
        found = [inputs.get(one.name) for inputs in asked]
        columns[f"input:{one.name}"] = _column(found, counts, one.datatype)
    for name in dict.fromkeys(name for outputs in given for name in outputs):
        parts = [outputs.get(name) for outputs in given]  # a request may ask for some of them
        kind = next(part.datatype for part in parts if part is not None)
        columns[f"output:{name}"] = _column(parts, counts, kind)
    return pa.table(columns)


def _column(parts: Sequence[Tensor | None], counts: Sequence[int], datatype: str) -> pa.Array:
    """One tensor of many requests; null where a request does not have it."""
    import pyarrow as pa

    arrow = pa.type_for_alias(_ARROW[datatype.rstrip("0123456789")])
    values: list[Any] = []
    nested = False
    for part, count in zip(parts, counts, strict=True):
        if part is None:
            values.extend([None] * count)
        elif len(part.data) == count:
            values.extend(part.data)
        else:
            nested = True
            width = len(part.data) // count
            values.extend(part.data[n : n + width] for n in range(0, len(part.data), width))
    return pa.array(values, pa.list_(arrow) if nested else arrow)
