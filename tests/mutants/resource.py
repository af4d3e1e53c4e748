"""Broken resources."""

from __future__ import annotations

import sqlite3
import threading
import time
from pathlib import Path
from typing import Any

from acme_tools.resource import AcmeResource

from stackyard import Secret


class OneForAll(AcmeResource):
    """Every step of a process gets the same connection."""

    caught_by = "test_01_made_of_what_a_stack_says"
    _one: Any = None

    def __new__(cls, file: str, token: Secret | None = None, timeout: float = 30.0) -> Any:
        cls._one = cls._one or super().__new__(cls)
        return cls._one


class TakesWhatever(AcmeResource):
    """A key has no type."""

    caught_by = "test_01_made_of_what_a_stack_says"

    def __init__(self, file: str, token: Secret | None = None, timeout=30.0) -> None:
        super().__init__(file, token, timeout)


class PassesItOn(AcmeResource):
    """It takes any key, and gives them to its tool."""

    caught_by = "test_02_a_key_that_is_unknown_is_refused"

    def __init__(self, file: str, token: Secret | None = None, **options: Any) -> None:
        super().__init__(file, token)
        self.options = options


class ConnectsAtOnce(AcmeResource):
    """Making it opens the file."""

    caught_by = "test_05_silent_until_used"

    def __init__(self, file: str, token: Secret | None = None, timeout: float = 30.0) -> None:
        super().__init__(file, token, timeout)
        self._connection = sqlite3.connect(file)


class ClosesWhatIsNotOpen(AcmeResource):
    """Closing it unused is an error."""

    caught_by = "test_05_silent_until_used"

    def close(self) -> None:
        self._connection.close()  # type: ignore[union-attr]


class RevealsAtOnce(AcmeResource):
    """It keeps the value of the token."""

    caught_by = "test_07_secrets_are_not_shown"

    def __init__(self, file: str, token: Secret | None = None, timeout: float = 30.0) -> None:
        super().__init__(file, token, timeout)
        self.sent = token.reveal() if token else ""


class ShowsWhoAsks(AcmeResource):
    """Its error has the token."""

    caught_by = "test_07_secrets_are_not_shown"

    def query(self, sql: str, *values: Any) -> Any:
        raise ConnectionRefusedError(f"{self.file}, token {self.token and self.token.reveal()}")


class PrintsWhoAsks(AcmeResource):
    """It prints the token where it sends it."""

    caught_by = "test_07_secrets_are_not_shown"

    def query(self, sql: str, *values: Any) -> Any:
        print("asking with", self.token.reveal())  # type: ignore[union-attr]
        return super().query(sql, *values)


class StaysOpen(AcmeResource):
    """It is closed when it is no longer referred to."""

    caught_by = "test_08_closing_releases_what_it_holds"

    def close(self) -> None:
        pass


class ClosesOnce(AcmeResource):
    """Closing it again is an error."""

    caught_by = "test_08_closing_releases_what_it_holds"

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            del self._connection


class BeatsOn(AcmeResource):
    """A thread that keeps the connection alive is never stopped."""

    caught_by = "test_08_closing_releases_what_it_holds"

    def query(self, sql: str, *values: Any) -> Any:
        threading.Thread(target=time.sleep, args=(3,), daemon=True).start()
        return super().query(sql, *values)


class LocksOthersOut(AcmeResource):
    """Who uses it while another does is refused."""

    caught_by = "test_09_two_processes_at_once"

    def query(self, sql: str, *values: Any) -> Any:
        lock = Path("lock")
        with lock.open("x"):
            time.sleep(0.2)
            found = super().query(sql, *values)
        lock.unlink()
        return found


class ClosesItself(AcmeResource):
    """What it is asked is right, and it is closed by each question: the step closes it again."""

    caught_by = "test_10_in_a_step"

    def query(self, sql: str, *values: Any) -> Any:
        found = super().query(sql, *values)
        self.close()
        return found


class KnowsItsProject(AcmeResource):
    """It works in an empty folder only."""

    caught_by = "test_10_in_a_step"

    def query(self, sql: str, *values: Any) -> Any:
        if Path("stacks").exists():
            raise FileNotFoundError("acme.toml")
        return super().query(sql, *values)
