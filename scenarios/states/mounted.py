"""States on special file systems: mounts in the cache, layers, flags, other owners, access control lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scenarios.states.entries import Mode
from scenarios.states.privileged import Bind, DefaultList, Flag, Layer, Memory, Owner
from scenarios.states.state import Group

if TYPE_CHECKING:
    from scenarios.states.recipe import Recipe

GROUP = Group("special")


@GROUP.state(classes=(13,), met=("DavHau/comma#95", "appc/acbuild#168"), stays=("http-v2/mount",))
def memory_mounted_inside(make: Recipe) -> None:
    """Another file system is mounted on a directory of the cache: rmdir fails with EBUSY."""
    make.directory("http-v2/mount")
    make.last(Memory("http-v2/mount"))


@GROUP.state(classes=(14,), met=("appc/acbuild#168",), stays=("http-v2/mount",))
def bind_mount_inside(make: Recipe) -> None:
    """A directory outside is bind-mounted on one in the cache.

    It has the same device number, so whoever compares these walks in and empties what is outside.
    """
    make.directory("http-v2/mount")
    make.last(Bind("http-v2/mount", "folder"))


@GROUP.state(classes=(15,), stays=("http-v2/mount",))
def file_mounted_inside(make: Recipe) -> None:
    """A file outside is bind-mounted on one in the cache: unlink fails with EBUSY."""
    make.file("http-v2/mount")
    make.last(Bind("http-v2/mount", "plain"))


@GROUP.state(classes=(14, 46), stays=("http-v2/mount",))
def read_only_mount_inside(make: Recipe) -> None:
    """A directory outside is bind-mounted in the cache, read-only: whoever walks in meets EROFS."""
    make.directory("http-v2/mount")
    make.last(Bind("http-v2/mount", "folder", read_only=True))


@GROUP.state(classes=(14, 6), stays=("http-v2/shut/mount",))
def bind_mount_in_shut(make: Recipe) -> None:
    """A bind mount below a directory of mode 0200: it is met only after a repair, and that has to be undone."""
    make.directory("http-v2/shut/mount")
    make.file("http-v2/shut/file")
    make.last(Bind("http-v2/shut/mount", "folder"))
    make.last(Mode("http-v2/shut", 0o200))


@GROUP.state(classes=(39,))
def lower_layer(make: Recipe) -> None:
    """The cache is the lower layer of an overlay, as one that came with a container's image.

    A directory of a lower layer cannot be renamed (EXDEV): whoever moves aside first must do without.
    """
    for name in ("one", "two"):
        make.file(f"http-v2/{name}/file")
        make.file(f"archive-v0/{name}/shut/file")
        make.mode(f"archive-v0/{name}/shut", 0o200)
    make.last(Layer())


@GROUP.state(classes=(9,), met=("NixOS/nixpkgs#63028", "NixOS/nixpkgs#21573"), stays=("http-v2/entry/kept",))
def immutable_file(make: Recipe) -> None:
    """A file with the flag `i`: unlink fails with EPERM, and so does a chmod."""
    make.file("http-v2/entry/kept")
    make.file("http-v2/entry/file")
    make.last(Flag("http-v2/entry/kept", "i"))


@GROUP.state(classes=(9,), met=("NixOS/nixpkgs#63028",), stays=("http-v2/entry",))
def immutable_directory(make: Recipe) -> None:
    """A directory with the flag `i`: nothing in it can go, nor can it be moved."""
    make.file("http-v2/entry/file")
    make.last(Flag("http-v2/entry", "i"))


@GROUP.state(classes=(9,), stays=("http-v2/entry",))
def append_only_directory(make: Recipe) -> None:
    """A directory with the flag `a`: files can be added, and none removed."""
    make.file("http-v2/entry/file")
    make.last(Flag("http-v2/entry", "a"))


@GROUP.state(classes=(11, 47), met=("NixOS/nix#6765",), stays=("http-v2/entry",))
def full_directory_of_another(make: Recipe) -> None:
    """A directory of another user, not ours to write, with a file in it."""
    make.file("http-v2/entry/file")
    make.last(Owner("http-v2/entry"))


@GROUP.state(classes=(12,), met=("NixOS/nix#6765",))
def empty_directory_of_another(make: Recipe) -> None:
    """Empty directories of another user, one of mode 0700: rmdir removes them, an open of the second fails."""
    make.directory("http-v2/open")
    make.directory("http-v2/shut", 0o700)
    make.last(Owner("http-v2/open"))
    make.last(Owner("http-v2/shut"))


@GROUP.state(classes=(10,), stays=("http-v2/entry/theirs",))
def sticky_file_of_another(make: Recipe) -> None:
    """A file of another user in a sticky directory that is not ours: only its owner may remove it."""
    make.file("http-v2/entry/theirs")
    make.file("http-v2/entry/ours")
    make.mode("http-v2/entry", 0o1777)
    make.last(Owner("http-v2/entry/theirs"))
    make.last(Owner("http-v2/entry"))


@GROUP.state(classes=(47,))
def files_of_another(make: Recipe) -> None:
    """Files of another user in directories of ours: the directory decides, and they go."""
    for name in ("plain", "shut"):
        make.file(f"http-v2/entry/{name}", mode=0o000 if name == "shut" else 0o644)
        make.last(Owner(f"http-v2/entry/{name}"))


@GROUP.state(classes=(37,), met=("ecmwf/WeatherGenerator#1437",))
def new_directories_read_only(make: Recipe) -> None:
    """A default access control list makes every new directory in the cache read-only for its owner.

    Whoever makes a directory to move things into cannot move anything into it.
    """
    make.file("http-v2/entry/file")
    make.last(DefaultList(""))
