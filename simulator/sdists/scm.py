"""What setuptools_scm does in a build of an sdist: it reads the version off PKG-INFO, and may write it to files.

Guarantee: the files that setuptools_scm 10 writes in build/lib, by setup.py's ``use_scm_version`` and pyproject.toml's
``[tool.setuptools_scm]``. Not guaranteed: older releases, which write in the sources; an sdist that asks for one is
told apart by its requirement, and noted. Source: the documentation of setuptools_scm, "Configuration", and its
integration with setuptools.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement

from simulator.sdists import pyproject
from simulator.sdists.values import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Iterable

_PROJECTS = frozenset({"setuptools_scm", "setuptools-scm"})
# Since this one copies in build/lib are written, not the sources.
_MODELLED = "10.0"
_FILES = ("write_to", "version_file")


@dataclass(frozen=True, slots=True)
class ScmUse:
    """How setuptools_scm is used.

    Attributes:
        active: whether it gives the version.
        files: paths, relative to the folder, that it is told to write; as they are written.
        unknown: whether setup.py computes what it is told.
        older: whether a release is asked for that does otherwise.
    """

    active: bool = False
    files: tuple[str, ...] = ()
    unknown: bool = False
    older: bool = False


def scm_use(keyword: Any, document: dict[str, Any], requirements: Iterable[str]) -> ScmUse:
    """Read it.

    Args:
        keyword: the argument ``use_scm_version`` of `setup()`; None where there is none.
        document: pyproject.toml.
        requirements: what has to be there while it is built.
    """
    required = [item for item in requirements if pyproject.project_of(item) in _PROJECTS]
    by_keyword = keyword is UNKNOWN or bool(keyword)
    tool = pyproject.table(document, "tool")
    by_table = "setuptools_scm" in tool and "version" not in pyproject.table(document, "project")
    if not required or not (by_keyword or by_table):
        return ScmUse()
    given = pyproject.table(document, "tool", "setuptools_scm") | (keyword if isinstance(keyword, dict) else {})
    values = [given.get(name) for name in _FILES]
    return ScmUse(
        active=True,
        files=tuple(value for value in values if isinstance(value, str)),
        unknown=UNKNOWN in values or not isinstance(keyword, dict | bool | None),
        older=not all(_allows(item) for item in required),
    )


def _allows(requirement: str) -> bool:
    try:
        return Requirement(requirement).specifier.contains(_MODELLED)
    except InvalidRequirement:
        # Whoever builds it for real is told.
        return True
