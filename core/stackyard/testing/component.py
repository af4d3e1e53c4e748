"""The contract of every component, of whatever kind; numbered in docs/reference/components.md."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar
from uuid import uuid4

import pytest

from stackyard.as_json import as_json
from stackyard.components.base import Context
from stackyard.errors import ComponentError, ConfigError, StackyardError, Unavailable
from stackyard.shape import shape_of, takes_secret
from stackyard.testing.contract import Contract
from stackyard.testing.elsewhere import at_once
from stackyard.testing.in_stack import give_secrets, made_of, secrets_of, spec_of, stack_of
from stackyard.testing.manners import deaf, logged, silent_until_used
from stackyard.testing.processes import imported_by

DEADLINE = 6.0  # seconds, for a backend that never answers


class ComponentContract(Contract, ABC):
    """Inherited by the contract of each kind, which adds its own guarantees.

    A plugin's test overrides the fixture ``settings``. What a component lacks is a capability that
    it does not declare; ``deviations`` are for what it has and does otherwise.
    """

    kind: ClassVar[str]
    _settings: ClassVar[Mapping[str, Any] | None] = None

    # What a plugin's test says

    @pytest.fixture(scope="class")
    @classmethod
    def settings(cls) -> Mapping[str, Any] | None:
        """What a stack says of the component: ``{"flavor": "acme", "url": "..."}``.

        Relative paths count from the project, which every test has anew, or of a server and an
        orchestrator every class. Secrets are references, ``"${secret:ACME_TOKEN}"``: one that is
        not in the environment is given a value.

        None: the component is not made by a stack, as those in memory are not. Then ``connect`` has
        to be overridden, and what is about stacks is skipped.
        """
        return None

    def connect(self, context: Context) -> Any:
        """Return a new component on the same backend, whichever test asks."""
        if self._settings is None:
            raise NotImplementedError(
                f"{type(self).__name__}: override the fixture 'settings': what a stack says of "
                f"the {self.kind}, e.g. {{'flavor': 'acme', 'url': ...}}"
            )
        return made_of(self.kind, self._settings, context)

    def silent(self, address: str) -> Mapping[str, Any] | None:
        """What a stack says of a backend at ``address``, which takes connections and is silent.

        None for a component that talks to nobody.

        Args:
            address: host and port, ``127.0.0.1:50123``.
        """
        return None

    def unreachable(self, context: Context) -> Any:
        """Return a component whose backend does not answer; None for one that talks to nobody."""
        said = self.silent(self._silent_at)
        return None if said is None else made_of(self.kind, said, context)

    @abstractmethod
    def ask(self, component: Any) -> object:
        """The simplest question that only the backend can answer."""

    def look(self, component: Any) -> object:
        """What else has to be silent before the component is used."""

    def before_at_once(self, component: Any, token: str) -> None:
        """What is there before the two processes begin."""

    @classmethod
    def do_at_once(cls, component: Any, number: int, token: str) -> Any:
        """What two processes do at the same moment; returns plain data.

        Args:
            component: of the process.
            number: of the process, 0 or 1.
            token: the same in both, and in no other test, be it of another session; 30 lower-case
                letters, digits and ``-``, with ``c09-two-processes`` in it.
        """
        raise NotImplementedError

    def check_at_once(self, component: Any, results: list[Any], token: str) -> None:
        """Check what the two gave, and what there is now."""
        raise NotImplementedError

    def after_at_once(self, component: Any, token: str) -> None:
        """Take away what must not stay, whatever became of the processes."""

    # Fixtures

    @pytest.fixture(autouse=True)
    def _said(
        self, settings: Mapping[str, Any] | None, monkeypatch: pytest.MonkeyPatch
    ) -> Iterator[None]:
        type(self)._settings = settings
        give_secrets(secrets_of(self.kind, settings), monkeypatch)
        with deaf() as self._silent_at:
            yield

    @pytest.fixture
    def stated(self) -> Mapping[str, Any]:
        """``settings``, where there are any."""
        if self._settings is None:
            pytest.skip("not made by a stack")
        return self._settings

    # The configuration

    def test_c01_what_a_stack_says_is_the_configuration(self, stated: Mapping[str, Any]) -> None:
        """What was said is in it, and what it holds, said again, makes an equal one."""
        stack = self._stack(stated)
        config = stack.config(self.kind)
        holds = as_json(config, secrets=True)
        assert json.loads(json.dumps(holds)) == holds
        assert {"flavor", *holds} >= set(stated)
        again = self._stack({"flavor": stated["flavor"], **holds})
        assert again.config(self.kind) == config

    def test_c02_a_key_that_is_unknown_is_refused(self, stated: Mapping[str, Any]) -> None:
        """With its place, and the keys that there are."""
        stack = self._stack({**stated, "no_such_key": 1})
        with pytest.raises(ConfigError, match=r"contract\.yaml:\d+:\d+.*unknown key 'no_such_key'"):
            stack.config(self.kind)

    def test_c03_a_value_of_a_wrong_type_is_refused(self, stated: Mapping[str, Any]) -> None:
        """Whichever key it is of, with its place; a secret may not be written out."""
        stack = self._stack(stated)
        for name, key in shape_of(stack.config_class(spec_of(stack, self.kind))).keys.items():
            wrong: Any = "written out" if takes_secret(key.type) else [{"no": ["such", "type"]}]
            if key.type is Any:
                continue
            with pytest.raises(ConfigError, match=rf"contract\.yaml:\d+:\d+.*{name}"):
                self._stack({**stated, name: wrong}).config(self.kind)

    # Manners

    def test_c04_silent_until_used(self, tmp_path: Path, context: Context) -> None:
        """Making and closing the component writes nothing, connects to nothing, starts nothing."""
        silent_until_used(self.connect, context, tmp_path / "untouched", self.look)

    def test_c05_the_tool_is_imported_when_it_is_used(
        self, stated: Mapping[str, Any], tmp_path: Path
    ) -> None:
        """Neither loading the plugin nor making the component imports what the plugin depends on.

        Every command loads each plugin, and every step process makes its components.
        """
        found = imported_by(self.kind, stated, tmp_path)
        assert not found, f"imported at once: {found}. Import them in the methods that use them"

    def test_c06_secrets_are_not_shown(
        self, stated: Mapping[str, Any], context: Context, caplog: pytest.LogCaptureFixture
    ) -> None:
        """Neither by what prints the component, nor in its log, its errors and its findings."""
        stack = self._stack(stated)
        config = stack.config(self.kind)
        fields = dataclasses.fields(config)
        takers = [f.name for f in fields if takes_secret(shape_of(type(config)).keys[f.name].type)]
        names = secrets_of(self.kind, stated)
        if not takers:
            pytest.skip("its configuration takes no secret")
        if not names:
            try:
                self._stack({**stated, **dict.fromkeys(takers, "${secret:A}")}).config(self.kind)
            except ConfigError:
                pytest.skip("with these settings it takes no secret")
            pytest.fail(f"let 'settings' say {takers[0]}: '${{secret:NAME}}', so that it is tested")
        own = context.logger.name  # what libraries log of their requests at DEBUG is their own
        with (
            caplog.at_level(logging.INFO),
            caplog.at_level(logging.DEBUG, logger=own),
            logged() as log,
        ):
            made = self.connect(context)
            shown = [("its repr", f"{made!r} {made} {vars(made)} {as_json(config, secrets=True)}")]
            for one in (made, self.unreachable(replace(context, deadline=DEADLINE))):
                if one is None:
                    continue
                try:
                    shown.append(("a finding", repr(one.check())))
                    shown.append(("an answer", repr(self.ask(one))))
                except ComponentError as exc:
                    shown.append(("an error", f"{exc} {exc!r} {exc.__cause__!r}"))
                one.close()
        shown.append(("the journal", repr(context.journal and vars(context.journal))))
        shown.append(("the log", log.getvalue()))
        seen = [
            f"the value of {name} is shown by {place}"  # and not what shows it
            for name in names
            for place, text in shown
            if os.environ[name] in text
        ]
        assert not seen, "; ".join(seen)

    def test_c07_a_silent_backend_is_unavailable_in_time(self, context: Context) -> None:
        """What takes connections and never answers is given up within the deadline."""
        made = self.unreachable(replace(context, deadline=DEADLINE))
        if made is None:
            pytest.skip("it talks to nobody; if it does, define silent(address)")
        start = time.monotonic()
        with pytest.raises(Unavailable):
            self.ask(made)
        assert time.monotonic() - start < DEADLINE
        made.close()

    def test_c08_doctor_is_told_and_nothing_is_raised(self, context: Context) -> None:
        """``check`` says what is so, in time; of a backend that does not answer, and the cure."""
        made = self.connect(context)
        assert all(found.what and (found.ok or found.cure) for found in made.check())
        made.close()
        silent = self.unreachable(replace(context, deadline=DEADLINE))
        if silent is None:
            return
        start = time.monotonic()
        findings = silent.check()
        assert time.monotonic() - start < DEADLINE
        assert any(not finding.ok for finding in findings) or not findings
        assert all(finding.ok or finding.cure for finding in findings)
        silent.close()

    def test_c09_two_processes_at_once(self, stated: Mapping[str, Any], context: Context) -> None:
        """Neither hinders the other, and nothing is lost."""
        token = f"c09-two-processes-{uuid4().hex[:12]}"
        made = self.connect(context)
        try:
            self.before_at_once(made, token)
            results = at_once(type(self), stated, context, token)
            self.check_at_once(made, results, token)
        finally:
            self.after_at_once(made, token)
        made.close()

    def test_c10_its_capabilities_are_those_of_the_kind(self, context: Context) -> None:
        """One that the kind does not know is a misspelling: nobody would ever ask for it."""
        made = self.connect(context)
        assert made.capabilities <= set(made.optional)
        made.close()

    def test_c11_nothing_is_printed(
        self, context: Context, capfd: pytest.CaptureFixture[str]
    ) -> None:
        """Standard output is for what a command answers; a component logs to ``context.logger``."""
        made = self.connect(context)
        with contextlib.suppress(StackyardError):  # what there is to ask about may not be there yet
            self.ask(made)
        made.check()
        made.close()
        assert capfd.readouterr().out == ""

    def _stack(self, said: Mapping[str, Any]) -> Any:
        return stack_of(self.kind, said, Path())
