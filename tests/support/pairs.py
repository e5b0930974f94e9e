"""Two calls of two actors, in both orders, on two equal copies of a small random tree.

Everything goes through the gated kernel: each actor has a gate of its own that always lets it go on, and one record.
Before the two calls comes a short history of the same actors, so that descriptors are open, locks held, directories
moved from under a path that is still shown.
"""

from __future__ import annotations

import fcntl
import os
import random
import stat
from dataclasses import dataclass

from cache_core.kernel import RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS
from simulator.engine.actor import Actor
from simulator.engine.clock import LogicalTimes
from simulator.engine.gate import Gate
from simulator.engine.kernel import GatedKernel
from simulator.engine.paths import Paths
from simulator.exploration.footprints import footprints
from simulator.exploration.start import observe

ACTORS = ("left", "right")
NAMES = ("a", "b", "c")
MODES = (0o755, 0o755, 0o700, 0o644, 0o500, 0o300, 0o200, 0o100, 0o000)
LONG_AGO = 1_000_000_000

OPENS = (
    os.O_RDONLY, os.O_RDWR, os.O_RDONLY | os.O_DIRECTORY, os.O_RDONLY | os.O_DIRECTORY, os.O_PATH | os.O_NOFOLLOW,
    os.O_RDONLY | os.O_NOFOLLOW, os.O_WRONLY | os.O_TRUNC, os.O_RDWR | os.O_CREAT,
    os.O_WRONLY | os.O_CREAT | os.O_TRUNC,
    os.O_WRONLY | os.O_CREAT | os.O_EXCL, os.O_RDWR | os.O_CREAT | os.O_APPEND, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW,
)  # fmt: skip
LOCKS = (fcntl.LOCK_SH, fcntl.LOCK_EX, fcntl.LOCK_UN)

# How often each is drawn.
BY_PATH = {
    "open": 6, "mkdir": 5, "rmdir": 5, "unlink": 5, "symlink": 2, "readlink": 1, "stat": 3, "lstat": 2, "chmod": 5,
    "utime": 2,
}  # fmt: skip
BY_TWO_PATHS = {"rename": 8, "link": 3}
OF_PATH = {"scandir": 2, "listdir": 2}
BY_DESCRIPTOR = {
    "openat2": 2, "read": 2, "write": 3, "close": 2, "fstat": 2, "fchmod": 1, "chmod_descriptor": 1, "fchown": 1,
    "flock": 4, "scandir_fd": 2, "mount_id": 1, "give_up": 1,
}  # fmt: skip
# What has no method in the kernel, and what plain code makes all the same.
RARER_BY_PATH = {"access": 4, "truncate": 4, "listxattr": 2, "chown": 1}
RARER_BY_DESCRIPTOR = {"ftruncate": 2, "pread": 2, "pwrite": 2, "sendfile": 8, "fsync": 1, "dup": 2}
RARER = RARER_BY_PATH | RARER_BY_DESCRIPTOR
WEIGHTS = BY_PATH | BY_TWO_PATHS | OF_PATH | BY_DESCRIPTOR
# What an operation takes besides.
MORE = {
    "open": "flags", "mkdir": "mode", "chmod": "mode", "utime": "times", "read": "length", "write": "bytes",
    "fchmod": "mode", "chmod_descriptor": "mode",
}  # fmt: skip
HISTORY = {"open": 12, "flock": 3, "rename": 4, "mkdir": 2, "fork": 1, "chmod": 2, "unlink": 1, "rmdir": 1, "utime": 1}


@dataclass(frozen=True)
class Case:
    """A tree and what happens on it; calls are (actor, operation, arguments)."""

    tree: tuple
    history: tuple
    calls: tuple
    plain: bool


# Drawing.


