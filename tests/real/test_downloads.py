"""Files from an index: folders, and a server of our own; no network needed."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.server
import json
import os
import socketserver
import threading
from functools import partial

import pytest
import trio

from simulator.errors import BadInputError, MachineError
from simulator.tools.downloads import WHEEL, download, files_of, find_file, kept

pytestmark = pytest.mark.slow

DATA = b"an archive"
DIGEST = hashlib.sha256(DATA).hexdigest()
NAMES = ["some_thing-1.0.tar.gz", "some_thing-1.1.tar.gz", "some_thing-1.1-py3-none-any.whl", "some_thing-bad.tar.gz"]


@pytest.fixture
def pip(monkeypatch):
    """pip is set up with what the test says, and nothing else."""
    for variable in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(variable)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return lambda **settings: [monkeypatch.setenv(f"PIP_{name.upper()}", value) for name, value in settings.items()]


@pytest.fixture
def links(tmp_path):
    folder = tmp_path / "links"
    folder.mkdir()
    for name in NAMES:
        (folder / name).write_bytes(DATA)
    return folder


def project_page(links, as_json):
    if as_json:
        files = [{"filename": name, "url": f"/files/{name}", "hashes": {"sha256": DIGEST}} for name in NAMES]
        return json.dumps({"files": files}), "application/vnd.pypi.simple.v1+json"
    anchors = "".join(f'<a href="../../files/{name}#sha256={DIGEST}">{name}</a>' for name in NAMES)
    return f"<!DOCTYPE html><html><body>{anchors}</body></html>", "text/html"


@contextlib.contextmanager
def serving(links, *, as_json, seen, broken=False):
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers["Authorization"]))
            if broken:
                self.send_error(503, "out of order")
                return
            if self.path == "/simple/some-thing/":
                text, kind = project_page(links, as_json)
                body = text.encode()
            elif self.path.startswith("/files/"):
                body, kind = (links / self.path.removeprefix("/files/")).read_bytes(), "application/gzip"
            else:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/simple"
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def socketserver_of(answer):
    class Handler(socketserver.BaseRequestHandler):
        def handle(self):
            self.request.recv(10000)
            self.request.sendall(answer)

    with socketserver.TCPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}/simple"
        finally:
            thread.join()


def find(*arguments, **options):
    return trio.run(partial(find_file, *arguments, **options))


def have(file, folder, **options):
    return trio.run(partial(download, file, folder=str(folder), **options))


@pytest.mark.parametrize("as_json", [True, False])
def test_from_an_index_once(pip, links, tmp_path, as_json):
    seen, lines = [], []
    with serving(links, as_json=as_json, seen=seen) as url:
        pip(index_url=url)
        file = find("Some.Thing", "1.0")
        assert (file.filename, file.sha256) == (NAMES[0], DIGEST)
        assert kept(file.filename, DIGEST, folder=str(tmp_path / "kept")) is None
        path = have(file, tmp_path / "kept", tell=lines.append)
        assert have(file, tmp_path / "kept", tell=lines.append) == path
    with open(path, "rb") as stream:
        assert stream.read() == DATA
    assert os.path.basename(path) == NAMES[0]
    assert lines == [f"downloading {NAMES[0]}"]
    assert seen.count((f"/files/{NAMES[0]}", None)) == 1
    assert kept(file.filename, DIGEST, folder=str(tmp_path / "kept")) == path


def test_a_wheel(pip, links):
    pip(no_index="1", find_links=str(links))
    assert find("some-thing", "1.1", kind=WHEEL).filename == NAMES[2]


def test_an_index_in_a_folder(pip, links, tmp_path):
    page = tmp_path / "simple/some-thing"
    page.mkdir(parents=True)
    (page / "index.html").write_text(f'<a href="file://{links}/{NAMES[1]}#sha256={DIGEST}">x</a>')
    pip(index_url=f"file://{tmp_path}/simple")
    file = find("some-thing", "1.1")
    with open(have(file, tmp_path / "kept"), "rb") as stream:
        assert stream.read() == DATA
    assert trio.run(files_of, "unheard-of") == []


def test_versions_that_are_not_there(pip, links):
    pip(no_index="1", find_links=str(links))
    with pytest.raises(BadInputError, match=r"^some-thing==1\.2 has no file that ends in \.tar\.gz; nearest: 1\.1$"):
        find("some-thing", "1.2")
    with pytest.raises(BadInputError, match=r"^some-thing==0\.9 has no file .*; nearest: 1\.0$"):
        find("some-thing", "0.9")
    with pytest.raises(BadInputError, match="'one' is no version, such as"):
        find("some-thing", "one")


def test_a_project_that_is_not_there(pip, links):
    with serving(links, as_json=True, seen=[]) as url:
        pip(index_url=url)
        with pytest.raises(BadInputError, match="has none of any version"):
            find("unheard-of", "1.0")


def test_no_network_is_no_missing_version(pip):
    pip(index_url="http://127.0.0.1:9/simple")
    with pytest.raises(MachineError, match=r"some-thing cannot be downloaded: .*Connection refused; check the network"):
        find("some-thing", "1.0")


def test_an_index_out_of_order(pip, links):
    seen = []
    with serving(links, as_json=True, seen=seen, broken=True) as url:
        pip(index_url=url.replace("//", "//me:secret@"))
        with pytest.raises(MachineError, match="503") as caught:
            find("some-thing", "1.0")
    assert seen == [("/simple/some-thing/", f"Basic {base64.b64encode(b'me:secret').decode()}")]
    assert "secret" not in caught.value.message


def test_an_answer_that_is_none(pip):
    with socketserver_of(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n{") as url:
        pip(index_url=url)
        with pytest.raises(MachineError, match="not what an index answers"):
            find("some-thing", "1.0")


def test_another_file_than_promised(pip, links, tmp_path):
    pip(no_index="1", find_links=str(links))
    file = find("some-thing", "1.0", sha256="0" * 64)
    with pytest.raises(MachineError, match=f"its SHA-256 is {DIGEST}, not 0000"):
        have(file, tmp_path / "kept")
    assert kept(file.filename, "0" * 64, folder=str(tmp_path / "kept")) is None
