"""What `clean` says while and after it works: every path, whom it waits for, that it had no lock; what it leaves be."""

import fcntl
import json
import os

import pytest

from cache_core.holders import Holder
from cache_core.layout import TAG_TEXT
from simulator.cli.clean_report import waiting


def poisoned(root):
    """A tagged cache: a poisoned directory in a partial tree, a whole entry; no lock file yet."""
    staging = root / "entry" / "build" / "bdist.linux-x86_64" / "wheel"
    staging.mkdir(parents=True)
    (staging / "file").write_text("x")
    (root / "whole").mkdir()
    (root / "whole" / "file").write_text("y")
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    staging.chmod(0o200)
    return root


@pytest.fixture
def cache(tmp_path):
    root = poisoned(tmp_path / "cache")
    yield root
    for directory, _, _ in os.walk(root):
        os.chmod(directory, 0o700)


# What goes from `poisoned`, and in which order: a directory after what is in it.
ENTRIES = {
    "entry",
    "entry/build",
    "entry/build/bdist.linux-x86_64",
    "entry/build/bdist.linux-x86_64/wheel",
    "entry/build/bdist.linux-x86_64/wheel/file",
    "whole",
    "whole/file",
}
MENDED = "made accessible: entry/build/bdist.linux-x86_64/wheel"


def assert_listed(lines):
    assert sorted(lines) == sorted({*ENTRIES, MENDED})
    for path in ENTRIES:
        parent = path.rpartition("/")[0]
        assert not parent or lines.index(path) < lines.index(parent)


def test_verbose_lists_every_path_on_stdout(cachestorm, cache):
    result = cachestorm("clean", cache, "--verbose")
    assert result.exit_code == 0
    *listed, summary = result.stdout.splitlines()
    assert_listed(listed)
    assert summary.startswith("cache is empty; removed 2 files and 5 directories, ")
    assert summary.endswith(" s")
    assert ", 1 directory made accessible, " in summary
    assert result.stderr == ""


def test_verbose_lists_the_root_that_was_made_accessible(cachestorm, cache):
    cache.chmod(0o500)
    result = cachestorm("clean", cache, "--verbose")
    *listed, summary = result.stdout.splitlines()
    assert_listed([line for line in listed if line != "made accessible: ."])
    assert listed.count("made accessible: .") == 1
    assert ", 2 directories made accessible, " in summary


def test_verbose_lists_on_stderr_beside_a_document(cachestorm, cache):
    result = cachestorm("clean", cache, "--verbose", "--json")
    assert_listed(result.stderr.splitlines())
    assert result.document["files_removed"] == 2
    assert len(result.documents) == 1


