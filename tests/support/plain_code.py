"""Plain code as other people write it: each function works in a directory and says what it saw, the same in any one."""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import glob
import io
import json
import os
import pathlib
import shutil
import stat
import tarfile
import tempfile
import zipfile


def told(directory, value):
    """A value that names no directory of ours."""
    if isinstance(value, BaseException):
        number = getattr(value, "errno", None)
        return [type(value).__name__, *([] if number is None else [number])]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if isinstance(value, bytes):
        return ["bytes", told(directory, value.decode("latin-1"))]
    if isinstance(value, str):
        return value.replace(directory, "DIR")
    if isinstance(value, list | tuple | set):
        items = [told(directory, item) for item in value]
        return sorted(items, key=repr) if isinstance(value, set) else items
    return value


def attempt(function, *arguments, **keywords):
    """What it returns, or raises."""
    try:
        return function(*arguments, **keywords)
    except Exception as error:  # noqa: BLE001 - it is compared
        return error


def by_os(directory):
    """Names of os, by path."""
    a, b = f"{directory}/a", f"{directory}/b"
    said = [attempt(os.mkdir, a), attempt(os.mkdir, a, 0o700), attempt(os.makedirs, f"{a}/x/y", exist_ok=True)]
    said += [attempt(os.symlink, "a", b), os.readlink(b), os.readlink(os.fsencode(b)), attempt(os.readlink, a)]
    fd = os.open(f"{a}/f", os.O_RDWR | os.O_CREAT, 0o640)
    said += [os.write(fd, b"hello"), os.lseek(fd, 0, os.SEEK_SET), os.read(fd, 3), os.pread(fd, 2, 1)]
    said += [os.pwrite(fd, b"J", 0), os.fstat(fd).st_size, os.ftruncate(fd, 4), os.fsync(fd), os.isatty(fd)]
    copy = os.dup(fd)
    said += [os.read(copy, 9), os.close(copy), os.close(fd), attempt(os.close, fd), attempt(os.read, fd, 1)]
    said += [os.path.exists(f"{a}/f"), os.path.isdir(a), os.path.islink(b), os.path.getsize(f"{b}/f")]
    said += [os.access(f"{a}/f", os.W_OK), os.access(f"{a}/none", os.F_OK), attempt(os.stat, f"{a}/none")]
    said += [os.link(f"{a}/f", f"{a}/g"), os.path.samefile(f"{a}/f", f"{a}/g"), os.lstat(f"{a}/g").st_nlink]
    said += [
        os.rename(f"{a}/g", f"{a}/h"),
        os.replace(f"{a}/h", f"{a}/f"),
        set(os.listdir(a)),
        set(os.listdir(os.fsencode(a))),
    ]
    said += [
        os.truncate(f"{a}/h", 2),
        os.path.getsize(f"{a}/h"),
        os.utime(f"{a}/f", (5, 6)),
        os.path.getmtime(f"{a}/f"),
    ]
    said += [os.chmod(f"{a}/f", 0o600), stat.S_IMODE(os.stat(f"{a}/f").st_mode), os.listxattr(f"{a}/f")]
    said += [attempt(os.rmdir, a), attempt(os.unlink, a), os.remove(f"{a}/h"), os.path.lexists(f"{a}/h")]
    said += [os.removedirs(f"{a}/x/y"), os.path.realpath(b), walked(directory), attempt(os.rmdir, f"{a}/none")]
    return said


def walked(directory):
    return {(at, *sorted(names), *sorted(files)) for at, names, files in os.walk(directory)}


def by_descriptor(directory):
    """Names of os, relative to a descriptor, and on one."""
    top = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    said = [os.mkdir("d", dir_fd=top), attempt(os.mkdir, "d", dir_fd=top), os.symlink("d", "l", dir_fd=top)]
    fd = os.open("d/f", os.O_WRONLY | os.O_CREAT, dir_fd=top)
    said += [os.write(fd, b"abc"), os.close(fd), set(os.listdir(top)), os.readlink("l", dir_fd=top)]
    with os.scandir(top) as entries:
        said += [(entry.name, entry.is_dir(), entry.is_symlink(), entry.is_file()) for entry in sorted_by_name(entries)]
    said += [os.stat("d/f", dir_fd=top).st_size, os.access("d/f", os.R_OK, dir_fd=top)]
    said += [
        os.rename("d/f", "d/g", src_dir_fd=top, dst_dir_fd=top),
        os.link("d/g", "h", src_dir_fd=top, dst_dir_fd=top),
    ]
    said += [os.utime("h", ns=(7, 8), dir_fd=top), os.stat("h", dir_fd=top, follow_symlinks=False).st_mtime_ns]
    said += [os.chmod("h", 0o444, dir_fd=top), os.unlink("h", dir_fd=top), os.unlink("d/g", dir_fd=top)]
    said += [os.rmdir("d", dir_fd=top), os.stat(top).st_mode, attempt(os.stat, "d", dir_fd=top)]
    said += [{(*names, *files) for _, names, files, _ in os.fwalk(directory)}, os.close(top)]
    return said


