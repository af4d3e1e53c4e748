"""Local services with real processes: start, find again, stop, whatever died meanwhile."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import textwrap
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from stackyard import processes
from stackyard.components.base import Command, Service
from stackyard.errors import Unavailable, UsageError
from stackyard.loopback import answers
from stackyard.supervisor import MARK, Supervisor
from tests.e2e.background import lives, until
from tests.ports import free_port

SERVER = """
import http.server, subprocess, sys, time
port, delay = int(sys.argv[1]), float(sys.argv[2])
# A child in a session of its own: only its environment tells whose it is.
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"], start_new_session=True)
print("starting on", port)
time.sleep(delay)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers(); self.wfile.write(b"ok")
    def log_message(self, *a): pass
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""


def command(name: str, code: str, *args: object, **options) -> Command:
    return Command(name, [sys.executable, "-c", code, *map(str, args)], **options)


def server(name: str = "web", delay: float = 0.0, port: int | None = None, **options) -> Service:
    port = port or free_port()
    url = f"http://127.0.0.1:{port}"
    web = command("web", SERVER, port, delay, ready=f"{url}/health", port=port)
    idle = command("idle", "import time; time.sleep(300)")
    return Service(name, [idle, web], url=url, ready_within=60, **options)


@pytest.fixture
def services(tmp_path):
    made = Supervisor(tmp_path)
    yield made
    for name in made.names():
        made.down(name)
    assert left_of(tmp_path) == []


def left_of(root: Path) -> list[int]:
    """Processes that carry the mark of the project at ``root``."""
    project = Supervisor(root)._project
    found = []
    for process in psutil.process_iter():
        try:
            mark = process.environ().get(MARK, "")
            if mark.startswith(project) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except (psutil.Error, OSError):
            continue
    return found


def pids(services: Supervisor, name: str = "web") -> dict[str, int]:
    return {c.name: c.pid for c in services.read(name).commands}


def test_up_waits_until_ready_and_down_leaves_nothing(services, tmp_path):
    notes = []
    service = server(delay=2.2)
    state = services.up(service, note=notes.append)
    assert state.ready
    assert answers(service.url)
    assert any("waiting for web" in n for n in notes)
    assert services.health("web") == ("ready", "")
    assert services.names() == ["web"]
    assert len(left_of(tmp_path)) == 3  # both commands and the server's own child
    assert services.log("web", "web").read_text().startswith("starting on")
    assert services.down("web") is True
    assert left_of(tmp_path) == []
    assert services.health("web") == ("stopped", "")
    assert services.names() == []


def test_up_twice_starts_once_and_down_twice_is_fine(services):
    service = server()
    prepared = []
    services.up(service, prepare=lambda: prepared.append(1))
    first = pids(services)
    services.up(service, prepare=lambda: prepared.append(2))
    assert pids(services) == first
    assert prepared == [1]
    assert services.down("web") is True
    assert services.down("web") is False


def test_a_changed_definition_is_started_again(services):
    service = server()
    services.up(service)
    first = pids(services)
    changed = replace(service, commands=[replace(c, env={"X": "1"}) for c in service.commands])
    services.up(changed)
    assert set(pids(services).values()).isdisjoint(first.values())
    assert not any(lives(p) for p in first.values())


@pytest.mark.parametrize("victim", ["web", "idle"])
def test_a_killed_command_is_noticed_and_all_started_again(services, victim):
    service = server()
    services.up(service)
    first = pids(services)
    os.kill(first[victim], signal.SIGKILL)
    until(lambda: services.health("web")[0] == "broken")
    assert victim in services.health("web")[1]
    services.up(service)
    assert services.health("web") == ("ready", "")
    assert answers(service.url)
    assert set(pids(services).values()).isdisjoint(first.values())


def test_down_after_every_leader_was_killed_sweeps_their_children(services, tmp_path):
    services.up(server())
    for pid in pids(services).values():
        os.kill(pid, signal.SIGKILL)
    until(lambda: services.health("web")[0] == "stopped")
    assert len(left_of(tmp_path)) == 1
    assert services.down("web") is True
    assert left_of(tmp_path) == []


def test_a_lost_state_file_does_not_lose_the_processes(services, tmp_path):
    services.up(server())
    (tmp_path / ".stackyard" / "services" / "web.json").unlink()
    assert services.names() == ["web"]
    assert services.down("web") is True
    assert left_of(tmp_path) == []


def test_a_torn_state_file_is_survived(services, tmp_path):
    service = server()
    services.up(service)
    (tmp_path / ".stackyard" / "services" / "web.json").write_text('{"name": "we')
    services.up(service)  # the port is free again: what held it was found by its mark
    assert services.health("web") == ("ready", "")


PARENT = """
import sys
from pathlib import Path
from stackyard.components.base import Command, Service
from stackyard.supervisor import Supervisor
code, port, delay = sys.argv[2], int(sys.argv[3]), sys.argv[4]
url = f"http://127.0.0.1:{port}"
argv = [sys.executable, "-c", code, str(port), delay]
web = Command("web", argv, ready=f"{url}/health", port=port)
idle = Command("idle", [sys.executable, "-c", "import time; time.sleep(300)"])
Supervisor(Path(sys.argv[1])).up(Service("web", [idle, web], url=url, ready_within=60))
"""


