"""``stackyard serve predict``: rows from a file, answers as a table."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stackyard.cli import output
from stackyard.display import plural
from stackyard.errors import UsageError

if TYPE_CHECKING:
    from stackyard.components.server import Server

SHOWN = 20  # rows of an answer in the table


def predict(server: Server, args: argparse.Namespace) -> int:
    """Send what ``args.rows`` names to ``args.endpoint``; show the answer."""
    from stackyard.inference import decode_response

    answer = server.predict(args.endpoint, _request(args.rows), version=args.version)
    if args.json:
        output.json_document(answer)
        return 0
    frame = decode_response(answer)
    rows = [tuple(row) for row in frame.head(SHOWN).itertuples(index=False)]
    output.table(rows, [str(name) for name in frame])
    more = f", the first {SHOWN} are shown" if len(frame) > SHOWN else ""
    output.say(
        f"{plural(len(frame), 'row')}{more}; version {answer.get('model_version', 'not told')}, "
        f"request {answer.get('id', 'without an id')}"
    )
    return 0


def _request(path: str) -> Any:
    """What to send, from a file or standard input.

    Raises:
        UsageError: it cannot be read.
    """
    from stackyard.inference import encode_request

    if path == "-":
        return _json(sys.stdin.buffer.read(), "standard input")
    file = Path(path)
    if not file.is_file():
        raise UsageError(f"{path}: {'is a folder' if file.is_dir() else 'there is no such file'}")
    if file.suffix not in (".csv", ".parquet", ".json"):
        raise UsageError(f"{path}: is no .csv, .parquet or .json")
    try:
        if file.suffix == ".json":
            return _json(file.read_bytes(), path)
        import pandas as pd

        read = pd.read_csv if file.suffix == ".csv" else pd.read_parquet
        frame = read(file)
    except (ValueError, OSError) as exc:
        raise UsageError(f"{path}: cannot be read: {exc}") from exc
    if not len(frame):
        raise UsageError(f"{path}: there are no rows in it")
    return encode_request(frame)


def _json(data: bytes, where: str) -> Any:
    import json

    try:
        return json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise UsageError(f"{where}: is no JSON: {exc}") from exc
