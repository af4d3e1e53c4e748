"""Broken secret providers."""

from __future__ import annotations

import contextlib
import importlib
import json
import logging
import os
import socket
import threading
import time
from functools import cache
from pathlib import Path
from typing import Any

from acme_tools.secret_provider import FILE
from acme_tools.secret_provider import look_up as sound

from stackyard.errors import SecretError

CLIENT = "acme_client"  # that the plugin requires


class MixesCases:
    """Names that differ in case only are one."""

    caught_by = "test_01_a_known_name_gives_its_value"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        return sound(name.upper(), project) or sound(name, project)


class FlattensNames:
    """A vault's paths become the names of environment variables."""

    caught_by = "test_01_a_known_name_gives_its_value"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        held = json.loads((project / FILE).read_text())
        flat = {key.replace("/", "_").replace(".", "_"): value for key, value in held.items()}
        found: str | None = flat.get(name.replace("/", "_").replace(".", "_"))
        return found


class Strips:
    """Blanks around a value are taken away."""

    caught_by = "test_02_the_value_as_it_is[blanks]"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        return (sound(name, project) or "").strip() or None


class Expands:
    """What looks like an environment variable in a value becomes its value."""

    caught_by = "test_02_the_value_as_it_is[signs]"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        return os.path.expandvars(sound(name, project) or "") or None


class TakesOneLine:
    """Of a private key the first line is found."""

    caught_by = "test_02_the_value_as_it_is[lines]"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        return next(iter((sound(name, project) or "").splitlines()), None)


class RaisesForAnother:
    """What it does not know is an error, and no other provider is asked."""

    caught_by = "test_03_an_unknown_name_gives_none"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        found: str = json.loads((project / FILE).read_text())[name]
        return found


class GivesNothing:
    """What it does not know is an empty text."""

    caught_by = "test_03_an_unknown_name_gives_none"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        return sound(name, project) or ""


class WantsToBeSetUp:
    """A project without its file cannot use any secret."""

    caught_by = "test_04_where_nothing_is_kept_there_is_none"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        if not (project / FILE).exists():
            raise SecretError(f"{project / FILE} does not exist")
        return sound(name, project)


class MakesItsFolder:
    """Asking it leaves a folder behind."""

    caught_by = "test_04_where_nothing_is_kept_there_is_none"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        (project / FILE).parent.mkdir(exist_ok=True)
        return sound(name, project)


class ReadsFiles:
    """A name may be a file's."""

    caught_by = "test_05_hostile_names_give_none"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        try:
            return sound(name, project) or (project / name).read_text()
        except (OSError, ValueError):
            return None


class Remembers:
    """What was asked once is not asked again."""

    caught_by = "test_06_what_has_changed_is_found"
    look_up = staticmethod(cache(sound))


class Logs:
    """Its log has what was found."""

    caught_by = "test_07_a_value_is_shown_nowhere"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        found = sound(name, project)
        logging.getLogger("acme").debug("%s is %s", name, found)
        return found


class QuotesWhatIsWrong:
    """An error shows the text that cannot be read."""

    caught_by = "test_08_an_error_does_not_have_the_value"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        try:
            return sound(name, project)
        except SecretError as exc:
            raise SecretError(f"not JSON: {(project / FILE).read_text()}") from exc


class ImportsAtOnce:
    """What is loaded imports the vault's client, below."""

    caught_by = "test_09_nothing_is_imported_to_ask_it"
    look_up = staticmethod(sound)


class ConnectsAtOnce:
    """What is loaded looks, below, whether the vault is there."""

    caught_by = "test_10_asked_only_for_what_is_nowhere_else"
    look_up = staticmethod(sound)


class StartsAtOnce:
    """What is loaded starts, below, a thread that keeps a token fresh."""

    caught_by = "test_10_asked_only_for_what_is_nowhere_else"
    look_up = staticmethod(sound)


match os.environ.get("ACME_MUTANT"):  # which is only said in processes that begin later
    case "ImportsAtOnce":
        importlib.import_module(CLIENT)
    case "ConnectsAtOnce":
        with contextlib.suppress(Exception):
            socket.create_connection(("127.0.0.1", 9)).close()
    case "StartsAtOnce":
        threading.Thread(target=time.sleep, args=(1,), daemon=True).start()


class IsSilentToo:
    """A backend that does not answer is as good as one that does not know the name."""

    caught_by = "test_11_a_silent_backend_is_given_up_in_time"

    @staticmethod
    def silence(_: Any, address: str, project: Path, patch: Any) -> bool:
        patch.setenv("ACME_ADDRESS", address)
        return True

    tested_with = {"silence": silence.__func__}  # noqa: RUF012

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        host, _, port = os.environ["ACME_ADDRESS"].partition(":")
        try:
            with socket.create_connection((host, int(port)), timeout=0.2) as connection:
                return connection.recv(100).decode()
        except TimeoutError:
            return None


class LocksOthersOut:
    """Who asks while another asks is refused."""

    caught_by = "test_12_two_processes_at_once"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        lock = project / "lock"
        with lock.open("x"):
            time.sleep(0.1)
            found = sound(name, project)
        lock.unlink()
        return found


class KeepsACopy:
    """What was found is kept where the step runs."""

    caught_by = "test_13_in_a_pipeline"

    @staticmethod
    def look_up(name: str, project: Path) -> str | None:
        found = sound(name, project)
        Path("acme.cache").write_text(found or "")
        return found
