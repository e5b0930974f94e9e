"""Paths, one a line, as they go: `clean --verbose`. Imports nothing heavy: `clean` starts with it.

Guarantees: a line that cannot be written (a full disk, a reader that went away) stops nothing while entries are being
removed; the first such failure is raised at the end, standard error's like any other's. Paths are shown escaped, on
one line each.
"""

from __future__ import annotations

from cache_core.errors import shown
from simulator.cli.streams import lost

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO


class Listing:
    """Told each path."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._failure: OSError | None = None
        self._mended: set[str] = set()

    def removed(self, path: str) -> None:
        """An entry went, or would go."""
        self._line(shown(path))

    def mended(self, path: str) -> None:
        """A directory was made accessible; said once, however often it had to be."""
        if path not in self._mended:
            self._mended.add(path)
            self._line(f"made accessible: {shown(path)}")

    def end(self) -> None:
        """Raise what went wrong.

        Raises:
            OSError: A line could not be written.
        """
        failure = self._failure or lost(self._stream)
        if failure is not None:
            raise failure

    def _line(self, text: str) -> None:
        if self._failure is None:
            try:
                self._stream.write(f"{text}\n")
            except OSError as error:
                self._failure = error