def draw_case(seed, rarer=None):
    """A case; with `rarer`, one of its two calls is of these."""
    draw = random.Random(seed)
    tree = draw_tree(draw)
    scene = Scene(draw, tree)
    # Some cases are about what descriptors do.
    weights = BY_DESCRIPTOR if draw.random() < 0.25 else WEIGHTS
    history = [(actor, "open", scene.arguments("open")) for actor in ACTORS for _ in range(draw.randrange(3))]
    history += [scene.call(draw.choice(ACTORS), HISTORY) for _ in range(draw.choice((0, 0, 1, 2, 3)))]
    if weights is BY_DESCRIPTOR:
        opened = scene.arguments("open")
        history = [*((actor, "open", opened) for actor in ACTORS), *history]
    left, right = (scene.call(actor, weights) for actor in ACTORS)
    if rarer:
        left = scene.call(ACTORS[0], rarer)
    for part in ("at", "to", "fd"):
        if draw.random() < 0.3:
            right[2][part] = left[2][part]
    return Case(tree, tuple(history), (left, right), all(kind in {"directory", "file"} for kind, *_ in tree))


class Scene:
    """The few paths that a case is about, so that its calls meet, and mostly succeed."""

    def __init__(self, draw, tree):
        self._draw = draw
        self._paths = paths = [path for _, path, *_ in tree]
        middle = draw.choice(paths[2:] or paths)
        above = os.path.dirname(middle) or middle
        below = [path for path in paths if path.startswith(f"{middle}/")] or [middle]
        self._there = [middle, middle, middle, above, draw.choice(below), draw.choice(paths)]
        kinds = {path: kind for kind, path, *_ in tree}
        directories = [path for path in self._there if kinds[path] in {"directory", "link"}]
        leaves = [path for path in paths if not any(other.startswith(f"{path}/") for other in paths)]
        self._fitting = {
            "rmdir": [path for path in leaves if kinds[path] == "directory"],
            "readlink": [path for path in leaves if kinds[path] == "link"],
        }
        for operation in ("unlink", "link", "open"):
            self._fitting[operation] = [path for path in leaves if kinds[path] != "directory"]
        self._new = [f"{path}/{name}" for path in directories for name in NAMES if f"{path}/{name}" not in kinds]

    def call(self, actor, weights):
        operation = self._draw.choices(tuple(weights), tuple(weights.values()))[0]
        return actor, operation, self.arguments(operation)

    def arguments(self, operation):
        draw = self._draw
        flags = draw.choice(OPENS)
        makes = operation in {"mkdir", "symlink"} or (operation == "open" and flags & os.O_CREAT)
        fitting = self._fitting.get(operation, [])
        arguments = {"at": self._where(fitting, new=0.7 if makes else 0.05), "to": self._where([], new=0.6)}
        arguments["fd"] = draw.randrange(4)
        arguments |= {"flags": flags, "mode": draw.choice(MODES), "follow": draw.random() < 0.7}
        arguments |= {"lock": draw.choice(LOCKS), "bytes": draw.choice((b"", b"xy"))}
        arguments["length"] = draw.choice((0, 3, 100))
        arguments |= {"times": draw.choice((None, (LONG_AGO, LONG_AGO))), "target": draw_target(draw, self._there)}
        arguments["resolve"] = draw.choice((0, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS))
        return arguments

    def _where(self, fitting, *, new):
        """(place of a descriptor, or None for the sandbox; path from there)."""
        draw = self._draw
        there = fitting if fitting and draw.random() < 0.5 else self._there
        path = draw.choice(self._new if self._new and draw.random() < new else there)
        if draw.random() < 0.3:
            return draw.randrange(4), draw_name(draw) if draw.random() < 0.5 else os.path.basename(path)
        return None, path if draw.random() < 0.9 else f"{path}/{draw_name(draw)}"


