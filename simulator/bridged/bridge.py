"""The way from plain code to the gate: which actor is asking, and what of its calls concerns the run.

A bridge belongs to one actor and hangs on the actor's greenlet, so nobody else finds it: not another greenlet, not
another thread, not the host.

What counts as inside is the run's directory, by the path alone: absolute, or relative to the working directory, with
`..` taken for what is written before it (`lexical`). A call that concerns nothing inside goes to the real function and
is no step: what lies outside is the same for every run, or it is not part of it. An actor that *changes* something
outside is noted (`Watch.outside`), since that may be a mistake.

Guarantee: a descriptor of an actor is gated whatever name of `os` is used with it; another actor's is none (EBADF).
Not seen: a way into the directory by a symbolic link that lies outside, or by /proc/self/fd; a `..` after such a link
is taken for the directory above the link, and not for that above where it leads.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import greenlet

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from simulator.bridged.pinned import Pinned
    from simulator.engine.actor import Actor
    from simulator.engine.kernel import GatedKernel

_ATTRIBUTE = "cachestorm_bridge"

_current_greenlet = greenlet.getcurrent
_working_directory = os.getcwd
_path_of = os.fspath


@dataclass(slots=True)
class Watch:
    """What happens beside the gate while the actors of one run move.

    Attributes:
        root: the run's directory.
        problems: one line for each call that could not be gated.
        outside: one line for each way in which an actor changed something outside of the directory, once.
        clocks: who looked at a clock that moves with the steps of everybody, and by what, the first time.
    """

    root: str
    problems: list[str] = field(default_factory=list)
    outside: dict[str, None] = field(default_factory=dict)
    clocks: dict[str, str] = field(default_factory=dict)

    def has(self, path: object) -> str | None:
        """`path`, absolute, if it is inside; None if it is not, or is no path."""
        if not isinstance(path, str | bytes | os.PathLike):
            return None
        text = os.fsdecode(_path_of(path))
        if text.startswith(self.root + "/") or text == self.root:
            return text
        if not text.startswith("/"):
            text = f"{_working_directory()}/{text}"
        return lexical(text, self.root)


def lexical(path: str, root: str) -> str | None:
    """`path`, which is absolute, below `root` if that is where it leads as it is written; what is below stays as it is.

    None if it does not lead there.
    """
    if not path.startswith(root) and "/." not in path and "//" not in path:
        return None
    here: list[str] = []
    parts, wanted = path.split("/"), root.split("/")[1:]
    for place, part in enumerate(parts, 1):
        if part == "..":
            del here[-1:]
        elif part not in {"", "."}:
            here.append(part)
        if here == wanted:
            return "/".join([root, *parts[place:]])
    return None


class Bridge:
    """One actor's.

    Args:
        kernel: the actor's.
        actor: whose it is.
        actors: everybody in the run.
        watch: the run's.
        pinned: what the actor is told of the time, of chance and of itself.
    """

    __slots__ = ("_actors", "actor", "kernel", "pinned", "umask", "watch")

    def __init__(
        self, kernel: GatedKernel, actor: Actor, actors: Sequence[Actor], watch: Watch, pinned: Pinned
    ) -> None:
        self.kernel = kernel
        self.actor = actor
        self._actors = actors
        self.watch = watch
        self.pinned = pinned
        self.umask = -1

    def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """`function`, in the current greenlet, as this actor."""
        here = _current_greenlet()
        setattr(here, _ATTRIBUTE, self)
        try:
            return function(*arguments)
        finally:
            delattr(here, _ATTRIBUTE)

    def owns(self, fd: object) -> bool:
        """Whether `fd` is a descriptor of an actor: of this one, or of one for which it does not exist."""
        return isinstance(fd, int) and any(fd in actor.descriptors for actor in self._actors)

    def inside(self, path: object, dir_fd: int | None = None) -> str | None:
        """What the kernel is given for a path; None when it is no business of the run."""
        if dir_fd is not None and isinstance(path, str | bytes | os.PathLike):
            text = os.fsdecode(_path_of(path))
            if not text.startswith("/"):
                return text if self.owns(dir_fd) else None
        return self.watch.has(path)

    @staticmethod
    def beyond(path: Any, dir_fd: int | None) -> str:
        """What the kernel is given for the other path of a call, which is not inside: a step has no relative paths."""
        text = os.fsdecode(path)
        return text if dir_fd is not None or text.startswith("/") else f"{_working_directory()}/{text}"

    def changes_outside(self, operation: str, path: object) -> None:
        """Take note of it."""
        shown = os.fsdecode(_path_of(path)) if isinstance(path, str | bytes | os.PathLike) else str(path)
        if not shown.startswith("/dev/") or shown.startswith("/dev/shm/"):  # noqa: S108 - devices are not files
            self.watch.outside.setdefault(f"{self.actor.name} made {operation} '{shown}'", None)


def current_bridge() -> Bridge | None:
    """Of the actor in whose greenlet this is called; None for everybody else."""
    return getattr(_current_greenlet(), _ATTRIBUTE, None)
