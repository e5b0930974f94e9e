"""The command with its workers, beside a process of the same user that exchanges, moves, shuts, fills and replaces.

The attacker is real and as fast as it can be. What it must not achieve: that anything outside of the cache changes,
that the command hangs, fails with a bug, says "empty" of what is not, names a path twice, or leaves a process or a lock
behind. Which window is hit is chance, but a test in which the attacker never struck fails. The same windows are met one
by one, by design, in tests/unit/cache_core/test_red_*.py.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import json
import mmap
import os
import signal
import stat
import subprocess
import sys
import time

import pytest

from cache_core.kernel import REAL
from cache_core.layout import TAG_TEXT
from cache_core.removal import remove_tree

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from simulator.cli.entry import entry; entry()"]
# The same where the kernel has no Landlock: nothing but the walk itself keeps it inside.
UNFENCED = [sys.executable, "-c", "import cache_core.fence as f; f.landlock_abi = lambda: 0; " + PROGRAM[-1]]
TRASH = ".cachestorm-trash"
# Generous: they end a test that hangs.
SECONDS_MAX = 60
ENTRIES = 60
FILES = 12
# The attacker is beside the cleaner for some tens of milliseconds; on a busy machine it may sleep through them.
TRIALS_MAX = 6

AT_FDCWD = -100
RENAME_EXCHANGE = 2
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
libc = ctypes.CDLL(None, use_errno=True)


def exchange(one, other):
    """Whether two paths changed places, in one step."""
    return libc.renameat2(AT_FDCWD, os.fsencode(one), AT_FDCWD, os.fsencode(other), RENAME_EXCHANGE) == 0


def tried(action, *arguments):
    """Whether it worked."""
    try:
        action(*arguments)
    except OSError:
        return False
    return True


def snapshot(directory):
    """Everything that a cleaner could change: type, mode, owner, time, size and content of each path."""
    seen = {}
    for base, directories, files in os.walk(directory):
        for name in [".", *directories, *files]:
            path = os.path.join(base, name)
            status = os.lstat(path)
            content = None
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    content = file.read()
            seen[path] = (status.st_mode, status.st_uid, status.st_mtime_ns, status.st_size, content)
    return seen


class Ground:
    """A cache, what is outside of it and must not change, and a place for the attacker's own things."""

    def __init__(self, place):
        self.place = place
        self.cache = str(place / "cache")
        self.outside = str(place / "outside")
        self.beside = str(place / "beside")
        for number in range(ENTRIES):
            os.makedirs(f"{self.outside}/e{number}/pkg")
            for name in range(3):
                with open(f"{self.outside}/e{number}/pkg/{name}", "w") as file:
                    file.write("precious")
            os.chmod(f"{self.outside}/e{number}/pkg/0", 0o444)
            os.chmod(f"{self.outside}/e{number}/pkg", 0o500)
        with open(f"{self.outside}/CACHEDIR.TAG", "wb") as file:
            file.write(TAG_TEXT)
        self.before = snapshot(self.outside)
        self.fill()

    def fill(self):
        """All but what is outside is new: what an attack left may be links to there."""
        self.settle()
        remove_tree(self.cache)
        remove_tree(self.beside)
        os.mkdir(self.beside)
        os.symlink(self.outside, f"{self.beside}/link")
        for number in range(ENTRIES):
            os.symlink(f"{self.outside}/e{number}", f"{self.beside}/link{number}")
        for bucket, first in (("archive-v0", "e"), ("", ".tmp")):
            for number in range(ENTRIES):
                package = os.path.join(self.cache, bucket, f"{first}{number}", "pkg", "sub")
                os.makedirs(package)
                for name in range(FILES):
                    with open(f"{package}/{name}", "w") as file:
                        file.write("x")
        with open(f"{self.cache}/CACHEDIR.TAG", "xb") as file:
            file.write(TAG_TEXT)

    def settle(self):
        """Make the cache's name a directory again, after an attack on it."""
        if os.path.islink(self.cache):
            assert exchange(self.cache, f"{self.beside}/link")


@pytest.fixture
def ground(tmp_path):
    made = Ground(tmp_path)
    yield made
    for base, directories, _ in os.walk(made.outside):
        for name in directories:
            os.chmod(os.path.join(base, name), 0o700)
    remove_tree(str(tmp_path))


# Each attack is a generator of strikes: it yields whether one worked.


