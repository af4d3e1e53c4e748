"""The remote store: what its service may do to it, and how it says so."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from blake3 import blake3
from moto.s3.responses import S3Response

from stackyard.errors import ArtifactNotFound, StoreError
from stackyard.store.backend import Backend, open_backend
from tests.ports import closed_port

KEY = f"artifacts/ab/ab{'0' * 62}"


@pytest.fixture
def backend(s3_url: str, tmp_path: Path) -> Backend:
    return open_backend(s3_url, cache_dir=tmp_path / "cache")


def message(action: Any) -> str:
    with pytest.raises(StoreError) as caught:
        action()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_a_digest_named_object_is_downloaded_once(
    backend: Backend, s3_url: str, tmp_path: Path
) -> None:
    backend.put_if_absent(KEY, b"bytes")
    backend.put_if_absent("runs/log", b"text")
    other = open_backend(s3_url, cache_dir=tmp_path / "other")
    first, log = other.path(KEY), other.path("runs/log")
    assert (first.read_bytes(), log.read_bytes()) == (b"bytes", b"text")
    backend.delete(KEY)
    backend.delete("runs/log")
    assert other.path(KEY) == first
    with pytest.raises(ArtifactNotFound):
        other.path("runs/log")
    other.delete(KEY)
    with pytest.raises(ArtifactNotFound):
        other.path(KEY)
    assert [p for p in (tmp_path / "other").rglob("*") if p.is_file() and p != log] == []


def test_hashing_reads_the_store_and_not_the_cache(backend: Backend, s3_url: str) -> None:
    backend.put_if_absent(KEY, b"bytes")
    assert backend.hashed(KEY) == (5, blake3(b"bytes").hexdigest())
    backend._fs.pipe_file(f"{s3_url}/{KEY}", b"other")  # type: ignore[attr-defined]
    assert backend.hashed(KEY) == (5, blake3(b"other").hexdigest())
    backend._fs.pipe_file(f"{s3_url}/{KEY}", b"")  # type: ignore[attr-defined]
    assert backend.hashed(KEY) == (0, blake3(b"").hexdigest())
    backend.delete(KEY)
    with pytest.raises(ArtifactNotFound):
        backend.hashed(KEY)


def test_hashing_holds_a_few_blocks_and_not_the_object(
    backend: Backend, s3_url: str, tmp_path: Path
) -> None:
    data = bytes(range(256)) * (1 << 19)  # 128 MB
    backend.put_if_absent(KEY, data)
    code = """if True:
        import sys, tracemalloc
        from pathlib import Path
        from stackyard.store.backend import open_backend
        backend = open_backend(sys.argv[1], cache_dir=Path(sys.argv[2]))
        backend.exists(sys.argv[3])
        tracemalloc.start()
        size, digest = backend.hashed(sys.argv[3])
        print(size, digest, tracemalloc.get_traced_memory()[1])
    """
    command = [sys.executable, "-c", code, s3_url, str(tmp_path / "other"), KEY]
    size, digest, peak = subprocess.run(
        command, capture_output=True, text=True, check=True
    ).stdout.split()
    assert (int(size), digest) == (len(data), blake3(data).hexdigest())
    assert int(peak) < 80 * 2**20, f"{int(peak) / 2**20:.0f} MB"
    assert [p for p in (tmp_path / "other").rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("as_file", [True, False])
def test_what_was_written_here_needs_no_download(
    backend: Backend, monkeypatch: pytest.MonkeyPatch, as_file: bool
) -> None:
    data: bytes | Path = b"bytes"
    if as_file:
        data = backend.scratch / "file"
        data.write_bytes(b"bytes")
    backend.put_if_absent(KEY, data)
    monkeypatch.setattr(S3Response, "get_object", None)
    assert backend.path(KEY).read_bytes() == b"bytes"


def test_a_full_cache_disk(s3_url: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    backend = open_backend(s3_url, cache_dir=tmp_path / "cache")
    text = message(lambda: backend.put_if_absent(KEY, b"bytes"))
    assert text.startswith(f"cache folder {tmp_path / 'cache'}/objects/")
    assert "not a directory. Cure: free space there or give this user access to it" in text


def test_a_bucket_that_does_not_exist(s3_url: str, tmp_path: Path) -> None:
    backend = open_backend("s3://no-such-bucket/x", cache_dir=tmp_path / "cache")
    assert message(lambda: backend.put_if_absent("a", b"")) == (
        "store s3://no-such-bucket/x: cannot write stackyard-store.json: its bucket does not exist"
    )


def test_a_service_that_does_not_answer(
    s3_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = time.monotonic()
    with closed_port() as port:
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", f"http://127.0.0.1:{port}")
        backend = open_backend(s3_url, cache_dir=tmp_path / "cache")
        text = message(lambda: backend.put_if_absent("a", b""))
    assert text.startswith(f"store {s3_url}: cannot read stackyard-store.json: Could not connect")
    assert f"127.0.0.1:{port}" in text
    assert text.endswith("Cure: check the address, the credentials and the network")
    assert time.monotonic() - begun < 60


def test_a_service_that_refuses(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    backend.put_if_absent("a", b"")
    body = "<Error><Code>AccessDenied</Code><Message>Not for you</Message></Error>"
    monkeypatch.setattr(S3Response, "put_object", lambda self: (403, {}, body))
    assert "cannot write b: Not for you. Cure: check" in message(
        lambda: backend.put_if_absent("b", b"")
    )


def test_a_service_that_overwrites_is_found_out(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    put = S3Response.put_object

    def put_object(self: Any) -> Any:
        self.headers = {k: v for k, v in self.headers.items() if k.lower() != "if-none-match"}
        return put(self)

    monkeypatch.setattr(S3Response, "put_object", put_object)
    text = message(lambda: backend.put_if_absent("a", b""))
    assert "this service overwrites where it was asked to create only" in text


def test_a_service_that_is_deciding_on_another_writer(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    backend.put_if_absent("first", b"")
    put, answers = S3Response.put_object, iter(range(100))
    body = "<Error><Code>ConditionalRequestConflict</Code><Message>busy</Message></Error>"

    def put_object(self: Any) -> Any:
        return (409, {}, body) if next(answers) < 3 else put(self)

    monkeypatch.setattr(S3Response, "put_object", put_object)
    assert backend.put_if_absent("a", b"x")
    assert backend.get("a") == b"x"
    assert next(answers) == 4


def test_many_are_not_half_read(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    for key in ("a", "b"):
        backend.put_if_absent(key, b"x")
    get = S3Response.get_object
    body = "<Error><Code>AccessDenied</Code><Message>Not for you</Message></Error>"

    def get_object(self: Any) -> Any:
        return (403, {}, body) if self.parse_key_name().endswith("/b") else get(self)

    monkeypatch.setattr(S3Response, "get_object", get_object)
    for limit in (None, 1):
        assert "cannot read b: " in message(lambda n=limit: backend.get_many(["a", "b"], limit=n))


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("nope://x", "store nope://x: Protocol not known: nope. Use a folder or a URL such as "),
        ("https://h/x", "store https://h/x: cannot read stackyard-store.json: "),
        ("zip://x", "store zip://x: "),
    ],
)
def test_addresses_that_are_no_store(url: str, text: str, tmp_path: Path) -> None:
    backend = open_backend(url, cache_dir=tmp_path)
    assert message(lambda: backend.put_if_absent("a", b"")).startswith(text)


@pytest.mark.parametrize("library", ["s3fs", "fsspec"])
def test_a_missing_library(library: str) -> None:
    code = (
        f"import sys; from pathlib import Path; sys.modules[{library!r}] = None;"
        "from stackyard.store.backend import open_backend;"
        "open_backend('s3://b/x', cache_dir=Path('c')).list('')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == (
        f"stackyard.errors.StoreError: store s3://b/x needs {library}, which is not installed. "
        "Cure: uv pip install 'stackyard[s3]'"
    )


def test_opening_imports_nothing(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stackyard.store.backend import open_backend;"
        "open_backend('s3://b/x', cache_dir=Path('c'));"
        "print({m.partition('.')[0] for m in sys.modules} & {'fsspec', 's3fs', 'botocore'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
    assert not os.path.exists("c")


@pytest.mark.full
def test_a_large_file_goes_up_in_parts_and_once(backend: Backend, tmp_path: Path) -> None:
    for content, made in ((b"a", True), (b"b", False)):
        path = tmp_path / "large"
        path.write_bytes(content * (120 * 2**20))
        assert backend.put_if_absent("large", path) is made
    assert backend.size("large") == 120 * 2**20
    assert backend.get_many(["large"], limit=5) == {"large": b"aaaaa"}
    backend.refresh("large")
