"""A package index on this machine, with two packages that need nothing: one as a wheel, one as a source."""

from __future__ import annotations

import hashlib
import io
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# The wheel ships names that would be residue elsewhere.
WHEEL_FILES = {
    "wheelpkg/__init__.py": "x = 1\n",
    "wheelpkg/data/.tmpfoo": "shipped\n",
    ".tmpbar": "shipped\n",
    "build/bdist.linux/setup.py": "shipped\n",
}
SOURCE_FILES = {"sourcepkg/__init__.py": "y = 1\n", "sourcepkg/inner/deep.py": "z = 1\n"}
FAIL_VARIABLE = "SOURCEPKG_FAILS"

# Its own build back end: it zips what it finds, and fails when it is told to.
_BACKEND = f"""
import os, zipfile
def build_wheel(directory, config_settings=None, metadata_directory=None):
    if os.environ.get("{FAIL_VARIABLE}"):
        raise SystemExit("told to fail")
    name = "sourcepkg-1.0-py3-none-any.whl"
    with zipfile.ZipFile(os.path.join(directory, name), "w") as wheel:
        for base, _, names in sorted(os.walk("sourcepkg")):
            for file in sorted(names):
                if file.endswith(".py"):
                    wheel.write(os.path.join(base, file))
        info = "sourcepkg-1.0.dist-info"
        wheel.writestr(info + "/METADATA", "Metadata-Version: 2.1\\nName: sourcepkg\\nVersion: 1.0\\n")
        tag = "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr(info + "/WHEEL", tag)
        wheel.writestr(info + "/RECORD", "")
    return name
"""
_PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'


def _wheel():
    stream = io.BytesIO()
    info = "wheelpkg-1.0.dist-info"
    with zipfile.ZipFile(stream, "w") as wheel:
        for path, text in WHEEL_FILES.items():
            wheel.writestr(path, text)
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: wheelpkg\nVersion: 1.0\n")
        tag = "Wheel-Version: 1.0\nGenerator: x\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        wheel.writestr(f"{info}/WHEEL", tag)
        wheel.writestr(f"{info}/RECORD", "".join(f"{path},,\n" for path in WHEEL_FILES))
    return stream.getvalue()


def _sdist():
    stream = io.BytesIO()
    metadata = "Metadata-Version: 2.1\nName: sourcepkg\nVersion: 1.0\n"
    files = {**SOURCE_FILES, "pyproject.toml": _PROJECT, "backend.py": _BACKEND, "PKG-INFO": metadata}
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for path, text in files.items():
            member = tarfile.TarInfo(f"sourcepkg-1.0/{path}")
            member.size = len(text)
            archive.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()


class Index:
    """What is served, and who asked.

    Attributes:
        url: of the index.
        asked: the paths that were asked for, in order.
    """

    def __init__(self, address):
        self._files = {"wheelpkg-1.0-py3-none-any.whl": _wheel(), "sourcepkg-1.0.tar.gz": _sdist()}
        self.url = f"http://{address[0]}:{address[1]}/simple"
        self.asked = []

    def answer(self, path):
        """The body for a path and its type; None for those that there are not."""
        self.asked.append(path)
        name = path.rstrip("/").rpartition("/")[2]
        if name in self._files:
            return self._files[name], "application/octet-stream"
        links = [
            f'<a href="/files/{file}#sha256={hashlib.sha256(data).hexdigest()}">{file}</a>'
            for file, data in self._files.items()
            if file.startswith(f"{name}-")
        ]
        return ("".join(links).encode(), "text/html") if links else None


@contextmanager
def local_index():
    """An index for the length of a `with`."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            found = index.answer(self.path)
            self.send_response(200 if found else 404)
            body, kind = found or (b"", "text/plain")
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "max-age=600")
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *arguments):
            del arguments

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        index = Index(server.server_address)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield index
        finally:
            server.shutdown()
            thread.join()
