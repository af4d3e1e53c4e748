"""What tests of several folders need."""

from __future__ import annotations

import secrets
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest


def pytest_configure() -> None:
    """Whoever starts the tests in the background may have switched Ctrl-C off for all below."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def s3_endpoint() -> Iterator[str]:
    """A real S3 API on a free port of this machine."""
    from moto.s3.responses import S3Response
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    with pytest.MonkeyPatch.context() as patch:
        # S3 decides a conditional put in one step; moto looks and then writes, in threads.
        one_at_a_time, put = threading.Lock(), S3Response.put_object

        def put_object(self: S3Response) -> object:
            with one_at_a_time:
                return put(self)

        patch.setattr(S3Response, "put_object", put_object)
        server.start()
        try:
            host, port = server.get_host_and_port()
            yield f"http://{host}:{port}"
        finally:
            server.stop()


@pytest.fixture
def s3_url(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """A URL for a new store in a bucket, and the usual environment to reach it."""
    import urllib.request

    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", s3_endpoint)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    bucket = urllib.request.Request(f"{s3_endpoint}/stackyard-tests", method="PUT")
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    opener.open(bucket, timeout=30).close()
    return f"s3://stackyard-tests/{secrets.token_hex(6)}"


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Keep together the tests of one plugin, which share servers, and else those of one file."""
    from xdist.scheduler import LoadScopeScheduling

    class Scheduling(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            folders = nodeid.partition("::")[0].split("/")
            return "/".join(folders[:2] if folders[0] == "plugins" else folders)

    config.option.loadscopereorder = False  # the slow ones are not those with the most tests
    return Scheduling(config, log)