def draw_tree(draw):
    """(kind, path from the sandbox, content or where it leads, mode), directories before what is in them."""
    nodes = [("directory", "cache", None, 0o755), ("directory", "beside", None, 0o755)]
    directories, files, taken = ["cache", "cache", "beside"], [], {"cache", "beside"}
    links = draw.random() < 0.6
    for _ in range(draw.randrange(2, 11)):
        path = f"{draw.choice(directories)}/{draw.choice(NAMES)}"
        kind = draw.choice(("directory",) * 5 + ("file",) * 3 + ("link", "name") * links)
        if path in taken or (kind == "name" and not files):
            continue
        taken.add(path)
        mode = draw.choice(MODES) if draw.random() < 0.2 else {"directory": 0o755}.get(kind, 0o644)
        content = None
        if kind == "directory":
            directories.append(path)
        elif kind == "file":
            files.append(path)
            content = draw.choice((b"", b"content"))
        else:
            content = draw.choice(files) if kind == "name" else draw_target(draw, sorted(taken))
        nodes.append((kind, path, content, mode))
    return tuple(nodes)


def draw_target(draw, paths):
    return draw.choice((draw_name(draw), draw_name(draw), f"/{draw.choice(paths)}"))


def draw_name(draw):
    """A path from a directory."""
    name = draw.choice(NAMES)
    longer = (f"{name}/{draw.choice(NAMES)}", f"../{name}", f"{name}/..", "..", ".", f"{name}/")
    return draw.choice((name, name, name, *longer))


# One copy.


