"""Asks the package index that pip is set up for, in a process of its own: ``python -m simulator.tools.index_client``.

    list PROJECT           prints the files of a project: [{filename, url, sha256, yanked}], in the index's order
    get URL SHA256 TARGET  downloads one to TARGET; prints its SHA-256

`pip download` would do, but for one thing: it runs the setup script of what it downloads. So: pip's own settings
(index, extra indexes, folders of links, certificate), and the simple repository API.

Guarantees: no code of a package is run; with a SHA256 (``-``: none), a file that has another is refused and not left at
TARGET. An error is one line on stderr, exit 1.
Not guaranteed: pip's credentials from netrc and keyrings are not used; the proxy variables are.
Sources: PEP 503, PEP 691 (simple repository API), pip's configuration page.
"""

from __future__ import annotations

import ast
import base64
import hashlib
import html.parser
import http.client
import json
import os
import re
import ssl
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from typing import IO, TYPE_CHECKING

from virtualenv.seed.wheels.embed import get_embed_wheel

from cache_core.kernel import REAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_ACCEPT = "application/vnd.pypi.simple.v1+json, text/html;q=0.5"
_ANSWER_SECONDS_MAX = 60.0
# The largest source distributions that are accepted (simulator.sdists.archive) are no larger unpacked.
_DOWNLOAD_BYTES_MAX = 1 << 30
_BLOCK_BYTES = 1 << 16
_NOT_FOUND = 404
# No answer, half an answer, no answer that can be read.
_TROUBLE = (OSError, http.client.HTTPException, ValueError)


class IndexTroubleError(Exception):
    """The index does not answer as it should: one line."""


def settings() -> dict[str, str]:
    """What pip is set up with, e.g. ``index-url``: the last word counts, environment variables last."""
    wheel = get_embed_wheel("pip", f"{sys.version_info.major}.{sys.version_info.minor}")
    if wheel is None:
        return {}
    told = subprocess.run(
        [sys.executable, f"{wheel.path}/pip", "config", "list"], capture_output=True, text=True, check=False
    )
    found: dict[str, tuple[int, str]] = {}
    for line in told.stdout.splitlines():
        name, _, value = line.partition("=")
        section, _, key = name.rpartition(".")
        rank = {"global": 0, "install": 1, "download": 2, ":env:": 3}.get(section)
        if rank is not None and rank >= found.get(key, (0, ""))[0]:
            found[key] = (rank, str(ast.literal_eval(value)))
    return {key: value for key, (_, value) in found.items()}


def files_of(project: str) -> Iterator[dict[str, object]]:
    """The files of a project in all indexes and folders that pip would look in.

    Raises:
        IndexTroubleError: one of them cannot be read.
    """
    chosen = settings()
    name = re.sub(r"[-_.]+", "-", project).lower()
    if chosen.get("no-index", "").lower() not in {"1", "true", "yes", "on"}:
        indexes = [chosen.get("index-url", "https://pypi.org/simple"), *chosen.get("extra-index-url", "").split()]
        for index in indexes:
            yield from _page(f"{index.rstrip('/')}/{urllib.parse.quote(name)}/", chosen.get("cert"))
    for place in chosen.get("find-links", "").split():
        yield from _folder(place) if os.path.isdir(place) else _page(place, chosen.get("cert"))


def _folder(place: str) -> Iterator[dict[str, object]]:
    for filename in sorted(os.listdir(place)):
        url = "file://" + urllib.parse.quote(os.path.abspath(f"{place}/{filename}"))
        yield {"filename": filename, "url": url, "sha256": None, "yanked": False}


def _page(url: str, certificate: str | None) -> Iterable[dict[str, object]]:
    if url.startswith("file:"):
        folder = urllib.request.url2pathname(urllib.parse.urlsplit(url).path)
        if not os.path.isdir(folder):
            return []
        if not os.path.exists(f"{folder}/index.html"):
            return _folder(folder)
        url = f"{url.rstrip('/')}/index.html"
    try:
        with _opened(url, certificate) as answer:
            kind, base = answer.headers.get_content_type(), answer.geturl()
            data = answer.read(_DOWNLOAD_BYTES_MAX)
    except urllib.error.HTTPError as error:
        # As pip sees it: an index that does not have the project.
        if error.code == _NOT_FOUND:
            return []
        raise IndexTroubleError(f"{_bare(url)}: {error}") from error
    except _TROUBLE as error:
        raise IndexTroubleError(f"{_bare(url)}: {getattr(error, 'reason', error)}") from error
    try:
        return _files_of_json(data, base) if kind.endswith("json") else _files_of_html(data, base)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise IndexTroubleError(f"{_bare(url)}: not what an index answers: {error}") from error