def swap_entries(ground):
    """Exchange entries, where they were and where they are moved to, for links to what is outside."""
    while True:
        for number in range(ENTRIES):
            for place in ("archive-v0/e", f"{TRASH}/archive-v0/e", f"{TRASH}/.tmp", ".tmp"):
                yield exchange(f"{ground.cache}/{place}{number}", f"{ground.beside}/link{number}")


def swap_insides(ground):
    """The same one level down."""
    while True:
        for number in range(ENTRIES):
            link = f"{ground.beside}/link{number}"
            yield exchange(f"{ground.cache}/{TRASH}/archive-v0/e{number}/pkg", link)
            yield exchange(f"{ground.cache}/{TRASH}/.tmp{number}/pkg/sub", link)


def swap_trash(ground):
    """Exchange the place that things are moved to, as soon as it is made, for a link."""
    while True:
        yield exchange(f"{ground.cache}/{TRASH}", f"{ground.beside}/link")


def swap_trash_within(ground):
    """The same with a link that lies in the cache, so that the cleaner meets both."""
    link = f"{ground.cache}/zz"
    while True:
        tried(os.symlink, ground.outside, link)
        yield exchange(f"{ground.cache}/{TRASH}", link)


def swap_bucket(ground):
    while True:
        yield exchange(f"{ground.cache}/{TRASH}/archive-v0", f"{ground.beside}/link")
        yield exchange(f"{ground.cache}/archive-v0", f"{ground.beside}/link")


def move_out_and_in(ground):
    """Take directories out of the cache from under the workers, and give them back."""
    while True:
        for number in range(ENTRIES):
            inside, away = f"{ground.cache}/{TRASH}/archive-v0/e{number}", f"{ground.beside}/away{number}"
            yield tried(os.rename, inside, away)
            tried(os.rename, away, inside)
        yield tried(os.rename, f"{ground.cache}/{TRASH}", f"{ground.beside}/trash")
        tried(os.rename, f"{ground.beside}/trash", f"{ground.cache}/{TRASH}")


def swap_for_hard_links(ground):
    """Exchange directories for files that have a second name outside."""
    while True:
        for number in range(ENTRIES):
            link = f"{ground.beside}/hard{number}"
            tried(os.link, f"{ground.outside}/e{number}/pkg/1", link)
            yield exchange(f"{ground.cache}/{TRASH}/archive-v0/e{number}/pkg", link)
            tried(os.link, f"{ground.outside}/e{number}/pkg/2", f"{ground.cache}/{TRASH}/.tmp{number}/pkg/sub/hard")


def shut(ground):
    """Take bits from directories, again and again."""
    while True:
        for number in range(ENTRIES):
            for path in (f"archive-v0/e{number}/pkg", f".tmp{number}", ""):
                for mode in (0, 0o500, 0o200):
                    yield tried(os.chmod, f"{ground.cache}/{TRASH}/{path}", mode)


def refill(ground):
    """Build again what is being removed, at the root and in the trash."""
    while True:
        for number in range(ENTRIES):
            for path in (f"{TRASH}/archive-v0/e{number}/pkg", f"archive-v0/e{number}", f"{TRASH}/new{number}", "new"):
                yield tried(os.makedirs, f"{ground.cache}/{path}/again")


def replace_lock(ground):
    """No file, a new one, a link to outside, a fifo, a directory."""
    lock, secret = f"{ground.cache}/.lock", f"{ground.outside}/e0/pkg/1"
    while True:
        for make in (
            lambda: os.close(os.open(lock, os.O_CREAT)),
            lambda: os.symlink(secret, lock),
            lambda: os.mkfifo(lock),
            lambda: os.mkdir(lock),
            lambda: os.link(secret, lock),
        ):
            tried(os.unlink, lock)
            tried(os.rmdir, lock)
            yield tried(make)


def replace_tag(ground):
    """The tag is a link, a directory, a file of another's, and there again."""
    tag, spare = f"{ground.cache}/CACHEDIR.TAG", f"{ground.beside}/tag"
    os.symlink(f"{ground.outside}/CACHEDIR.TAG", spare)
    while True:
        yield exchange(tag, spare)
        yield exchange(tag, spare)


def swap_residue(ground):
    while True:
        for number in range(ENTRIES):
            for place in (".tmp", f"{TRASH}/.tmp"):
                yield exchange(f"{ground.cache}/{place}{number}", f"{ground.beside}/link{number}")


def swap_root(ground):
    """The cache itself is exchanged for a link to another cache."""
    while True:
        yield exchange(ground.cache, f"{ground.beside}/link")
        yield exchange(ground.cache, f"{ground.beside}/link")


