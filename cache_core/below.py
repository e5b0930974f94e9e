"""Which paths lie in which: pure, on paths relative to one directory, names joined by `/`."""

from __future__ import annotations

from bisect import bisect_right

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable


class Below:
    """Finds which of some paths, none of which is in another, a path is or is in. Cost: a sort; then log2(n)."""

    def __init__(self, paths: Iterable[str]) -> None:
        self._starts = sorted(f"{path}/" for path in paths)

    def which(self, path: str) -> str | None:
        """The one of the paths that `path` is or is in; None when there is none."""
        # Whatever sorted between a start and a path in it would be in it as well.
        at = bisect_right(self._starts, f"{path}/") - 1
        return self._starts[at][:-1] if at >= 0 and f"{path}/".startswith(self._starts[at]) else None


def topmost(paths: Iterable[str]) -> list[str]:
    """The paths that are in none of the others, sorted by their names."""
    top: list[str] = []
    for path in sorted(set(paths), key=lambda path: path.split("/")):
        if not top or not path.startswith(f"{top[-1]}/"):
            top.append(path)
    return top
