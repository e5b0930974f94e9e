"""A cache that is none, or not ours, or in use; output that goes nowhere: one clear line, and nothing is changed."""

import contextlib
import fcntl
import json
import os
import subprocess
import sys

import pytest

from cache_core.layout import TAG_TEXT

pytestmark = pytest.mark.slow

PROGRAM = [sys.executable, "-c", "from simulator.cli.entry import entry; entry()"]
NOBODY = 65534
# Generous: it is there to end a test that hangs.
SECONDS_MAX = 60


def run(*arguments, redirections="", prefix=(), **keywords):
    """Run the program as a shell would with these redirections; what is not redirected is captured."""
    command = ["sh", "-c", f'"$@" {redirections}', "sh", *prefix, *PROGRAM, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS_MAX, **keywords)


def make_cache(root):
    (root / "entry").mkdir(parents=True)
    (root / "entry" / "file").write_text("x")
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    return root


@pytest.fixture
def cache(tmp_path):
    return make_cache(tmp_path / "cache")


def snapshot(top):
    """Names, modes, numbers and times of all that is there."""
    found = {}
    for directory, directories, files in os.walk(top):
        for name in (".", *directories, *files):
            status = os.lstat(os.path.join(directory, name))
            found[directory, name] = (status.st_mode, status.st_ino, status.st_mtime_ns, status.st_ctime_ns)
    return found


def assert_refused(top, path, kind, *words, code=2, options=("--untagged",), **keywords):
    """One line that names the value, the same in the document, and nothing changed."""
    before = snapshot(top)
    done = run("clean", path, "--json", *options, **keywords)
    assert snapshot(top) == before
    assert done.returncode == code, done.stderr
    document = json.loads(done.stdout)
    assert (document["schema"], document["exit"], document["kind"]) == ("cachestorm/error/1", code, kind)
    assert document["value"] == str(path)
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"cachestorm: {path}: ")
    for word in words:
        assert word in line


def test_a_link_is_not_followed_unless_told(tmp_path, cache):
    link = tmp_path / "link"
    link.symlink_to("cache")
    assert_refused(tmp_path, link, "not-a-directory", "is a symbolic link", "(--follow-root)")
    # Not with a slash behind it either.
    assert_refused(tmp_path, f"{link}/", "not-a-directory", "is a symbolic link")
    done = run("clean", link, "--follow-root", "--json")
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["path"] == str(link)
    assert not (cache / "entry").exists()
    assert link.is_symlink()


def test_a_dangling_link(tmp_path):
    link = tmp_path / "link"
    link.symlink_to("none/cache")
    assert_refused(tmp_path, link, "not-a-directory", "is a symbolic link", "(--follow-root)")
    # Followed, it is a path that nothing has.
    done = run("clean", link, "--follow-root")
    verdict = f"there is nothing where '{link}' leads"
    assert (done.returncode, done.stdout.splitlines()[-1].partition(";")[0]) == (0, verdict)
    assert os.listdir(tmp_path) == ["link"]


def test_links_in_a_ring(tmp_path):
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert_refused(tmp_path, tmp_path / "one", "not-a-directory", "40 symbolic links", options=("--follow-root",))


def test_a_file(tmp_path):
    path = tmp_path / "file"
    path.write_text("x")
    assert_refused(tmp_path, path, "not-a-directory", "is no directory")
    assert_refused(tmp_path, path / "below", "not-a-directory", "leads through something that is no directory")


def test_a_fifo(tmp_path):
    path = tmp_path / "fifo"
    os.mkfifo(path)
    # Nobody writes to it: the program would wait for ever if it opened it.
    assert_refused(tmp_path, path, "not-a-directory", "is no directory")


def test_a_path_that_nothing_has(tmp_path):
    for path in (tmp_path / "none", tmp_path / "none" / "cache"):
        done = run("clean", path)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.splitlines()[-1].startswith(f"there is nothing at '{path}'; ")
    assert os.listdir(tmp_path) == []


def test_the_empty_path(tmp_path):
    done = run("clean", "", "--untagged", "--json", cwd=tmp_path, env=environment())
    assert (done.returncode, json.loads(done.stdout)["kind"]) == (2, "refused-root")
    assert done.stderr.startswith("cachestorm: '': is the empty path")