ATTACKS = [
    swap_entries, swap_insides, swap_trash, swap_trash_within, swap_bucket, move_out_and_in, swap_for_hard_links, shut,
    refill, replace_lock, replace_tag, swap_root,
]  # fmt: skip


@contextlib.contextmanager
def attacker(attack, ground):
    """A process that does nothing else; gives a function that says how often it struck."""
    strikes = memoryview(mmap.mmap(-1, 8)).cast("Q")
    ready, telling = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
            signal.alarm(SECONDS_MAX)
            os.write(telling, b"!")
            for struck in attack(ground):
                strikes[0] += struck
        finally:
            os._exit(1)
    os.close(telling)
    assert os.read(ready, 1) == b"!"
    os.close(ready)
    try:
        yield lambda: strikes[0]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


@contextlib.contextmanager
def orphans_are_ours():
    """Processes whose parent has ended become our children: a way to see whether any is left."""
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def clean(ground, *options, program=PROGRAM):
    """Run the command to its end; its exit code and document."""
    done = subprocess.run(
        [*program, "clean", ground.cache, "--json", "--force", *options],
        capture_output=True,
        text=True,
        timeout=SECONDS_MAX,
        check=False,
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said, said
    assert "bug of ours" not in said, said
    return done.returncode, json.loads(done.stdout)


def assert_honest(code, document):
    if "left" not in document:
        # Refused: the attacker had made it no cache, or no directory, when we looked.
        assert (code, document["schema"]) == (2, "cachestorm/error/1")
        return
    paths = [left["path"] for left in document["left"]]
    assert len(paths) == len(set(paths))
    assert all(document[name] >= 0 for name in ("files_removed", "directories_removed", "bytes_freed"))
    assert (code == 0) == document["empty"]
    assert code in (0, 1)
    assert document["empty"] == (not paths)


@pytest.mark.parametrize(
    ("attack", "program", "options"),
    [
        *(pytest.param(attack, UNFENCED, (), id=f"{attack.__name__}-unfenced") for attack in ATTACKS),
        *(
            pytest.param(attack, PROGRAM, (), id=attack.__name__)
            for attack in (swap_entries, swap_trash_within, refill)
        ),
        *(
            pytest.param(attack, program, ("--remove-root",), id=f"{attack.__name__}-remove-root-{fenced}")
            for attack in (swap_trash, move_out_and_in, replace_lock, replace_tag, swap_root)
            for program, fenced in ((PROGRAM, "fenced"), (UNFENCED, "unfenced"))
        ),
    ],
)
def test_nothing_outside_changes_and_what_is_said_is_true(ground, attack, program, options):
    for _ in range(TRIALS_MAX):
        ground.fill()
        with attacker(attack, ground) as strikes:
            code, document = clean(ground, *options, program=program)
            struck = strikes()
        assert snapshot(ground.outside) == ground.before
        assert_honest(code, document)
        if struck:
            break
    else:
        pytest.fail(f"no strike in {TRIALS_MAX} trials")
    # The attacker is gone: whatever it left, one more run ends it.
    ground.settle()
    if os.path.islink(f"{ground.cache}/CACHEDIR.TAG"):
        assert exchange(f"{ground.cache}/CACHEDIR.TAG", f"{ground.beside}/tag")
    code, document = clean(ground, "--untagged")
    assert (code, document["left"]) == (0, [])
    assert not os.path.exists(ground.cache) or set(os.listdir(ground.cache)) <= {".lock", "CACHEDIR.TAG", ".gitignore"}
    assert snapshot(ground.outside) == ground.before


@pytest.mark.parametrize("attack", [swap_residue, swap_trash], ids=lambda attack: attack.__name__)
def test_whole_entries_survive_the_removal_of_residue(ground, attack):
    """The attacker here touches residue and trash only: whole entries are as they were."""
    for _ in range(TRIALS_MAX):
        ground.fill()
        whole = snapshot(f"{ground.cache}/archive-v0")
        with attacker(attack, ground) as strikes:
            code, document = clean(ground, "--residue-only", program=UNFENCED)
            struck = strikes()
        assert snapshot(ground.outside) == ground.before
        assert snapshot(f"{ground.cache}/archive-v0") == whole
        assert code == (1 if document["left"] else 0)
        assert len({left["path"] for left in document["left"]}) == len(document["left"])
        if struck:
            return
    pytest.fail(f"no strike in {TRIALS_MAX} trials")


def test_the_attacker_hurts_a_cleaner_that_goes_by_path(ground):
    """Else the tests above would prove nothing."""
    for _ in range(50):
        ground.fill()
        with attacker(swap_entries, ground):
            for base, _, files in os.walk(ground.cache):
                tried(os.chmod, base, 0o700)
                for name in files:
                    tried(REAL.unlink, os.path.join(base, name))
        if snapshot(ground.outside) != ground.before:
            return
    pytest.fail("it never did")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children") as file:
            return [int(word) for word in file.read().split()]
    except OSError:
        return []


def started(ground, *options):
    """The command at the moment when it has workers; the process and their numbers."""
    process = subprocess.Popen(
        [*PROGRAM, "clean", ground.cache, "--json", *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wanted = 1 + ("--remove-root" in options)
    workers: list[int] = []
    while len(workers) < wanted and process.poll() is None:
        workers = children(process.pid)
    return process, workers


def await_lock(cache):
    """Until nobody holds the lock any more; fails when that takes too long."""
    deadline = time.monotonic() + SECONDS_MAX
    with open(f"{cache}/.lock", "r+") as lock:
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                assert time.monotonic() < deadline, "somebody holds the lock for good"
                time.sleep(0.001)
            else:
                return


@pytest.mark.parametrize("options", [(), ("--remove-root",)], ids=["clean", "remove-root"])
@pytest.mark.parametrize("victim", ["parent", "workers", "everybody"])
def test_sigkill_then_run_again(ground, victim, options):
    struck = 0
    with orphans_are_ours():
        for _ in range(TRIALS_MAX):
            ground.fill()
            process, workers = started(ground, *options)
            if victim != "parent":
                for worker in workers:
                    struck += tried(os.kill, worker, signal.SIGKILL)
            if victim != "workers":
                struck += process.poll() is None
                process.kill()
            _, errors = process.communicate(timeout=SECONDS_MAX)
            if victim == "workers":
                assert "bug of ours" not in errors
                # The janitor was killed as well: then the root stays, and is named.
                assert process.returncode in (0, 1)
            if os.path.exists(f"{ground.cache}/.lock"):
                await_lock(ground.cache)
            # Orphans come to us and can be waited for: all of them end.
            with contextlib.suppress(ChildProcessError):
                while True:
                    os.waitpid(-1, 0)
            if os.path.exists(ground.cache):
                code, document = clean(ground, *options)
                assert (code, document["left"]) == (0, [])
            if struck:
                return
    pytest.fail(f"always too late, in {TRIALS_MAX} trials")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda number: number.name)
def test_a_signal_to_the_whole_group(ground, number):
    """As a terminal sends it: workers are deaf, we are told, nobody stays."""
    with orphans_are_ours():
        for _ in range(TRIALS_MAX):
            ground.fill()
            process, _ = started(ground, "--remove-root")
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, number)
            out, errors = process.communicate(timeout=SECONDS_MAX)
            with pytest.raises(ChildProcessError):
                os.waitpid(-1, os.WNOHANG)
            assert "bug of ours" not in errors
            if process.returncode == 128 + number:
                assert json.loads(out)["kind"] == "interrupted"
                assert not os.path.exists(f"{ground.cache}/.lock") or await_lock(ground.cache) is None
                assert clean(ground)[0] == 0
                return
    pytest.fail(f"always too late, in {TRIALS_MAX} trials")


@pytest.mark.parametrize("cleaners", [3])
def test_cleaners_by_force_side_by_side(ground, cleaners):
    """Each one's trash is the others' content."""
    for _ in range(3):
        ground.fill()
        running = [
            subprocess.Popen(
                [*PROGRAM, "clean", ground.cache, "--json", "--force"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
            )
            for _ in range(cleaners)
        ]
        said = [process.communicate(timeout=SECONDS_MAX) for process in running]
        documents = [json.loads(out) for out, _ in said]
        assert [process.returncode for process in running] == [0] * cleaners, said
        assert sum(document["files_removed"] for document in documents) == 2 * ENTRIES * FILES
        assert all(document["directories_removed"] >= 0 for document in documents)
        # Each directory is counted by whoever removed it: entries, two levels in each, the bucket; others' trash too.
        directories = 2 * ENTRIES * 3 + 1
        assert directories <= sum(document["directories_removed"] for document in documents) < directories + cleaners
        assert set(os.listdir(ground.cache)) <= {".lock", "CACHEDIR.TAG"}