def sorted_by_name(entries):
    return sorted(entries, key=lambda entry: entry.name)


def by_open(directory):
    """`open` in its modes."""
    path = f"{directory}/file"
    said = []
    for mode in ("w", "r", "a", "x", "r+", "w+", "a+", "wb", "rb", "ab", "r+b", "rt", "zz", "br", "wx"):
        said.append(attempt(use_file, path, mode))
        said.append(pathlib.Path(path).read_bytes() if os.path.exists(path) else None)
    with open(path, "w", encoding="utf-8", newline="\r\n") as file:
        file.writelines(f"line {number}\n" for number in range(2000))
        said += [file.tell(), file.name, file.mode, file.encoding, file.closed, file.seekable()]
    with open(path, encoding="utf-8") as file:
        said += [file.readline(), file.tell(), next(file), file.seek(0), len(file.read()), file.read(), file.newlines]
    with open(path, "rb", buffering=0) as raw:
        said += [raw.read(4), raw.seek(2), raw.tell(), raw.readinto(bytearray(3)), raw.mode, len(raw.readall())]
        said += [attempt(raw.write, b"x"), attempt(raw.truncate, 1)]
    said += [
        attempt(raw.read),
        attempt(open, directory),
        attempt(open, f"{path}/none"),
        attempt(open, path, "rb", 0, "utf-8"),
    ]
    said += [attempt(open, path, closefd=False), attempt(open, path, "r", 0)]
    fd = os.open(path, os.O_RDWR)
    with os.fdopen(fd, "r+", closefd=False) as file:
        said += [file.truncate(10), file.read()]
    with io.open(fd, "rb") as file:  # noqa: UP020 - the other name
        said += [file.seek(0), file.read()]
    said.append(attempt(os.close, fd))
    with open("name", "w", opener=lambda name, flags: os.open(f"{directory}/{name}", flags)) as file:
        file.write("opened")
    open(f"{directory}/dropped", "w").write("closed by nobody")  # noqa: SIM115
    return [*said, sorted(os.listdir(directory)), pathlib.Path(f"{directory}/dropped").read_text()]


def use_file(path, mode):
    with open(path, mode) as file:
        said = [file.readable(), file.writable(), file.seekable(), file.mode, type(file).__name__]
        if file.writable():
            said.append(file.write(b"data" if "b" in mode else "data"))
            file.flush()
            said += [os.path.getsize(path), file.tell(), file.seek(0)]
        if file.readable():
            said.append(file.read())
        return said


def by_pathlib(directory):
    """Methods of Path."""
    top = pathlib.Path(directory)
    (top / "a" / "b").mkdir(parents=True)
    said = [(top / "a" / "f").write_text("text"), (top / "a" / "b" / "g").write_bytes(b"\0"), (top / "t").touch()]
    said += [(top / "a" / "f").read_text(), (top / "t").exists(), (top / "t").is_file(), (top / "a").is_dir()]
    said += [set(top.iterdir()), set(top.glob("*")), set(top.rglob("*")), set(top.glob("a/*/g"))]
    said += [(top / "l").symlink_to("t"), (top / "l").is_symlink(), (top / "l").readlink(), (top / "l").resolve()]
    said += [(top / "t").rename(top / "u"), (top / "u").replace(top / "v"), (top / "v").stat().st_size]
    said += [(top / "v").chmod(0o400), stat.S_IMODE((top / "v").lstat().st_mode), attempt((top / "a").rmdir)]
    said += [(top / "h").hardlink_to(top / "v"), (top / "h").samefile(top / "v"), attempt((top / "a").mkdir)]
    with (top / "o").open("w") as file:
        said.append(file.write("x"))
    said += [(top / "v").unlink(), attempt((top / "v").unlink), (top / "v").unlink(missing_ok=True)]
    if hasattr(top, "walk"):
        said.append([(str(at), sorted(names), sorted(files)) for at, names, files in sorted(top.walk())])
    return said