class Copy:
    """One copy of the tree, and what happened on it."""

    def __init__(self, top, case):
        # Whoever goes up from the sandbox does not get far, and what happens there is compared as well.
        self.top, self.root = top, f"{top}/over/and/above/sandbox"
        root = self.root
        self.steps = []
        os.makedirs(root)
        self.labels = lay(root, case.tree)
        self.start = observe(root, "cache", 0o022)
        self.paths, self.times = Paths(root, "cache"), LogicalTimes()
        self.actors = {name: Actor(name, 0) for name in ACTORS}
        self.kernels = {name: self._kernel(actor) for name, actor in self.actors.items()}

    def _kernel(self, actor):
        gate = Gate(Onward(), [actor], self.steps)
        return GatedKernel(gate, actor, self.paths, self.times, lambda chosen: None)

    def make(self, call):
        """The call's result, with nothing in it that is another number in another copy."""
        actor, operation, arguments = call
        try:
            return self._shown(self._call(actor, operation, arguments))
        except OSError as error:
            return ("errno", error.errno)

    def _call(self, actor, operation, arguments):
        # In the order in which they were opened: their numbers are up to who else has some.
        kernel, fds = self.kernels[actor], list(self.actors[actor].descriptors)
        if operation == "fork":
            return len(kernel.fork(self.kernels[ACTORS[actor == ACTORS[0]]]))
        if operation == "give_up":
            return kernel.give_up("kill")
        if operation in RARER:
            return self._rarer(kernel, operation, fds, arguments)
        if operation in BY_DESCRIPTOR and fds:
            return self._by_descriptor(kernel, operation, fds[arguments["fd"] % len(fds)], arguments)
        return self._by_path(kernel, "lstat" if operation in BY_DESCRIPTOR else operation, fds, arguments)

    def _rarer(self, kernel, operation, fds, arguments):
        if operation in RARER_BY_PATH:
            path, at = self._where(fds, *arguments["at"])
            if at is None:
                more = {"access": (os.R_OK,), "truncate": (arguments["length"],), "chown": (-1, os.getegid())}
                return ("did", kernel.step(operation, path, getattr(os, operation), (path, *more.get(operation, ()))))
            operation = "ftruncate" if operation == "truncate" else "fsync"
        if not fds:
            return kernel.lstat(f"{self.root}/cache")
        fd = fds[arguments["fd"] % len(fds)]
        if operation == "dup":
            # Whoever closes it again leaves the record with one more than there is: wider, and no number is used up.
            return os.close(kernel.step("dup", fd, os.dup, (fd,), target=kernel._actor.name))
        if operation == "sendfile":
            into = fitting(fds, os.O_WRONLY, os.O_RDWR)[-1:] or [fd]
            source = fitting(fds, os.O_RDONLY, os.O_RDWR)[:1] or [fd]
            return ("sent", kernel.step("sendfile", *source, os.sendfile, (*into, *source, 0, 10), target=into[0]))
        more = {"ftruncate": (arguments["length"],), "pread": (5, 0), "pwrite": (arguments["bytes"], 1)}
        return ("did", kernel.step(operation, fd, getattr(os, operation), (fd, *more.get(operation, ()))))

    def _by_path(self, kernel, operation, fds, arguments):
        path, at = self._where(fds, *arguments["at"])
        if operation in OF_PATH:
            return list(getattr(kernel, operation)(path if at is None else at))
        if operation in BY_TWO_PATHS:
            target, to = self._where(fds, *arguments["to"])
            more = {"follow_symlinks": arguments["follow"]} if operation == "link" else {}
            return getattr(kernel, operation)(path, target, src_dir_fd=at, dst_dir_fd=to, **more)
        if operation == "symlink":
            led = arguments["target"]
            return kernel.symlink(self.root + led if led.startswith("/") else led, path, dir_fd=at)
        more = [arguments[MORE[operation]]] if operation in MORE else []
        return getattr(kernel, operation)(path, *more, dir_fd=at)

    def _where(self, fds, place, path):
        if place is None:
            return f"{self.root}/{path}", None
        if not fds:
            return f"{self.root}/cache/{path}", None
        return path, fds[place % len(fds)]

    def _by_descriptor(self, kernel, operation, fd, arguments):
        if operation == "openat2":
            flags = arguments["flags"] & ~os.O_CREAT & ~os.O_EXCL
            return kernel.openat2(arguments["at"][1], flags, arguments["resolve"], dir_fd=fd)
        if operation == "scandir_fd":
            return list(kernel.scandir(fd))
        if operation == "fchown":
            return kernel.fchown(fd, -1, os.getegid())
        if operation == "flock":
            return kernel.flock(fd, arguments["lock"] | fcntl.LOCK_NB)
        more = [arguments[MORE[operation]]] if operation in MORE else []
        return getattr(kernel, operation)(fd, *more)

    def _shown(self, result):
        if isinstance(result, list):
            return [item if isinstance(item, str) else entry_of(item) for item in result]
        if hasattr(result, "st_mode"):
            return self._status(result)
        return "opened" if isinstance(result, int) else result

    def _status(self, status):
        directory = stat.S_ISDIR(status.st_mode)
        return (
            self.labels.get(status.st_ino, "new"), status.st_mode, None if directory else status.st_size,
            status.st_nlink > 0 if directory else status.st_nlink, status.st_mtime < LONG_AGO + 10,
        )  # fmt: skip

    # What is left.

    def take(self, *, locks):
        """The whole state; the copy is gone afterwards."""
        held = [
            self._descriptor(actor, fd, path)
            for actor in self.actors.values()
            for fd, path in actor.descriptors.items()
        ]
        found = {}
        self._look(self.top, found)
        first, left = {}, []
        for path, status in sorted(found.items()):
            content = None if stat.S_ISDIR(status.st_mode) else content_of(path, status.st_mode, locks=locks)
            alias = first.setdefault(status.st_ino, path)
            left.append((path[len(self.top) :], alias[len(self.top) :], self._status(status), content))
        for path, status in sorted(found.items(), reverse=True):
            (os.rmdir if stat.S_ISDIR(status.st_mode) else os.unlink)(path)
        for actor in self.actors.values():
            for fd in actor.descriptors:
                os.close(fd)
        return held, left

    def _descriptor(self, actor, fd, path):
        status = os.fstat(fd)
        offset = content = None
        flags = fcntl.fcntl(fd, fcntl.F_GETFL)
        if stat.S_ISREG(status.st_mode) and not flags & os.O_PATH:
            offset = os.lseek(fd, 0, os.SEEK_CUR)
            content = os.pread(fd, 100, 0) if flags & os.O_ACCMODE != os.O_WRONLY else None
        return actor.name, str(path), self._status(status), flags, offset, content

    def _look(self, directory, found):
        """The status of everything below; every directory is open afterwards."""
        os.chmod(directory, 0o700)
        for name in os.listdir(directory):
            path = f"{directory}/{name}"
            status = found[path] = os.lstat(path)
            if stat.S_ISDIR(status.st_mode):
                self._look(path, found)


