"""Where MLflow is: addresses as a stack file may write them, and in full."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

from stackyard.components.base import Context
from stackyard.errors import InvalidInput

DATABASES = ("sqlite", "postgresql", "mysql", "mssql")


def embedded_folder(context: Context) -> Path:
    """Where the project's own MLflow database and files are."""
    return context.project.resolve() / ".stackyard" / "mlflow"


def resolve(uri: str | None, context: Context) -> str:
    """The address in full: the embedded database where none is given, paths from the project."""
    if not uri:
        return f"sqlite:///{embedded_folder(context) / 'mlflow.db'}"
    kind = scheme(uri)
    if kind in ("", "file"):
        raise InvalidInput(
            f"{context.name} tracking_uri: {uri!r} is a folder, which MLflow no longer develops. "
            "Use 'sqlite:///path/to/mlflow.db' or the URL of a server"
        )
    if kind == "sqlite":
        path = uri.partition(":///")[2]
        if path and path != ":memory:":
            return f"sqlite:///{(context.project.resolve() / path)}"
        raise InvalidInput(f"{context.name} tracking_uri: {uri!r} names no database file")
    return uri.rstrip("/")


def scheme(uri: str) -> str:
    """Kind of an address: ``https``, ``sqlite``, ``databricks``; empty for a path."""
    if uri == "databricks":
        return uri
    return urlsplit(uri).scheme.partition("+")[0]


def sqlite_folder(uri: str) -> Path | None:
    """The folder of an SQLite database; None for any other address."""
    return Path(uri.partition(":///")[2]).parent if scheme(uri) == "sqlite" else None


def without_password(uri: str) -> str:
    """The address as it may be shown."""
    parts = urlsplit(uri)
    if parts.password is None:
        return uri
    return parts._replace(netloc=f"***@{parts.netloc.rpartition('@')[2]}").geturl()
