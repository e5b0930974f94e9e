"""Where output goes: documents and reports to stdout, everything else to stderr.

Imports nothing: `clean` starts with it.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def print_document(document: Mapping[str, object]) -> None:
    """One JSON document on one line, at once."""
    import json  # noqa: PLC0415

    print(json.dumps(document), flush=True)


def note(text: str) -> None:
    """A line for the person at the terminal."""
    print(f"cachestorm: {text}", file=sys.stderr, flush=True)