def test_without_verbose_nothing_is_listed(cachestorm, cache):
    result = cachestorm("clean", cache, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    assert len(result.stdout.splitlines()) == 1


def test_odd_names_are_one_line_each(cachestorm, cache):
    (cache / os.fsdecode(b"new\nline \xff")).mkdir()
    result = cachestorm("clean", cache, "--verbose")
    assert r"new\nline \xff" in result.stdout.splitlines()


def snapshot(root):
    """Everything that a change would show in: names, modes, owners, numbers, times, sizes."""
    found = {}
    for parent in (root.parent, root):
        found[str(parent)] = look(parent)
    for directory, directories, files in os.walk(root):
        for name in (*directories, *files):
            found[f"{directory}/{name}"] = look(f"{directory}/{name}")
    return found


def look(path):
    status = os.lstat(path)
    fields = ("st_mode", "st_ino", "st_nlink", "st_uid", "st_gid", "st_size", "st_mtime_ns", "st_ctime_ns")
    return [getattr(status, field) for field in fields]


@pytest.mark.parametrize("options", [[], ["--verbose"], ["--json"], ["--remove-root"], ["--force"], ["--untagged"]])
def test_dry_run_changes_nothing_at_all(cachestorm, cache, options):
    before = snapshot(cache)
    assert not (cache / ".lock").exists()
    result = cachestorm("clean", cache, "--dry-run", *options)
    assert snapshot(cache) == before
    # The poisoned directory cannot be looked into without a change of its mode, and that is what it says.
    assert result.exit_code == 1
    assert "wheel" in result.stdout


def test_a_dry_run_that_could_read_all_is_a_success_and_changes_nothing(cachestorm, cache):
    (cache / "entry/build/bdist.linux-x86_64/wheel").chmod(0o700)
    before = snapshot(cache)
    result = cachestorm("clean", cache, "--dry-run")
    assert snapshot(cache) == before
    assert result.exit_code == 0
    assert result.stdout.startswith("would remove 2 files and 5 directories, ")
    assert "could not be read" not in result.stdout


def test_a_dry_run_lists_what_would_go(cachestorm, cache):
    (cache / "entry/build/bdist.linux-x86_64/wheel").chmod(0o700)
    result = cachestorm("clean", cache, "--dry-run", "--verbose")
    *listed, summary = result.stdout.splitlines()
    assert set(listed) == ENTRIES
    assert len(listed) == len(ENTRIES)
    assert summary.startswith("would remove 2 files and 5 directories, ")
    really = cachestorm("clean", cache, "--verbose")
    assert set(really.stdout.splitlines()[:-1]) == ENTRIES


def test_a_dry_run_of_a_root_that_keeps_us_out_leaves_it_so(cachestorm, cache):
    cache.chmod(0o300)
    before = look(cache)
    result = cachestorm("clean", cache, "--dry-run", "--json")
    assert (result.exit_code, result.document["kind"]) == (1, "unreadable-root")
    assert look(cache) == before


def test_whom_it_waits_for():
    say = "--force goes on without, --timeout gives up"
    holders = (Holder(4321, "uv pip install jaeger-client"),)
    assert waiting("/c", holders) == f"waiting for uv pip install jaeger-client (pid 4321) to finish with '/c'; {say}"
    assert waiting("/c", ()) == f"waiting for others to finish with '/c'; {say}"
    many = tuple(Holder(number, "uv sync") for number in range(1, 6))
    assert "uv sync (pid 1), uv sync (pid 2), uv sync (pid 3) and 2 more" in waiting("/c", many)
    assert waiting("/c\n\x1b", ()).startswith(r"waiting for others to finish with '/c\n\x1b'")


def test_a_wait_names_the_holder(cachestorm, cache):
    with open(cache / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        result = cachestorm("clean", cache, "--timeout", "0", "--json")
    told, failed = result.stderr.splitlines()
    assert told.startswith("cachestorm: waiting for ")
    assert f"(pid {os.getpid()})" in told
    assert f"'{cache}'" in told
    assert (result.exit_code, result.document["kind"]) == (1, "in-use")
    assert f"(pid {os.getpid()})" in failed


def test_a_lock_that_is_unavailable_is_one_line_and_no_failure(cachestorm, cache):
    (cache / ".lock").write_text("")
    (cache / ".lock").chmod(0)
    result = cachestorm("clean", cache, "--json")
    assert result.exit_code == 0
    assert (result.document["lock"], result.document["empty"]) == ("unavailable", True)
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"cachestorm: cleaned without its lock: '{cache}/.lock' ")
    assert (cache / ".lock").stat().st_mode & 0o777 == 0


def test_a_lock_that_was_held_is_not_worth_a_line(cachestorm, cache):
    result = cachestorm("clean", cache, "--json")
    assert (result.document["lock"], result.stderr) == ("exclusive", "")


@pytest.mark.parametrize("wish", ["--dry-run", "--residue-only", "--force"])
def test_a_document_says_what_was_asked_for(cachestorm, cache, tmp_path, wish):
    for path in (tmp_path / "none", cache):
        document = cachestorm("clean", path, wish, "--json").document
        assert document["dry_run"] is (wish == "--dry-run")
        assert document["residue_only"] is (wish == "--residue-only")


@pytest.mark.parametrize("wish", ["--dry-run", "--residue-only", "--remove-root", "--follow-root"])
def test_a_path_that_nothing_has_is_said_to_be_one(cachestorm, tmp_path, wish):
    result = cachestorm("clean", tmp_path / "typo", wish)
    *_, verdict = result.stdout.splitlines()
    assert verdict.startswith(f"there is nothing at '{tmp_path}/typo'")
    assert (result.exit_code, result.stderr) == (0, "")
    document = cachestorm("clean", tmp_path / "typo", wish, "--json").document
    assert (document["empty"], document["left"]) == (True, [])


def test_a_cache_that_is_gone_is_not_said_to_have_been_none(cachestorm, cache):
    assert cachestorm("clean", cache, "--remove-root").stdout.startswith("cache is empty; removed 2 files and ")
    (cache / "none").mkdir(parents=True)
    assert cachestorm("clean", cache, "--untagged").stdout.startswith("cache is empty; removed 0 files and 1 directory")


def test_an_error_tells_a_path_of_bytes_from_one_that_looks_the_same(cachestorm, tmp_path):
    bytes_of_it, text_of_it = tmp_path / os.fsdecode(b"q\xff"), tmp_path / r"q\xff"
    bytes_of_it.touch()
    text_of_it.touch()
    error = cachestorm("clean", bytes_of_it, "--json").document
    assert (error["value"], error["value_hex"]) == (str(text_of_it), os.fsencode(bytes_of_it).hex())
    error = cachestorm("clean", text_of_it, "--json").document
    assert (error["value"], error.get("value_hex")) == (str(text_of_it), None)


def test_the_document_is_ascii(cachestorm, tmp_path):
    odd = poisoned(tmp_path / os.fsdecode(b"caf\xe9\n"))
    result = cachestorm("clean", odd, "--json")
    assert result.document["path_hex"] == os.fsencode(odd).hex()
    assert json.dumps(result.document).isascii()
