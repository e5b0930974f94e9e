"""MANIFEST.in: which files its lines add to a list of files, and take away again.

Source: setuptools' documentation, "Controlling files in the distribution". Lines that make no sense are passed over,
as setuptools passes over them with a warning.
"""

from __future__ import annotations

import functools
import posixpath
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from simulator.sdists.tree import SourceTree

_DEEP = "**"
# A bracket that is never closed is a bracket.
_PIECE = re.compile(r"\*|\?|\[!?\]?[^\]]*\]|.", re.DOTALL)


def apply_template(text: str, files: set[str], tree: SourceTree) -> None:
    """Apply the lines of a MANIFEST.in, in order.

    Args:
        text: of the file.
        files: paths so far; changed.
        tree: of the sdist.
    """
    for words in template_lines(text):
        action, arguments = words[0], [posixpath.normpath(word) for word in words[1:]]
        first = arguments[0] if arguments else ""
        patterns = arguments[1:]
        match action, arguments:
            case "include", [_, *_]:
                _add(files, tree, arguments)
            case "exclude", [_, *_]:
                _drop(files, arguments)
            case "recursive-include", [_, _, *_]:
                _add(files, tree, [f"{first}/**/{pattern}" for pattern in patterns])
            case "recursive-exclude", [_, _, *_]:
                _drop(files, [f"{first}/**/{pattern}" for pattern in patterns])
            case "global-include", [_, *_]:
                matches = [_matcher(f"**/{pattern}") for pattern in arguments]
                files.update(path for path in tree.files if any(match(path) for match in matches))
            case "global-exclude", [_, *_]:
                _drop(files, [f"**/{pattern}" for pattern in arguments])
            case "graft", [_]:
                files.update(path for place in tree.glob(first, hidden=True) for path in tree.below(place))
            case "prune", [_]:
                _drop(files, [f"{first}/**"])
            case _:
                continue


def template_lines(text: str) -> Iterator[list[str]]:
    """The words of each line: comments gone, continued lines joined."""
    pending = ""
    for raw in text.splitlines():
        line = re.sub(r"(?:^|(?<=[^\\]))#.*", "", raw).strip() if not pending else raw.strip()
        if line.endswith("\\"):
            pending += line[:-1] + " "
            continue
        words = (pending + line).split()
        pending = ""
        if words:
            yield words
    if pending.split():
        yield pending.split()


def _add(files: set[str], tree: SourceTree, patterns: list[str]) -> None:
    for pattern in patterns:
        found = (tree.normal(path) for path in tree.glob(pattern, hidden=True))
        files.update(path for path in found if path in tree.files)


def _drop(files: set[str], patterns: list[str]) -> None:
    matches = [_matcher(pattern) for pattern in patterns]
    files.difference_update([path for path in files if any(match(path) for match in matches)])


@functools.cache
def _matcher(pattern: str) -> Callable[[str], object]:
    """What matches whole paths: ``*`` stops at a slash, ``**`` does not."""
    parts = pattern.split("/")
    expression = ""
    for place, part in enumerate(parts):
        last = place == len(parts) - 1
        if part == _DEEP:
            expression += ".*" if last else "(?:[^/]+/)*"
        else:
            expression += "".join(map(_translated, _PIECE.findall(part))) + ("" if last else "/")
    return re.compile(expression, re.DOTALL).fullmatch


def _translated(piece: str) -> str:
    if piece == "*":
        return "[^/]*"
    if piece == "?":
        return "[^/]"
    if len(piece) > 1:
        inner = piece[1:-1]
        negated = inner.startswith("!")
        return f"[{'^' if negated else ''}{re.escape(inner[negated:]).replace(chr(92) + '-', '-')}]"
    return re.escape(piece)
