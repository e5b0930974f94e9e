"""What one sdist wants to be there while it is built, beside the back end that a toolchain pins.

As front ends do (PEP 517 and 518): what ``build-system.requires`` of pyproject.toml lists is installed, then the back
end is asked (`get_requires_for_build_wheel`), and its answer is installed too. setuptools answers with the
``setup_requires`` of the setup script and setup.cfg, so it is asked only where a file that tells how to build has that
word.

Real storms, and whoever fetches packages for them, go by what the files say (`told_requirements`): nothing is run.

Guarantees: the toolchain stays what it is. A requirement of setuptools or wheel is left out, and told where it asks for
another version. The back end is asked in a copy of the sources, which is removed: what asking writes is not in the
build. Not guaranteed: the same versions in another year; an environment is kept for the requirements as they are
written. Costs: the environment, once; asking takes half a second.
"""

from __future__ import annotations

import json
import math
import os
import sys
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from cache_core.kernel import REAL
from cache_core.removal import remove_tree
from simulator.errors import BadInputError, MachineError
from simulator.sdists import pyproject
from simulator.sdists.archive import read_archive, unpack
from simulator.sdists.told import read_told
from simulator.sdists.tree import SourceTree
from simulator.tools.enclosure import Place, variables
from simulator.tools.environments import environment, toolchain_requirements
from simulator.tools.folder import Wanted
from simulator.tools.groups import Group, no_orphans, read_output, run_group
from simulator.tools.interpreters import with_our_packages
from simulator.tools.tool import site_packages

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from simulator.tools.environments import Environment

_SETUPTOOLS_ASKS = b"setup_requires"
_INSTALLED = ".dist-info"
_BACK_END = frozenset({"setuptools", "wheel"})


async def build_environment(
    archive: str,
    toolchain: str,
    directory: str,
    *,
    python: str | None = None,
    timeout_seconds: float = math.inf,
    more: Iterable[str] = (),
    tell: Callable[[str], None],
) -> Environment:
    """The environment that builds an sdist: the toolchain, and what the sdist requires besides.

    Args:
        archive: path of the sdist.
        toolchain: its name.
        directory: an absolute path without symbolic links in a sandbox; made there, and removed: what is needed to
            ask the back end.
        python: as of `environment`.
        timeout_seconds: after which a back end that does not answer is killed.
        more: what else is to be in it, as ``NAME==VERSION``.
        tell: gets a line about each thing that takes long, and each requirement that is left out.

    Raises:
        BadInputError: no such toolchain, the archive is none, what it requires is no requirement or does not exist,
            or its back end does not answer.
        MachineError: as `environment`.
    """
    pins = toolchain_requirements(toolchain)
    texts = read_archive(archive).texts
    document = _document(archive, texts)
    required = _besides(archive, pyproject.table(document, "build-system").get("requires", []), pins, tell)
    made = await environment([*more, *pins, *required], python=python, tell=tell)
    if not _must_ask(document, texts):
        return made
    answered = await _ask(archive, made, directory, timeout_seconds)
    known = dict.fromkeys(required)
    added = [item for item in _besides(archive, answered, pins, tell) if item not in known]
    if not added:
        return made
    return await environment([*more, *pins, *required, *added], python=python, tell=tell)


def told_requirements(archive: str) -> list[str]:
    """What an sdist says that it requires to be built, setuptools and wheel left out; nothing of it is run.

    What a setup script computes is not told.

    Raises:
        BadInputError: the archive is none, or what it requires is no requirement.
    """
    read = read_archive(archive)
    try:
        listed: object = list(read_told(archive, read, SourceTree(read.files)).build_requires)
    except BadInputError:
        # What is not simulated can be installed for real.
        listed = pyproject.table(_document(archive, read.texts), "build-system").get("requires", [])
    return _besides(archive, listed, (), lambda _: None)


async def required_wheels(required: Sequence[str], toolchain: str, tell: Callable[[str], None]) -> list[Wanted]:
    """The wheels that these requirements and theirs come to beside a toolchain, which is not among them.

    Raises:
        BadInputError, MachineError: as `environment`.
    """
    if not required:
        return []
    made = await environment([*toolchain_requirements(toolchain), *required], tell=tell)
    names = sorted(name for name in os.listdir(site_packages(made.directory)) if name.endswith(_INSTALLED))
    found = [name.removesuffix(_INSTALLED).split("-") for name in names]
    return [Wanted(name, version) for name, version in found if canonicalize_name(name) not in _BACK_END]


def _document(archive: str, texts: Mapping[str, bytes]) -> dict[str, object]:
    try:
        return pyproject.read_pyproject(texts.get("pyproject.toml", b"").decode("utf-8-sig"))
    except ValueError as error:
        raise BadInputError(
            "bad-sdist", archive, f"sdist '{archive}' has a pyproject.toml that is no TOML: {error}"
        ) from error


def _must_ask(document: dict[str, object], texts: Mapping[str, bytes]) -> bool:
    if pyproject.back_end(document) not in pyproject.SETUPTOOLS_BACK_ENDS:
        return True
    return any(_SETUPTOOLS_ASKS in text for text in texts.values())


def _besides(archive: str, listed: object, pins: Iterable[str], tell: Callable[[str], None]) -> list[str]:
    """The requirements that are not of the back end itself."""
    pinned = {name: version for name, _, version in (pin.partition("==") for pin in pins)}
    found: dict[str, None] = {}
    for item in listed if isinstance(listed, list) else []:
        try:
            wanted = Requirement(str(item))
        except InvalidRequirement as error:
            reason = str(error).splitlines()[0]
            raise BadInputError(
                "bad-sdist", archive, f"sdist '{archive}' requires '{item}' to be built, which is none: {reason}"
            ) from error
        name = canonicalize_name(wanted.name)
        if name not in _BACK_END:
            found[str(wanted)] = None
        elif name in pinned and _applies(wanted) and not wanted.specifier.contains(pinned[name], prereleases=True):
            tell(f"'{archive}' asks for {wanted} and gets {name} {pinned[name]}, which the toolchain pins")
    return list(found)


def _applies(wanted: Requirement) -> bool:
    return wanted.marker is None or wanted.marker.evaluate()


async def _ask(archive: str, made: Environment, directory: str, timeout_seconds: float) -> object:
    """What the back end answers."""
    REAL.mkdir(directory)
    try:
        source = unpack(archive, directory)
        place = Place("asker", f"{directory}/cache", made.directory, f"{directory}/home")
        place.make()
        answer, output = f"{directory}/answer", f"{directory}/output"
        group = Group()
        with no_orphans():
            await run_group(
                group,
                [sys.executable, "-m", "simulator.tools.pep517_requires", source, made.python, answer],
                variables=with_our_packages({**variables(place, os.environ), "PYTHONDONTWRITEBYTECODE": "1"}),
                directory=directory,
                output=output,
                timeout_seconds=timeout_seconds,
            )
        if group.timed_out:
            reason = f"no answer after {timeout_seconds:g} s"
        elif group.code != 0:
            lines = [line for line in read_output(output).splitlines() if line.strip()]
            reason = " / ".join(lines[-3:]) or f"exit code {group.code}"
        else:
            return _answer(answer)
        raise BadInputError(
            "real-build", archive, f"what '{archive}' requires to be built could not be asked: {reason}"
        )
    finally:
        removal = remove_tree(directory)
        if removal.left:
            left = removal.left[0]
            raise MachineError("sandbox", left.path, f"'{left.path}' could not be removed: {left.reason}")


def _answer(path: str) -> object:
    with open(path, encoding="utf-8") as stream:
        return json.load(stream)