def by_shutil(directory):
    """Functions of shutil, and archives."""
    a, b = f"{directory}/a", f"{directory}/b"
    os.makedirs(f"{a}/x")
    pathlib.Path(f"{a}/x/f").write_text("content " * 3000)
    os.symlink("x", f"{a}/l")
    said = [
        shutil.copytree(a, b, symlinks=True),
        shutil.copy(f"{a}/x/f", f"{a}/copy"),
        shutil.copy2(f"{a}/copy", a + "/c2"),
    ]
    said += [filecmp.cmp(f"{a}/copy", f"{a}/c2", shallow=False), shutil.move(f"{a}/copy", f"{b}/moved")]
    said += [attempt(shutil.copyfile, f"{a}/c2", f"{a}/c2"), attempt(shutil.copytree, a, b), set(glob.glob(f"{b}/*/f"))]
    said += [
        shutil.rmtree.avoids_symlink_attacks,
        attempt(shutil.rmtree, f"{a}/l"),
        shutil.rmtree(b),
        os.path.exists(b),
    ]
    with zipfile.ZipFile(f"{a}/z.zip", "w") as archive:
        archive.write(f"{a}/x/f", "f")
    with zipfile.ZipFile(f"{a}/z.zip") as archive:
        said += [archive.namelist(), archive.extractall(f"{a}/out"), len(archive.read("f"))]
    with tarfile.open(f"{a}/t.tar", "w") as archive:
        archive.add(f"{a}/out", "out")
    with tarfile.open(f"{a}/t.tar") as archive:
        said.append(sorted(archive.getnames()))
    said += [sorted(os.listdir(a)), shutil.rmtree(a), attempt(shutil.rmtree, a), shutil.rmtree(a, ignore_errors=True)]
    return said


def by_tempfile(directory):
    """Temporary files in the directory; names are chance."""
    with tempfile.NamedTemporaryFile("w", dir=directory, suffix=".part", delete=False) as file:
        json.dump([1, 2], file)
    os.replace(file.name, f"{directory}/done")
    with tempfile.TemporaryDirectory(dir=directory) as folder:
        pathlib.Path(folder, "f").write_text("x")
        said = [len(os.listdir(directory)), os.listdir(folder), stat.S_IMODE(os.stat(folder).st_mode)]
    with tempfile.TemporaryFile(dir=directory) as unnamed:
        said += [unnamed.write(b"abc"), unnamed.seek(0), unnamed.read(), os.path.exists(f"{directory}/done")]
    fd, name = tempfile.mkstemp(dir=directory)
    with tempfile.SpooledTemporaryFile(max_size=2, dir=directory) as spooled:
        said.append(spooled.write(b"more than two"))
    return [*said, os.close(fd), os.unlink(name), json.loads(pathlib.Path(f"{directory}/done").read_text())]


def by_flock(directory):
    """A lock on a file."""
    with open(f"{directory}/lock", "w") as one, open(f"{directory}/lock") as two:
        said = [fcntl.flock(one, fcntl.LOCK_EX), attempt(fcntl.flock, two, fcntl.LOCK_EX | fcntl.LOCK_NB)]
        said += [fcntl.flock(one.fileno(), fcntl.LOCK_UN), fcntl.flock(two, fcntl.LOCK_SH | fcntl.LOCK_NB)]
        said.append(fcntl.fcntl(one, fcntl.F_GETFD))
    return said


def by_modes(directory):
    """What permission bits refuse."""
    os.mkdir(f"{directory}/d")
    pathlib.Path(f"{directory}/d/f").touch()
    os.chmod(f"{directory}/d", 0o200)
    said = [
        attempt(os.listdir, f"{directory}/d"),
        attempt(open, f"{directory}/d/f"),
        os.access(f"{directory}/d", os.R_OK),
    ]
    said += [os.path.exists(f"{directory}/d/f"), attempt(shutil.rmtree, f"{directory}/d"), walked(directory)]
    os.chmod(f"{directory}/d", 0o700)
    with contextlib.suppress(OSError):
        os.rmdir(f"{directory}/d")
    return [*said, shutil.rmtree(f"{directory}/d")]


ALL = {
    function.__name__: function
    for function in (
        by_os, by_descriptor, by_open, by_pathlib, by_shutil, by_tempfile, by_flock, by_modes,
    )
}  # fmt: skip
