"""Rows from lines as strace writes them, on lines written by hand: what other systems and other straces say."""

from __future__ import annotations

import pytest

from simulator.errors import MachineError
from simulator.tools.strace_log import LogError
from simulator.tools.strace_rows import TRACED, rows_of_log

SOURCE = "/ground/p-1.0"
HERE = f"AT_FDCWD<{SOURCE}>"
CHDIR = f'10 chdir("{SOURCE}") = 0'


def rows(*lines, start=CHDIR):
    found = rows_of_log([f"{line}\n" for line in (start, *lines)], SOURCE)
    return [tuple(row) for row in found]


@pytest.mark.parametrize(
    ("line", "row"),
    [
        ('mkdir("build", 0777) = 0', ("mkdir", "build", "", "ok")),
        (f'mkdir("{SOURCE}/build", 0777) = -1 EEXIST (File exists)', ("mkdir", "build", "", "EEXIST")),
        (f'mkdirat({HERE}, "build", 0777) = 0', ("mkdir", "build", "", "ok")),
        (f'mkdirat(4<{SOURCE}/build>, "lib", 0777) = 0', ("mkdir", "build/lib", "", "ok")),
        ('rmdir("build") = -1 ENOTEMPTY (Directory not empty)', ("rmdir", "build", "", "ENOTEMPTY")),
        (f'unlinkat(4<{SOURCE}/build>, "lib", AT_REMOVEDIR) = 0', ("rmdir", "build/lib", "", "ok")),
        (f'unlinkat(4<{SOURCE}/build>, "a", 0) = 0', ("unlink", "build/a", "", "ok")),
        ('unlink("./build/a") = 0', ("unlink", "build/a", "", "ok")),
        ('unlink("build/lib/../a") = 0', ("unlink", "build/a", "", "ok")),
        ('unlink("build/./a") = 0', ("unlink", "build/./a", "", "ok")),
        (
            f'openat({HERE}, "build/a", O_WRONLY|O_CREAT|O_TRUNC|O_CLOEXEC, 0666) = 3<{SOURCE}/build/a>',
            ("create", "build/a", "", "ok"),
        ),
        (
            f'openat({HERE}, "p.egg-info/tmpx_3", O_RDWR|O_CREAT|O_EXCL, 0600) = 3<{SOURCE}/p.egg-info/tmpx_3>',
            ("create-excl", "p.egg-info/tmp<id>", "", "ok"),
        ),
        (f'open("build", O_RDONLY|O_DIRECTORY) = 3<{SOURCE}/build>', ("opendir", "build", "", "ok")),
        (
            'openat2(4</ground>, "p-1.0/build", {flags=O_RDONLY|O_DIRECTORY, resolve=RESOLVE_BENEATH}, 24) = 5</x>',
            ("opendir", "build", "", "ok"),
        ),
        ('rename("dist/.tmp-a1/w", "dist/w") = 0', ("rename", "dist/.tmp-<id>/w", "dist/w", "ok")),
        ('rename("dist/w", "/elsewhere/w") = 0', ("rename", "dist/w", "/elsewhere/w", "ok")),
        (
            f'renameat2(4<{SOURCE}/build>, "a", 5<{SOURCE}/dist>, "b", RENAME_NOREPLACE) = 0',
            ("rename", "build/a", "dist/b", "ok"),
        ),
        (f'renameat({HERE}, "build/a", {HERE}, "build/b") = 0', ("rename", "build/a", "build/b", "ok")),
        (f'linkat({HERE}, "build/a", 4<{SOURCE}/build>, "b", 0) = 0', ("link", "build/a", "build/b", "ok")),
        (f'symlinkat("../a", 4<{SOURCE}/build>, "l") = 0', ("symlink", "build/l", "../a", "ok")),
        ('symlink("a", "build/l") = 0', ("symlink", "build/l", "a", "ok")),
        ('chmod("build/a", 0100644) = 0', ("chmod", "build/a", "0100644", "ok")),
        (f"fchmod(3<{SOURCE}/build/a>, 0644) = 0", ("chmod", "build/a", "0644", "ok")),
        (f'fchmodat({HERE}, "build/a", 0755) = 0', ("chmod", "build/a", "0755", "ok")),
        (f'fchmodat2({HERE}, "build/a", 0755, AT_SYMLINK_NOFOLLOW) = 0', ("chmod", "build/a", "0755", "ok")),
        (f'utimensat({HERE}, "build/a", [UTIME_OMIT, {{tv_sec=1, tv_nsec=0}}], 0) = 0', ("utime", "build/a", "", "ok")),
        (f"utimensat(3<{SOURCE}/build/a>, NULL, NULL, 0) = 0", ("utime", "build/a", "", "ok")),
        (r'mkdir("build/\303\251 \"<x>, y", 0777) = 0', ("mkdir", 'build/é "<x>, y', "", "ok")),
        (f'mkdirat(4<{SOURCE}/build/a\\74b\\76>, "c", 0777) = 0', ("mkdir", "build/a<b>/c", "", "ok")),
        (r'mkdir("build/a\tb\nc", 0777) = 0', ("mkdir", r"build/a\tb\nc", "", "ok")),
        (r'mkdir("build/\377", 0777) = 0', ("mkdir", r"build/\udcff", "", "ok")),
    ],
)  # fmt: skip
def test_a_call_and_its_row(line, row):
    assert rows(f"10 {line}") == [row]