def _opened(url: str, certificate: str | None) -> urllib.response.addinfourl:
    headers = {"Accept": _ACCEPT, "User-Agent": "cachestorm"}
    parts = urllib.parse.urlsplit(url)
    name, at, host = parts.netloc.rpartition("@")
    if at:
        words = urllib.parse.unquote(name).encode()
        headers["Authorization"] = f"Basic {base64.b64encode(words).decode()}"
        url = parts._replace(netloc=host).geturl()
    context = ssl.create_default_context(cafile=certificate) if url.startswith("https:") else None
    request = urllib.request.Request(url, headers=headers)  # noqa: S310 - pip's settings say where; files are meant, too
    answer: urllib.response.addinfourl = urllib.request.urlopen(  # noqa: S310
        request, timeout=_ANSWER_SECONDS_MAX, context=context
    )
    return answer


def _bare(url: str) -> str:
    """Without a password."""
    return re.sub(r"//[^/@]*@", "//", url)


def _files_of_json(data: bytes, base: str) -> list[dict[str, object]]:
    return [
        {
            "filename": file["filename"],
            "url": urllib.parse.urljoin(base, file["url"]),
            "sha256": file.get("hashes", {}).get("sha256"),
            "yanked": bool(file.get("yanked")),
        }
        for file in json.loads(data)["files"]
    ]


class _Links(html.parser.HTMLParser):
    def __init__(self, base: str) -> None:
        super().__init__()
        self._base = base
        self.files: list[dict[str, object]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        target = attributes.get("href")
        if tag == "a" and target:
            url, fragment = urllib.parse.urldefrag(urllib.parse.urljoin(self._base, target))
            sha256 = fragment.removeprefix("sha256=") if fragment.startswith("sha256=") else None
            filename = urllib.parse.unquote(urllib.parse.urlsplit(url).path.rpartition("/")[2])
            yanked = "data-yanked" in attributes
            self.files.append({"filename": filename, "url": url, "sha256": sha256, "yanked": yanked})


def _files_of_html(data: bytes, base: str) -> list[dict[str, object]]:
    links = _Links(base)
    links.feed(data.decode(errors="replace"))
    return links.files


def get(url: str, sha256: str, target: str) -> str:
    """Download a file; returns its SHA-256.

    Raises:
        IndexTroubleError: it cannot be had, is too large, or is another file.
    """
    unfinished = f"{target}.part"
    digest = hashlib.sha256()
    try:
        with _opened(url, settings().get("cert")) as answer, open(unfinished, "wb") as stream:
            for block in _blocks(answer):
                digest.update(block)
                stream.write(block)
                if stream.tell() > _DOWNLOAD_BYTES_MAX:
                    raise IndexTroubleError(f"{_bare(url)}: larger than 1 GiB")
    except _TROUBLE as error:
        raise IndexTroubleError(f"{_bare(url)}: {getattr(error, 'reason', error)}") from error
    if sha256 not in {"-", digest.hexdigest()}:
        raise IndexTroubleError(f"{_bare(url)}: its SHA-256 is {digest.hexdigest()}, not {sha256}")
    REAL.rename(unfinished, target)
    return digest.hexdigest()


def _blocks(answer: urllib.response.addinfourl) -> Iterator[bytes]:
    reader: IO[bytes] = answer.fp
    while block := reader.read(_BLOCK_BYTES):
        yield block


def main(verb: str, *arguments: str) -> None:
    """Do as the module says."""
    try:
        if verb == "list":
            print(json.dumps(list(files_of(*arguments))))  # noqa: T201 - its output is its purpose
        else:
            print(get(*arguments))  # noqa: T201
    except IndexTroubleError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(*sys.argv[1:])
