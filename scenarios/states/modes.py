"""States that are hard to empty because of modes."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("modes")

UV = "astral-sh/uv#3515"
PYTEST = "pytest-dev/pytest#7821"
GO_MODCACHE = "golang/go#27161"

# What keeps an owner from emptying a directory, and who met it: (mode, classes, met, what is missing).
_SHUT = (
    (0o000, (2,), (PYTEST,), "nothing may be done with it"),
    (0o100, (3,), (), "it can be entered, and neither listed nor changed"),
    (0o200, (1, 49), (UV, "agsaru/Repo2Readme#185"), "write alone, which takes search as well to be of use"),
    (0o300, (3,), (), "its names must be known to be removed"),
    (0o400, (4,), ("astral-sh/uv#21363",), "its names can be read, and nothing can be done with them"),
    (0o500, (5,), (GO_MODCACHE, "bazelbuild/bazel#12125"), "read-only, as Go and Bazel leave theirs on purpose"),
    (0o600, (4,), ("astral-sh/uv#21363",), "everything but search, so that no name in it leads anywhere"),
)


def _full(mode: int, make: Recipe) -> None:
    for name in ("file", "other", "inner/file"):
        make.file(f"http-v2/entry/{name}")
    make.mode("http-v2/entry", mode)


for _mode, _classes, _met, _why in _SHUT:
    GROUP.add(
        f"mode-{_mode:04o}",
        partial(_full, _mode),
        f"A directory of mode {_mode:04o} with files and a directory in it: {_why}.",
        classes=_classes,
        met=_met,
    )


@GROUP.state(classes=(1, 2, 3), met=(UV, PYTEST))
def modes_empty(make: Recipe) -> None:
    """Empty directories of the modes 0000, 0100, 0200 and 0300.

    rmdir removes each without opening it; whoever opens first cannot.
    """
    for mode in (0o000, 0o100, 0o200, 0o300):
        make.directory(f"http-v2/entry/{mode:04o}", mode)


@GROUP.state(classes=(6,), met=(UV, GO_MODCACHE))
def modes_nested(make: Recipe) -> None:
    """Shut directories in each other, a different mode at each level.

    Each level can be repaired only when the one above it is.
    """
    path = "http-v2/entry"
    for mode in (0o500, 0o200, 0o000, 0o400, 0o300, 0o100, 0o600):
        path += f"/{mode:04o}"
        make.file(f"{path}/file")
        make.mode(path, mode)


@GROUP.state(classes=(5,), met=(GO_MODCACHE, "golang/go#30502", "bazelbuild/bazel#7382"))
def read_only_tree(make: Recipe) -> None:
    """A whole tree of mode 0555 with files of mode 0444: a module cache that protects itself."""
    for module in ("one@v1.0.0", "two@v2.0.0"):
        for name in ("go.mod", "a/a.go", "a/b/b.go"):
            make.file(f"http-v2/mod/{module}/{name}", mode=0o444)
        for path in (module, f"{module}/a", f"{module}/a/b"):
            make.mode(f"http-v2/mod/{path}", 0o555)
    make.mode("http-v2/mod", 0o555)


@GROUP.state(classes=(1, 49), met=(UV, "pypa/setuptools#3119"))
def poisoned_staging(make: Recipe) -> None:
    """The report's own: a partial build tree, its package directory `d-w-------`.

    The error handler of a build that was removing it gave it the mode 0200 while another build was writing in it.
    """
    source = "built-wheels-v3/index/6024232a22aa81c8/jaeger-client/4.3.0/shard/jaeger-client-4.3.0.tar.gz"
    make.file(f"{source}/setup.py")
    make.file(f"{source}/build/lib/jaeger_client/__init__.py")
    staging = f"{source}/build/bdist.linux-x86_64/wheel"
    for name in ("__init__.py", "span.py", "thrift_gen/agent/__init__.py"):
        make.file(f"{staging}/jaeger_client/{name}")
    make.file(f"{staging}/jaeger_client-4.3.0.dist-info/METADATA")
    make.mode(f"{staging}/jaeger_client", 0o200)


@GROUP.state(classes=(7,))
def root_0000(make: Recipe) -> None:
    """The cache itself has the mode 0000: its tag cannot be read, nor its lock be made."""
    make.file("http-v2/entry/file")
    make.mode("", 0o000)


@GROUP.state(classes=(7,))
def root_0500(make: Recipe) -> None:
    """The cache itself is read-only: no lock can be made in it, and no entry leaves it."""
    make.file("http-v2/entry/file")
    make.mode("", 0o500)


@GROUP.state(classes=(8,))
def parent_read_only(make: Recipe) -> None:
    """The directory that holds the cache is read-only.

    The cache can be emptied and not be removed; making its parent writable would change what is outside.
    """
    make.file("http-v2/entry/file")
    make.mode("..", 0o555)


@GROUP.state(classes=(10,))
def modes_special(make: Recipe) -> None:
    """Directories that are sticky, set-group-ID or set-user-ID, and lack bits besides."""
    for mode in (0o1000, 0o1777, 0o2500, 0o3555, 0o4600, 0o7000):
        make.file(f"http-v2/entry/{mode:04o}/file")
        make.mode(f"http-v2/entry/{mode:04o}", mode)


@GROUP.state()
def files_without_modes(make: Recipe) -> None:
    """Files of mode 0000, read-only, set-user-ID: none of it matters to whoever may change the directory."""
    for mode in (0o000, 0o111, 0o400, 0o444, 0o2755, 0o4755):
        make.file(f"http-v2/entry/{mode:04o}", mode=mode)


@GROUP.state(classes=(5,), met=(GO_MODCACHE,))
def read_only_bucket(make: Recipe) -> None:
    """A top-level directory of the cache is read-only, so it can neither be emptied nor be moved aside.

    A directory that is moved into another one gets a new `..`, which takes write permission on itself.
    """
    make.file("http-v2/entry/file")
    make.mode("http-v2", 0o500)
    make.mode("http-v2/entry", 0o500)
