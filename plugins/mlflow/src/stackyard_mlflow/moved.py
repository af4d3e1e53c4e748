"""The project's own database after the project was moved or copied.

MLflow writes down where each file is, in full. The database and its files are one folder of the
project's; so in another place, what changed is the beginning of every address.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

PLACE = "/.stackyard/mlflow/artifacts"  # of every project's own files, in the project
COLUMNS = (
    ("experiments", "artifact_location"),
    ("runs", "artifact_uri"),
    ("logged_models", "artifact_location"),
    ("model_versions", "source"),
    ("model_versions", "storage_location"),
)


def follow(folder: Path) -> None:
    """Let the database in ``folder`` name the files that are beside it.

    Without it, a copy would write into the project that it was copied from.
    """
    here = (folder / "artifacts").as_uri()
    with closing(sqlite3.connect(folder / "mlflow.db")) as connection, connection:
        known = connection.execute("SELECT DISTINCT artifact_location FROM experiments").fetchall()
        for (there,) in known:
            if there == here or not (there or "").endswith(PLACE):
                continue
            for table, column in COLUMNS:
                connection.execute(
                    f"UPDATE {table} SET {column} = ? || substr({column}, ?) "
                    f"WHERE {column} = ? OR substr({column}, 1, ?) = ?",
                    (here, len(there) + 1, there, len(there) + 1, f"{there}/"),
                )