def start_parent(root: Path, port: int, delay: float) -> subprocess.Popen:
    argv = [sys.executable, "-c", PARENT, str(root), SERVER, str(port), str(delay)]
    return subprocess.Popen(argv, stderr=subprocess.PIPE)


def test_the_starter_killed_while_it_waits_is_continued(services, tmp_path):
    port = free_port()
    parent = start_parent(tmp_path, port, 4.0)
    until(lambda: (state := services.read("web")) is not None and len(state.commands) == 2)
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert services.health("web") == ("starting", "")
    first = pids(services)
    services.up(server(port=port, delay=4.0))
    assert pids(services) == first  # found again, not started a second time
    assert answers(f"http://127.0.0.1:{port}")


def test_the_starter_killed_and_then_down(services, tmp_path):
    parent = start_parent(tmp_path, free_port(), 4.0)
    until(lambda: left_of(tmp_path))
    parent.send_signal(signal.SIGKILL)
    parent.communicate()
    assert services.down("web") is True
    assert left_of(tmp_path) == []


def test_ctrl_c_while_waiting_stops_what_was_started(services, tmp_path):
    parent = start_parent(tmp_path, free_port(), 30.0)
    until(lambda: len(left_of(tmp_path)) == 3)
    parent.send_signal(signal.SIGINT)
    parent.communicate(timeout=60)
    assert left_of(tmp_path) == []
    assert services.read("web") is None


def test_two_ups_at_once_start_one(services, tmp_path):
    port = free_port()
    parents = [start_parent(tmp_path, port, 0.5) for _ in range(2)]
    for parent in parents:
        _, err = parent.communicate(timeout=60)
        assert parent.returncode == 0, err.decode()
    assert len(left_of(tmp_path)) == 3


def test_a_port_in_use_names_port_holder_and_setting(services, tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(UsageError) as caught:
            services.up(server(port=port), owner="stacks/dev.yaml tracker")
    text = str(caught.value)
    assert f"service 'web': web: port {port} on 127.0.0.1 is in use" in text
    assert f"(process {os.getpid()})" in text
    assert "give stacks/dev.yaml tracker another port" in text
    assert left_of(tmp_path) == []


def test_a_command_that_ends_shows_its_last_lines(services, tmp_path):
    code = "import sys; print('first'); print('no such database'); sys.exit(3)"
    bad = command("scheduler", code)
    service = server()
    with pytest.raises(Unavailable) as caught:
        services.up(replace(service, commands=[*service.commands, bad]))
    text = str(caught.value)
    assert "service 'web': scheduler has ended. Last lines of" in text
    assert text.endswith("    first\n    no such database")
    assert left_of(tmp_path) == []
    assert services.names() == []


def test_a_command_without_ready_url_must_live(services):
    with pytest.raises(Unavailable, match="has ended"):
        services.up(Service("x", [Command("short", ["sleep", "0.3"])]))


def test_not_ready_in_time_stops_everything(services, tmp_path):
    with pytest.raises(Unavailable, match=r"web did not answer at http://\S+ within 1 s"):
        services.up(replace(server(delay=60), ready_within=1))
    assert left_of(tmp_path) == []


def test_a_program_that_does_not_exist(services, tmp_path):
    service = server()
    wrong = Command("gone", ["/no/such/program"])
    with pytest.raises(UsageError, match="cannot start 'gone': /no/such/program: No such file"):
        services.up(replace(service, commands=[*service.commands, wrong]))
    assert left_of(tmp_path) == []


def test_a_stubborn_process_is_killed(services, tmp_path, monkeypatch):
    monkeypatch.setattr(processes.stop, "__defaults__", (0.5,))
    code = """
        import signal, time
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("deaf")
        time.sleep(300)
    """
    services.up(Service("deaf", [command("deaf", textwrap.dedent(code))]))
    until(lambda: services.log("deaf", "deaf").read_text() == "deaf\n")
    assert services.down("deaf") is True
    assert left_of(tmp_path) == []


def test_a_reused_process_id_is_left_alone(services, tmp_path):
    """A state file whose id now belongs to a stranger: the stranger lives on."""
    service = server()
    services.up(service)
    state = services.read("web")
    services.down("web")
    stranger = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(300)"])
    try:
        stale = [replace(c, pid=stranger.pid, created=c.created - 60) for c in state.commands]
        services._write(replace(state, commands=tuple(stale)))
        assert services.health("web")[0] == "stopped"
        assert services.down("web") is False
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()


@pytest.mark.parametrize("name", ["../x", "a/b", "a b", "", "{{x}}", "a\nb", "x" * 65])
def test_names_that_are_no_names_are_refused(services, name):
    with pytest.raises(UsageError, match="service name"):
        services.down(name)
    with pytest.raises(UsageError, match="service name"):
        services.up(Service(name, []))


def test_configuration_does_not_reach_the_state_file(services, tmp_path):
    service = Service("x", [command("idle", "import time; time.sleep(300)", env={"PW": "hunter2"})])
    services.up(service)
    folder = tmp_path / ".stackyard" / "services"
    assert b"hunter2" not in (folder / "x.json").read_bytes()
    assert folder.stat().st_mode & 0o077 == 0
