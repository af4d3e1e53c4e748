"""The contract of a secret provider as tests; numbered in docs/reference/secret-providers.md."""

from __future__ import annotations

import logging
import time
import traceback
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import ClassVar

import pytest

from stackyard import plugins, registry
from stackyard.errors import SecretError
from stackyard.flavors import SecretProvider
from stackyard.secrets import Find, Secrets
from stackyard.testing.contract import Contract, offered
from stackyard.testing.elsewhere import elsewhere
from stackyard.testing.manners import deaf, files_in
from stackyard.testing.processes import answer, imported_for
from stackyard.testing.secret_provider_work import find_all, run_in_pipeline

DEADLINE = 10.0  # seconds, for a backend that never answers
VALUE = "not-to-be-seen-4711"
NAMES = {  # all that a stack may refer to, and what comes of mixing them up
    "ACME_TOKEN": "one", "acme_token": "two", "ACME": "three", "ACME_TOKEN_2": "four",
    "acme/token": "five", "acme.token": "six", "acme-token": "seven", "team/db/password": "eight",
    "x" * 200: "nine",
}  # fmt: skip
VALUES = {
    "blanks": " two words ", "signs": "a=b==#c;$HOME%20\\n'\"`{}${env:HOME}", "letters": "größe-键",
    "long": "x" * 4000, "number": "0042", "lines": "-----BEGIN-----\nMII\n-----END-----\n",
}  # fmt: skip
_LOADING = """
import json, sys
given = json.loads(sys.argv[1])
from stackyard import plugins, registry
[found] = [p for p in plugins.load().secret_providers() if p.name == given]
registry.load(found.target, given)
"""
_ASKING = """
import json, sys
given = json.loads(sys.argv[1])
from pathlib import Path
from stackyard import plugins, registry
from stackyard.secrets import Secrets
from stackyard.testing.manners import begun, unconnected
before = begun()
with unconnected():
    [found] = [p for p in plugins.load().secret_providers() if p.name == given["provider"]]
    registry.load(found.target, found.name)
    value = Secrets(Path(given["project"]), [found]).lookup("TOKEN")
assert begun() <= before, "a thread or a process was started"
print(json.dumps(value))
"""


