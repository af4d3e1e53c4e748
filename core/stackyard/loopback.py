"""Ports and pages of this machine, as a stack names them and its services use them."""

from __future__ import annotations

from stackyard.errors import UsageError

HOST = "127.0.0.1"


def check_address(key: str, url: str | None) -> None:
    """Raise ValueError, as a configuration does, if ``url`` is of a server at an impossible port.

    Args:
        key: what a stack file calls it.
        url: the address; what is not of ``http`` or ``https`` is not looked at.
    """
    from urllib.parse import urlsplit

    if url is None or not url.startswith(("http://", "https://")):
        return
    host = urlsplit(url).netloc.rpartition("@")[2]  # without a password, which is not shown
    try:
        wrong = urlsplit(url).port == 0
    except ValueError:
        wrong = True
    if wrong:
        raise ValueError(f"{key}: {host!r} has no possible port. Ports are 1 to 65535")


def check_free(port: int | None, who: str, owner: str = "") -> None:
    """Raise UsageError, naming the program that holds it, unless ``port`` is free on loopback.

    Args:
        port: the port; None is always free.
        who: what wants the port, e.g. ``service 'mlflow': server``.
        owner: whose setting to change, e.g. ``stacks/dev.yaml tracker``.
    """
    import socket

    if port is None:
        return
    with socket.socket() as probe:
        # As servers do, so that connections still closing are not taken for a program.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except PermissionError as exc:
            raise UsageError(
                f"{who}: port {port} is not allowed. Give {owner or 'it'} another"
            ) from exc
        except OSError as exc:
            change = f"give {owner} another port" if owner else "choose another port"
            raise UsageError(
                f"{who}: port {port} on {HOST} is in use{_holder(port)}. "
                f"Stop that program, or {change}"
            ) from exc


def free_port() -> int:
    """A port on which nobody listens, for a server that is started in a moment.

    It is below those that the system gives to outgoing connections, so that none of these takes it
    before the server does.
    """
    import random
    import socket

    while True:
        port = random.SystemRandom().randrange(10_000, 32_000)
        with socket.socket() as probe:
            try:
                probe.bind((HOST, port))
            except OSError:
                continue
            return port


def answers(url: str) -> bool:
    """Whether ``url`` answers below 400 within three seconds."""
    import http.client
    import urllib.error
    import urllib.request

    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback, no proxy
    try:
        with opener.open(url, timeout=3) as answer:
            return bool(answer.status < 400)
    except (OSError, http.client.HTTPException):  # URLError, HTTPError and time-outs are OSErrors
        return False


def _holder(port: int) -> str:
    import psutil

    try:
        for connection in psutil.net_connections("tcp"):
            address = connection.laddr[1:2]  # empty, or the port
            if address == (port,) and connection.status == psutil.CONN_LISTEN and connection.pid:
                name = psutil.Process(connection.pid).name()
                return f" by {name} (process {connection.pid})"
    except psutil.Error:  # other people's processes may not be looked at
        return ""
    return ""
