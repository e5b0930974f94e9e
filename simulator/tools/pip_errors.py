"""Why pip could not install something, read off what it printed: whose fault, and what to do.

Guarantee: trouble with the network is told from a version that does not exist; pip ends both with the same sentence,
but has warned of the first before. Not guaranteed: that a pip of another age words it alike; then its last line is
what is told. Source: pip 26.3's messages.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from simulator.errors import BadInputError, CachestormError, MachineError

if TYPE_CHECKING:
    from collections.abc import Sequence

_NO_VERSION = re.compile(
    r"Could not find a version that satisfies the requirement (?P<what>\S+).*\(from versions: (?P<there>.*)\)"
)
_TROUBLE = re.compile(
    r"after connection broken by '(?P<broken>.*)': /|Could not fetch URL (?P<url>.*)|(?P<http>HTTP error \d+ .*)"
    r"|(?P<client>\d{3} (?:Client|Server) Error: .*)"
)
_TOO_OLD = re.compile(r"(?P<version>\S+) Requires-Python (?P<python>[^;\n]+)")
_TOO_OLD_ARCHIVE = re.compile(r"Package '(?P<name>[^']+)' requires a different Python: \S+ not in '(?P<python>[^']+)'")
_NO_SPACE = "No space left on device"


def installation_error(requirements: Sequence[str], python: str, printed: str) -> CachestormError:
    """What to raise when pip failed.

    Args:
        requirements: what it was to install, ``NAME==VERSION`` each.
        python: version of the Python that it was to be installed for, e.g. ``3.11.7``.
        printed: what it printed.
    """
    missing = _NO_VERSION.search(printed)
    what = missing["what"] if missing else " ".join(requirements)
    if _NO_SPACE in printed:
        return MachineError(
            "space", what, f"there is no room to install {what}; make some, or give another place in CACHESTORM_TOOLS"
        )
    needed = _python_needed(what, printed)
    if needed is not None:
        return MachineError(
            "tool-python",
            what,
            f"{what} needs Python {needed} and would run on {python}; choose another version of it, or start"
            " cachestorm with such a Python",
        )
    trouble = _TROUBLE.search(printed)
    if trouble is not None:
        reason = next(group for group in trouble.groups() if group)
        return MachineError(
            "index",
            what,
            f"{what} cannot be downloaded: {reason}; check the network and pip's index settings (pip config list)",
        )
    if missing is not None:
        return BadInputError("unknown-version", what, f"{what} does not exist{_nearest(what, missing['there'])}")
    lines = [line.removeprefix("ERROR: ") for line in printed.splitlines() if line.startswith("ERROR: ")]
    if lines and lines[0].startswith("Invalid requirement"):
        return BadInputError(
            "requirement", what, f"'{what}' is no requirement; write NAME==VERSION, such as uv==0.1.42"
        )
    reason = lines[-1] if lines else "pip said nothing that explains it"
    return MachineError("install", what, f"{what} cannot be installed: {reason}")


def _python_needed(what: str, printed: str) -> str | None:
    """Which Pythons `what` asks for, when that is why it was passed over."""
    name, _, version = what.partition("==")
    archive = _TOO_OLD_ARCHIVE.search(printed)
    if archive is not None and archive["name"] == name:
        return archive["python"]
    for line in printed.splitlines():
        if "require a different python version" in line:
            passed_over = {found["version"]: found["python"] for found in _TOO_OLD.finditer(line)}
            if version in passed_over:
                return passed_over[version].strip()
    return None


def _nearest(what: str, there: str) -> str:
    """The version that exists and is nearest to the one asked for, below it if any is."""
    try:
        wanted = Version(what.partition("==")[2])
        known = sorted(Version(text) for text in there.split(", ")) if there != "none" else []
    except InvalidVersion:
        return "; look at its release history"
    if not known:
        return " in the index that pip uses; look at its name and at pip's index settings (pip config list)"
    below = [version for version in known if version < wanted]
    return f"; nearest: {below[-1] if below else known[0]}"