class SecretProviderContract(Contract, ABC):
    """Inherit, say what the provider is called, and how a secret gets to where it looks."""

    provider: ClassVar[str]

    @abstractmethod
    def keep(self, values: Mapping[str, str], project: Path, patch: pytest.MonkeyPatch) -> None:
        """Make these the secrets that there are, in the tool's own way.

        Args:
            values: by name.
            project: the project's root, new in each test.
            patch: for environment variables that say where the provider looks.
        """

    def damage(self, project: Path) -> bool:
        """Make what is kept unreadable, with its values still in it; False where that cannot be."""
        return False

    def silence(self, address: str, project: Path, patch: pytest.MonkeyPatch) -> bool:
        """Let the provider ask a backend at ``address``, which takes connections and is silent.

        False for one that asks nobody.

        Args:
            address: host and port, ``127.0.0.1:50123``.
            project: as in ``keep``.
            patch: as in ``keep``.
        """
        return False

    # Fixtures

    @pytest.fixture
    def project(self, tmp_path: Path) -> Path:
        """An empty project."""
        (tmp_path / "project").mkdir()
        return tmp_path / "project"

    @pytest.fixture
    def descriptor(self) -> SecretProvider:
        """What the plugin says of the provider."""
        return offered("secret provider", self.provider, plugins.load().secret_providers())

    @pytest.fixture
    def find(self, descriptor: SecretProvider) -> Find:
        """The function that is asked."""
        found: Find = registry.load(descriptor.target, self.provider)
        return found

    @pytest.fixture
    def silent(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        """The backend takes connections and never answers."""
        with deaf() as address:
            if not self.silence(address, project, monkeypatch):
                pytest.skip("it asks nobody")
            yield

    # What it finds

    def test_01_a_known_name_gives_its_value(
        self, find: Find, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Each name that a stack may refer to has its own, however like another it is."""
        self.keep(NAMES, project, monkeypatch)
        assert {name: find(name, project) for name in NAMES} == NAMES

    @pytest.mark.parametrize("kind", VALUES)
    def test_02_the_value_as_it_is(
        self, find: Find, project: Path, monkeypatch: pytest.MonkeyPatch, kind: str
    ) -> None:
        """Nothing is stripped, unquoted or replaced."""
        self.keep({"TOKEN": VALUES[kind]}, project, monkeypatch)
        assert find("TOKEN", project) == VALUES[kind]

    def test_03_an_unknown_name_gives_none(
        self, find: Find, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Never an error, so that the next provider is asked."""
        self.keep({"TOKEN": VALUE}, project, monkeypatch)
        assert [find(name, project) for name in ("TOKE", "TOKEN2", "token", "a/b", "TOKEN/x")] == (
            [None] * 5
        )

    def test_04_where_nothing_is_kept_there_is_none(self, find: Find, project: Path) -> None:
        """A project that does not use the provider is not disturbed by it."""
        assert find("TOKEN", project) is None
        assert list(project.iterdir()) == []

    def test_05_hostile_names_give_none(
        self, find: Find, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A name leads to nothing but a secret."""
        self.keep({"TOKEN": VALUE}, project, monkeypatch)
        outside = project.parent / "outside"
        outside.write_text("secret of another")
        outside.chmod(0o600)
        up = ["/".join([*[".."] * n, "outside"]) for n in range(1, 6)]
        names = [*up, str(outside), "", ".", "..", "TOKEN\0", "TOKEN\n", "*", "TOKEN=", "x" * 5000]
        names += ["größe", "'; --", "%s", "${env:HOME}", "\ud800"]
        assert {name: find(name, project) for name in names} == dict.fromkeys(names)

    def test_06_what_has_changed_is_found(
        self, find: Find, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """No value outlives the one that was put in its place."""
        for value in ("old", "new"):
            self.keep({"TOKEN": value}, project, monkeypatch)
            assert find("TOKEN", project) == value

    # What is seen of it

    def test_07_a_value_is_shown_nowhere(
        self,
        find: Find,
        project: Path,
        monkeypatch: pytest.MonkeyPatch,
        caplog: pytest.LogCaptureFixture,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        """Neither printed nor logged, nor written into the project."""
        self.keep({"TOKEN": VALUE}, project, monkeypatch)
        before = files_in(project)
        with caplog.at_level(logging.DEBUG):
            assert find("TOKEN", project) == VALUE
        assert VALUE not in "".join([*capfd.readouterr(), caplog.text])
        assert files_in(project) == before

    def test_08_an_error_does_not_have_the_value(
        self, find: Find, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What cannot be read is said with its place and without its content."""
        self.keep({"TOKEN": VALUE}, project, monkeypatch)
        if not self.damage(project):
            pytest.skip("what is kept cannot be damaged")
        with pytest.raises(SecretError) as caught:
            find("TOKEN", project)
        shown = "".join(traceback.format_exception(caught.value))
        assert VALUE not in shown + repr(caught.value.__cause__)

    # Manners

    def test_09_nothing_is_imported_to_ask_it(self, descriptor: SecretProvider) -> None:
        """Neither loading the plugin nor its function imports what the plugin depends on.

        Whatever secret is looked up, of whichever tool, the provider may be asked.
        """
        plugin = next(p for p in plugins.load().loaded if descriptor in p.secret_providers)
        assert imported_for(plugin.distribution.name, _LOADING, self.provider) == []

    def test_10_asked_only_for_what_is_nowhere_else(
        self, descriptor: SecretProvider, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Until then nothing is connected or started.

        Neither by loading the plugin and the provider's function, in a process that has loaded
        nothing yet, nor where the environment has the value.
        """
        self.keep({"TOKEN": "from the provider"}, project, monkeypatch)
        monkeypatch.setenv("TOKEN", "from the environment")
        given = {"provider": self.provider, "project": str(project)}
        assert answer(_ASKING, given) == "from the environment"
        monkeypatch.delenv("TOKEN")
        assert Secrets(project, [descriptor]).lookup("TOKEN") == "from the provider"

    @pytest.mark.usefixtures("silent")
    def test_11_a_silent_backend_is_given_up_in_time(self, find: Find, project: Path) -> None:
        """Within ten seconds, as an error that says what was asked: not as if there were none."""
        start = time.monotonic()
        with pytest.raises(SecretError, match="TOKEN"):
            find("TOKEN", project)
        assert time.monotonic() - start < DEADLINE

    # At work

    def test_12_two_processes_at_once(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each finds what there is."""
        self.keep(NAMES, project, monkeypatch)
        found = elsewhere(type(self), find_all, str(project), list(NAMES), times=2)
        assert found == [NAMES, NAMES]

    def test_13_in_a_pipeline(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A step's resource gets the value; what the step prints and the store keeps does not."""
        self.keep({"ACME_TOKEN": VALUE}, project, monkeypatch)
        before = {name for name, data in files_in(project).items() if VALUE.encode() in data}
        [seen] = elsewhere(type(self), run_in_pipeline, str(project), len(VALUE))
        assert seen == {"use": "succeeded"}
        files = files_in(project)
        assert {name for name, data in files.items() if VALUE.encode() in data} == before
        assert any(b"shown by mistake: ***" in data for data in files.values())