@pytest.mark.parametrize(
    "line",
    [
        'mkdir("/elsewhere/build", 0777) = 0',
        'mkdir("package", 0777) = 0',
        f'openat({HERE}, "build/a", O_RDONLY|O_CLOEXEC) = 3<{SOURCE}/build/a>',
        f'openat({HERE}, "build/a", O_WRONLY|O_TRUNC) = 3<{SOURCE}/build/a>',
        "getpid() = 10",
        "syscall_0x1c4(0x7, 0x7f0, 0x1c0, 0x1000, 0, 0) = -1 ENOSYS (Function not implemented)",
    ],
)  # fmt: skip
def test_calls_that_are_no_rows(line):
    assert rows(f"10 {line}") == []


def test_a_call_that_is_interrupted_is_one_row_where_it_began():
    assert rows(
        '10 mkdir("build", 0777 <unfinished ...>',
        '11 mkdir("/ground/p-1.0/dist", 0777) = 0',
        "10 <... mkdir resumed>) = -1 EEXIST (File exists)",
    ) == [("mkdir", "build", "", "EEXIST"), ("mkdir", "dist", "", "ok")]


def test_a_working_directory_is_inherited_and_changed_by_each_process_for_itself():
    assert rows(
        "10 vfork( <unfinished ...>",
        '11 chdir("build") = 0',
        '11 mkdir("lib", 0777) = 0',
        "10 <... vfork resumed>) = 11",
        '10 mkdir("dist", 0777) = 0',
        "10 clone3({flags=CLONE_VM, exit_signal=SIGCHLD, stack=0x7f, stack_size=0x9000} => {parent_tid=[0]}, 88) = 12",
        '12 mkdir("build", 0777) = 0',
        f"12 fchdir(4<{SOURCE}/build>) = 0",
        '12 chdir("nowhere") = -1 ENOENT (No such file or directory)',
        '12 mkdir("two", 0777) = 0',
        "11 clone(child_stack=NULL, flags=CLONE_CHILD_CLEARTID|SIGCHLD, child_tidptr=0x7f1) = 13",
        '13 mkdir("of-a-child", 0777) = 0',
        "13 +++ exited with 0 +++",
    ) == [
        ("mkdir", path, "", "ok")
        for path in ("build/lib", "dist", "build", "build/two", "build/of-a-child")
    ]  # fmt: skip


def test_a_change_that_strace_cannot_show_is_no_silent_gap():
    with pytest.raises(MachineError, match=r"does not know fchmodat2.*install strace 6\.7 or later"):
        rows("10 syscall_0x1c4(0xffffff9c, 0x7f0, 0x1c0, 0, 0, 0) = 0")


@pytest.mark.parametrize("line", ["no process id", '10 mkdir("build", 07'])
def test_a_line_that_is_none_is_an_error(line):
    with pytest.raises(LogError):
        rows(line)


def test_the_wheel_may_go_elsewhere():
    log = ['10 mkdir("/out", 0777) = 0\n', '10 mkdir("/ground/p-1.0/build", 0777) = 0\n']
    assert [row.path for row in rows_of_log(log, SOURCE, "/out")] == ["dist", "build"]


def test_calls_that_a_machine_does_not_have_are_optional():
    assert all(name.startswith("?") for name in TRACED.split(","))