def fitting(fds, *modes):
    """Descriptors of files that were opened so."""
    return [
        fd for fd in fds
        if stat.S_ISREG(os.fstat(fd).st_mode) and fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE in modes
    ]  # fmt: skip


def entry_of(item):
    return item.name, item.is_dir(follow_symlinks=False), item.is_symlink()


class Onward:
    """The strategy of an actor that is alone at its gate."""

    def choose(self, enabled, current):
        return current


def content_of(path, mode, *, locks):
    if stat.S_ISLNK(mode):
        return os.readlink(path)
    os.chmod(path, 0o600)
    fd = os.open(path, os.O_RDONLY)
    try:
        return os.read(fd, 100), lock_on(fd) if locks else None
    finally:
        os.close(fd)


def lock_on(fd):
    for operation, meaning in ((fcntl.LOCK_EX, "free"), (fcntl.LOCK_SH, "shared")):
        try:
            fcntl.flock(fd, operation | fcntl.LOCK_NB)
        except BlockingIOError:
            continue
        return meaning
    return "exclusive"


def lay(root, tree):
    """Make the tree; the label of each inode."""
    for kind, path, content, _ in tree:
        place = f"{root}/{path}"
        if kind == "directory":
            os.mkdir(place)
        elif kind == "file":
            with open(place, "xb", buffering=0) as file:
                file.write(content)
        elif kind == "link":
            os.symlink(root + content if content.startswith("/") else content, place)
        else:
            os.link(f"{root}/{content}", place)
    labels = {os.lstat(f"{root}/{path}").st_ino: path for kind, path, *_ in tree if kind != "name"}
    for kind, path, _, mode in reversed(tree):
        if kind != "link":
            os.chmod(f"{root}/{path}", mode)
    return labels


# Both orders.


@dataclass(frozen=True)
class Pair:
    """What came of a case.

    Attributes:
        steps: in the order left, right, history first.
        touched: the footprints of `steps`.
        seen: for each order, the footprints of the two calls.
        unseen: the same, for who did not look at the sandbox before; empty where there was something that only such a
            look tells.
        differs: what the order made a difference to; empty if nothing.
    """

    case: Case
    steps: list
    touched: list
    seen: list
    unseen: list
    differs: str

    def claims(self, relation):
        """For each order, whether the relation claims that the two calls are independent."""
        return [not relation(*two) for two in self.seen]

    def wrong(self, relation):
        """What does not fit what is claimed; empty if all does."""
        claims, blind = self.claims(relation), [not relation(*two) for two in self.unseen]
        if any(claims) and self.differs:
            return self.differs
        if any(claims + blind) and not all(claims):
            return f"claimed in one order only, or only without a look: {claims}, {blind}"
        return "claimed without a look in one order only" if any(blind) and not all(blind) else ""

    def told(self):
        """For the message of a failed test."""
        happened = [f"{step[:7]}  {touched}" for step, touched in zip(self.steps, self.touched, strict=True)]
        return "\n".join([f"tree {self.case.tree}", *happened, self.differs])


def play(case, root):
    """Make both orders, in an empty directory, and compare them."""
    locks = any(operation == "flock" for _, operation, _ in case.history + case.calls)
    orders, seen, unseen, first = [], [], [], ()
    for order in (case.calls, case.calls[::-1]):
        copy = Copy(root, case)
        before = [copy.make(call) for call in case.history]
        outcome = {call[0]: copy.make(call) for call in order}
        orders.append((before, outcome, copy.take(locks=locks)))
        touched = footprints(copy.steps, copy.start)
        seen.append(touched[-2:])
        if case.plain:
            unseen.append(footprints(copy.steps)[-2:])
        first = first or (copy.steps, touched)
    parts = zip(("history", "results", "what is left"), *orders, strict=True)
    differs = "; ".join(f"{part}: {one} / {other}" for part, one, other in parts if one != other)
    return Pair(case, *first, seen, unseen, differs)
