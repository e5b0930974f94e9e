"""The kinds of real tools, by name: a line each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from simulator.errors import BadInputError
from simulator.tools.tool_build import Build
from simulator.tools.tool_pip import Pip
from simulator.tools.tool_uv import Uv

if TYPE_CHECKING:
    from simulator.tools.tool import Tool

KINDS: dict[str, type[Uv | Pip]] = {"uv": Uv, "pip": Pip}
BUILD = "build"

# A version as PEP 440 has it, loosely: the index has the last word.
_SPEC = re.compile(r"(?P<kind>[a-z]+)==(?P<version>[0-9][A-Za-z0-9.!+_-]*)", re.ASCII)


def parse_tool(text: str) -> Tool:
    """A tool as users name it: ``build``, ``uv==X.Y.Z``, ``pip==X.Y``.

    Raises:
        BadInputError: it is none of these.
    """
    if text == BUILD:
        return Build()
    return _released("tool", text, f"{BUILD}, ")


def is_real_cleaner(text: str) -> bool:
    """Whether a cleaner's name is that of a real tool."""
    match = _SPEC.fullmatch(text)
    return match is not None and match["kind"] in KINDS


def model_of(cleaner: str) -> str:
    """The name that a model of a real tool's cleaner has, or would have."""
    return f"model:{cleaner.replace('==', '-')}"


def parse_cleaner(text: str) -> Uv | Pip:
    """A real tool whose own cleaner is wanted: ``uv==X.Y.Z``, ``pip==X.Y``.

    Raises:
        BadInputError: it is neither.
    """
    return _released("cleaner", text, "")


def _released(what: str, text: str, others: str) -> Uv | Pip:
    match = _SPEC.fullmatch(text)
    if match is None or match["kind"] not in KINDS:
        known = " or ".join(f"{kind}==VERSION" for kind in KINDS)
        example = "such as uv==0.1.42"
        raise BadInputError(f"unknown-{what}", text, f"unknown {what} '{text}'; write {others}{known}, {example}")
    return KINDS[match["kind"]](match["version"])
