"""The catalogue of hard cases of cache removal, and for those that no state stands for, why.

Source: what was measured on eleven tools in November 2026 (uv 0.13.9, coreutils rm 9.1, findutils, CPython 3.13.0,
pip 24.2, Rust 1.95, Go 1.19.8, Node 20.20, rimraf 6.1, `go clean -modcache`, a prototype), and issue threads of their
projects.
"""

from __future__ import annotations

CLASSES = {
    1: "directory of mode 0200",
    2: "directory of mode 0000",
    3: "directories of modes 0100 and 0300",
    4: "directories of modes 0400 and 0600",
    5: "read-only directories",
    6: "modes nested in each other",
    7: "the cache itself unreadable or read-only",
    8: "the parent of the cache not writable",
    9: "immutable and append-only files",
    10: "sticky directory, file of another user",
    11: "full directory of another user",
    12: "empty directory of another user, mode 0700",
    13: "mount of another file system",
    14: "bind mount of the same file system",
    15: "bind mount of a file",
    16: "symbolic link to a directory outside",
    17: "symbolic link to a read-only file outside, in a read-only directory",
    18: "hard link of a file outside",
    19: "symbolic link swapped in during the walk",
    20: "path longer than PATH_MAX",
    21: "deeper than recursion or descriptors reach",
    22: "few descriptors",
    23: "many unreadable directories",
    24: "names: bytes, newline, escape, 255 bytes, options",
    25: "fifo, socket, device",
    26: "very many names in one directory",
    27: "open and running files",
    28: "silly renames of NFS",
    29: "hidden files of FUSE",
    30: "directory filled while it is removed",
    31: "entries removed by others meanwhile",
    32: "what a killed cleaner left",
    33: "no space, no inodes",
    34: "input/output errors",
    35: "the cache is a link, a file, or missing",
    36: "working directory in the cache",
    37: "access control lists",
    38: "security modules: SELinux, Landlock, seccomp",
    39: "lower layer of an overlay, whiteouts",
    40: "names that are one where case does not count",
    41: "lock file deleted while it is held",
    42: "lock file not writable or of another user",
    43: "lock on NFS",
    44: "cache moved or replaced while it is cleaned",
    45: "sparse files, reflinks, hard links in accounts",
    46: "read-only file system",
    47: "owners of a rootless container (sub-ids)",
    48: "swap files, quotas, damaged file systems",
    49: "mode 0200 made by an error handler",
}

ABSENT = {
    29: "takes a FUSE server; a hidden file is one that comes again while it is open, as in `writer-by-descriptor`",
    34: "takes a device that fails; the hardened cleaner meets EIO at each of its calls in tests/sweeps",
    38: "a policy that keeps a cleaner out is for whoever made it to lift; ours is behind a fence in every state",
    43: "takes an NFS server and a second client",
    44: "which of the two is the cache is a matter of opinion; ours is in tests/unit/cache_core/test_root_replaced.py",
    48: "takes a swap file or a quota that belongs to the machine",
}

# Of classes that a state stands for, what it is not.
PARTLY = {
    28: "names only: a file that is EBUSY and comes again takes an NFS server",
    32: "what is left is laid; cleaners are killed at each of their steps in tests/sweeps",
    37: "a default list that shuts what is made; EACCES in spite of a good mode takes another owner's directory",
    40: "names that would be one; on a file system that makes them so they cannot be laid",
    45: "holes and links; reflinks take btrfs or xfs",
    47: "an owner that is not ours; sub-ids of a rootless container look the same from outside",
}
