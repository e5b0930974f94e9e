"""Look again at what a removal says is left, as others may have moved it meanwhile.

Behind a fence the kernel refuses whatever is done in a directory that is out of the cache at the time of the call, with
the error number of a mode. Whoever moves it out and back, or exchanges it, makes that look final. So what no mode and
no owner explains is removed again, by a walk that begins anew; and what has gone is not said to be left.

Guarantees: looks a bounded number of times; changes nothing itself; follows no link. What cannot be looked at counts as
there. Cost: nothing where nothing is left; else a few calls for each that is, and for each directory above one that has
gone.
"""

from __future__ import annotations

import errno
from bisect import bisect_left

from cache_core.kernel import let_go
from cache_core.outcome import Removal, total
from cache_core.pinned import Opener
from cache_core.reasons import is_explained

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from cache_core.kernel import Kernel
    from cache_core.outcome import Left

_LOOKS_MAX = 2


def look_again(look: Callable[[Removal], Removal], done: Removal) -> Removal:
    """Have `look` remove once more, after what is done, as long as something is left for no reason that can be seen."""
    last = done
    for _ in range(_LOOKS_MAX):
        if last.cancelled or all(is_explained(left) for left in last.left):
            break
        last = look(done)
        done = total((done, last))
    return done


def is_there(root_fd: int, path: str, opener: Opener, kernel: Kernel) -> bool:
    """Whether something has the path below the root, through no link."""
    directory, _, name = path.rpartition("/")
    fd = root_fd
    try:
        if directory:
            fd = opener.descend(root_fd, directory.split("/"))
        kernel.lstat(name, dir_fd=fd)
    except OSError as error:
        # For other reasons something is there that cannot be looked at.
        return error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    finally:
        if fd != root_fd:
            let_go(kernel, fd)
    return True


def split_by_presence(root_fd: int, left: Iterable[Left], kernel: Kernel) -> tuple[list[Left], list[str]]:
    """What of that which was left is there; and paths of what is there of the rest.

    The second are directories, or what has taken the place of one, that things were left in which are gone: the nearest
    one above each, unless one that is named is in it. Nothing of it is a name in the root.
    """
    opener = Opener(kernel, root_fd)
    there: list[Left] = []
    known: dict[str, bool] = {}
    above: set[str] = set()
    for item in left:
        if item.path == "." or is_there(root_fd, item.path, opener, kernel):
            there.append(item)
            continue
        directory = item.path.rpartition("/")[0]
        while "/" in directory:
            if directory not in known:
                known[directory] = is_there(root_fd, directory, opener, kernel)
            if known[directory]:
                above.add(directory)
                break
            directory = directory.rpartition("/")[0]
    paths = sorted({*above, *(item.path for item in there)})
    named = {item.path for item in there}
    return there, [directory for directory in sorted(above - named) if not _holds_one_of(directory, paths)]


def _holds_one_of(directory: str, paths: list[str]) -> bool:
    start = f"{directory}/"
    at = bisect_left(paths, start)
    return at < len(paths) and paths[at].startswith(start)
