"""The resource. Here it is a warehouse in an SQLite file: put your tool's client in its place.

What a resource must keep is numbered in Stackyard's docs/reference/resources.md.
"""

from __future__ import annotations

import sqlite3
from typing import Any

from stackyard import Resource, Secret


class AcmeResource(Resource):
    """A connection that a step is given; it is opened when it is first used.

    Args:
        file: The database. A relative path counts from the folder that the step runs in.
        token: Who asks; a file does not need to know. Call ``token.reveal()`` where it is sent.
        timeout: Seconds to wait for another process that writes.
    """

    def __init__(self, file: str, token: Secret | None = None, timeout: float = 30.0) -> None:
        self.file = file
        self.token = token
        self.timeout = timeout
        self._connection: sqlite3.Connection | None = None

    def query(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Return the rows that a statement gives, and keep what it writes."""
        if self._connection is None:  # import a client that is slow to import here
            self._connection = sqlite3.connect(self.file, timeout=self.timeout)
        with self._connection:
            return self._connection.execute(sql, values).fetchall()

    def close(self) -> None:
        """Close the connection. Called when the step has ended."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