def environment(**more):
    """Ours, and where to find the program from elsewhere."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, [os.getcwd(), *sys.path])), **more}


def test_directories_that_are_never_cleaned(tmp_path):
    home = tmp_path / "home"
    working = home / "deep" / "working"
    working.mkdir(parents=True)
    keywords = {"cwd": working, "env": environment(HOME=str(home))}
    for path in (".", "..", str(working), str(home / "deep"), str(home), str(tmp_path)):
        assert_refused(tmp_path, path, "refused-root", "which is never cleaned", **keywords)
    done = run("clean", "/", "--untagged", "--json", **keywords)
    assert (done.returncode, json.loads(done.stdout)["kind"]) == (2, "refused-root")
    # As a shell expands it.
    done = subprocess.run(
        ["sh", "-c", '"$@" clean ~ --untagged', "sh", *PROGRAM], capture_output=True, text=True, check=False, **keywords
    )
    assert (done.returncode, done.stderr.startswith(f"cachestorm: {home}: ")) == (2, True)


def test_a_directory_without_a_tag(tmp_path):
    (tmp_path / "mine" / "letters").mkdir(parents=True)
    assert_refused(tmp_path, tmp_path / "mine", "not-a-cache", "no valid CACHEDIR.TAG", "(--untagged)", options=())


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o300])
def test_an_unreadable_root_that_is_refused_is_as_it_was(tmp_path, mode):
    path = tmp_path / "mine"
    (path / "letters").mkdir(parents=True)
    path.chmod(mode)
    done = run("clean", path, "--json")
    assert (done.returncode, json.loads(done.stdout)["kind"]) == (2, "not-a-cache")
    assert (path.stat().st_mode & 0o777) == mode
    path.chmod(0o700)
    assert os.listdir(path) == ["letters"]


@pytest.mark.parametrize("mode", [0o000, 0o200, 0o300])
def test_an_unreadable_root_of_a_cache_is_cleaned(cache, mode):
    cache.chmod(mode)
    done = run("clean", cache, "--json")
    document = json.loads(done.stdout)
    assert (done.returncode, document["empty"], document["permissions_repaired"]) == (0, True, 1)


def test_a_lock_that_is_held_for_ever(cache):
    with open(cache / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        before = snapshot(cache)
        done = run("clean", cache, "--timeout", "0.2s", "--json")
        assert snapshot(cache) == before
    document = json.loads(done.stdout)
    assert (done.returncode, document["kind"]) == (1, "in-use")
    told, failed = done.stderr.splitlines()
    for line in (told, failed, document["message"]):
        assert f"(pid {os.getpid()})" in line
        assert str(cache) in line
    assert "--force" in failed


@pytest.mark.parametrize("name", [b"new\nline", b"caf\xe9", b"\x1b[31m", b"-rf"])
def test_an_odd_path_is_shown_escaped_and_exact_in_the_document(tmp_path, name):
    path = tmp_path / os.fsdecode(name)
    make_cache(path)
    (path / "stays").write_text("")
    asked = run("clean", path, "--dry-run", "--json")
    document = json.loads(asked.stdout)
    exact = bytes.fromhex(document["path_hex"]) if "path_hex" in document else document["path"].encode()
    assert exact == os.fsencode(path)
    (path / "CACHEDIR.TAG").unlink()
    refused = run("clean", path)
    assert refused.returncode == 2
    (line,) = refused.stderr.splitlines()
    assert line.isprintable()
    assert run("clean", path, "--untagged").returncode == 0
    assert not (path / "stays").exists()


def test_an_odd_path_below_that_stays_is_exact_in_the_document(cache):
    odd = cache / os.fsdecode(b"caf\xe9\n")
    odd.mkdir(0o300)
    done = run("clean", cache, "--dry-run", "--json")
    (left,) = json.loads(done.stdout)["left"]
    assert bytes.fromhex(left["path_hex"]) == b"caf\xe9\n"
    told = run("clean", cache, "--dry-run").stdout
    odd.rmdir()
    assert r"left: caf\xe9\n: " in told


REDIRECTIONS = [
    # A closed stream is one that nobody reads; what a full disk takes is lost, and a failure if it was asked for.
    (">&-", 0, ""),
    (">&- 2>&-", 0, ""),
    (">/dev/full", 3, "make room for the output"),
    ("2>/dev/full", 0, ""),
    (">/dev/full 2>&1", 3, ""),
]


@pytest.mark.parametrize("options", [[], ["--json"], ["--verbose"], ["--verbose", "--json"]], ids=" ".join)
@pytest.mark.parametrize(("redirections", "code", "word"), REDIRECTIONS, ids=[case[0] for case in REDIRECTIONS])
def test_output_that_goes_nowhere_does_not_stop_the_cleaning(cache, options, redirections, code, word):
    for number in range(1_000):
        (cache / f"file-{number}").write_text("")
    done = run("clean", cache, *options, redirections=redirections)
    listing_lost = redirections == "2>/dev/full" and {*options} == {"--verbose", "--json"}
    assert done.returncode == (3 if listing_lost else code), done.stderr
    assert word in done.stderr
    assert "Traceback" not in done.stderr
    assert "Exception ignored" not in done.stderr
    assert_empty_and_free(cache)


@pytest.mark.parametrize("options", [[], ["--json"], ["--verbose"]], ids=" ".join)
def test_a_reader_that_went_away_does_not_stop_the_cleaning(cache, options):
    for number in range(1_000):
        (cache / f"file-{number}").write_text("")
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*PROGRAM, "clean", str(cache), *options],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=SECONDS_MAX,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, "")
    assert_empty_and_free(cache)


def assert_empty_and_free(cache):
    assert set(os.listdir(cache)) <= {"CACHEDIR.TAG", ".lock"}
    with open(cache / ".lock") as lock:
        # BlockingIOError: somebody still holds it.
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)


@pytest.mark.root
def test_another_s_directory_as_an_ordinary_user(tmp_path):
    theirs = make_cache(tmp_path / "theirs")
    tmp_path.chmod(0o755)
    theirs.chmod(0o700)
    as_nobody = ("setpriv", f"--reuid={NOBODY}", "--regid", str(NOBODY), "--clear-groups")
    with reachable(tmp_path):
        if subprocess.run([*as_nobody, sys.executable, "-c", ""], capture_output=True, check=False).returncode:
            pytest.skip("this Python is not for everybody to run")
        assert_refused(
            tmp_path, theirs, "unreadable-root", "run as its owner", code=1, prefix=as_nobody, env=environment()
        )
        # One that can be read and not changed: what stays is named, and nothing was changed.
        theirs.chmod(0o755)
        before = snapshot(tmp_path)
        done = run("clean", theirs, "--json", prefix=as_nobody, env=environment())
        assert snapshot(tmp_path) == before
    document = json.loads(done.stdout)
    assert (done.returncode, document["empty"], document["lock"]) == (1, False, "unavailable")
    assert [left["path"] for left in document["left"]] == ["entry/file"]
    assert "directory of uid 0" in document["left"][0]["reason"]


@contextlib.contextmanager
def reachable(directory):
    """Let everybody search what is above."""
    above = [parent for parent in directory.parents if not parent.stat().st_mode & 0o001]
    modes = [parent.stat().st_mode for parent in above]
    for parent in above:
        parent.chmod(0o711)
    try:
        yield
    finally:
        for parent, mode in zip(above, modes, strict=True):
            parent.chmod(mode)


@pytest.mark.root
def test_a_read_only_file_system(tmp_path):
    cache = make_cache(tmp_path / "cache")
    bound = (
        "unshare", "-m", "sh", "-c",
        f'mount --bind "{cache}" "{cache}" && mount -o remount,bind,ro "{cache}" && exec "$@"', "sh",
    )  # fmt: skip
    if subprocess.run([*bound, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this machine lets nobody mount")
    before = snapshot(cache)
    done = run("clean", cache, "--json", prefix=bound)
    assert snapshot(cache) == before
    document = json.loads(done.stdout)
    assert (done.returncode, document["empty"], document["lock"]) == (1, False, "unavailable")
    assert [(left["path"], left["errno"]) for left in document["left"]] == [(".", "EROFS")]
    told = run("clean", cache, prefix=bound)
    assert "the file system is read-only (EROFS)" in told.stdout
    assert told.stdout.splitlines()[-1].startswith("cache is NOT empty: 1 path left; removed 0 files ")
    none = run("clean", cache, "--residue-only", prefix=bound)
    assert (none.returncode, none.stdout.split(";")[0]) == (0, "no residue is left")
    (cache / ".tmpfoo").mkdir()
    some = run("clean", cache, "--residue-only", prefix=bound)
    assert some.returncode == 1
    assert "left: .tmpfoo: the file system is read-only (EROFS)" in some.stdout
