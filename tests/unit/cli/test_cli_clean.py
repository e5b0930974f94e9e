import json
import os
import signal

import pytest

from cache_core import clean_sync
from cache_core.layout import TAG_TEXT
from simulator.cli import cleaning
from simulator.cli.listed import Listing


@pytest.fixture
def cache(tmp_path):
    """A tagged cache with a partial tree, a poisoned directory in it, and a whole entry."""
    root = tmp_path / "cache"
    staging = root / "entry" / "build" / "bdist.linux-x86_64" / "wheel"
    staging.mkdir(parents=True)
    (staging / "file").write_text("x")
    (root / "whole").mkdir()
    (root / "whole" / "file").write_text("y")
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    staging.chmod(0o200)
    yield root
    if staging.exists():
        staging.chmod(0o700)


def names(root):
    return sorted(os.listdir(root))


def test_audit_shows_the_residue_and_changes_nothing(cachestorm, cache):
    result = cachestorm("audit", cache, "--json")
    assert result.exit_code == 1
    assert result.document["schema"] == "cachestorm/audit/1"
    assert result.document["partial_trees"] == ["entry/build/bdist.linux-x86_64"]
    assert result.document["poisoned"] == [{"path": "entry/build/bdist.linux-x86_64/wheel", "mode": "0200"}]
    told = cachestorm("audit", cache).stdout
    assert "d-w-------    entry/build/bdist.linux-x86_64/wheel" in told
    assert names(cache) == ["CACHEDIR.TAG", "entry", "whole"]


def test_audit_tells_nothing_from_an_empty_cache(cachestorm, tmp_path):
    (tmp_path / "empty").mkdir()
    for name, held in (("none", "nothing there"), ("empty", "empty")):
        path = tmp_path / name
        result = cachestorm("audit", path)
        assert result.exit_code == 0
        assert result.stdout.splitlines() == [f"{path}: {held}", "no residue"]
        assert cachestorm("audit", path, "--json").document["empty"] is True
    assert names(tmp_path) == ["empty"]


def test_clean_empties_the_cache(cachestorm, cache):
    result = cachestorm("clean", cache, "--json")
    assert result.exit_code == 0
    assert result.document["schema"] == "cachestorm/clean/1"
    assert result.document["empty"] is True
    assert (result.document["files_removed"], result.document["permissions_repaired"]) == (2, 1)
    assert set(names(cache)) <= {"CACHEDIR.TAG", ".lock"}
    assert cachestorm("audit", cache).exit_code == 0


def test_clean_tells_what_it_did(cachestorm, cache):
    told = cachestorm("clean", cache).stdout
    last = told.splitlines()[-1]
    assert last.startswith("cache is empty; removed 2 files and 5 directories, ")
    assert " freed, 1 directory made accessible, " in last
    assert last.endswith(" s")


def test_dry_run_changes_nothing(cachestorm, cache):
    result = cachestorm("clean", cache, "--dry-run")
    assert "would remove" in result.stdout
    assert names(cache) == ["CACHEDIR.TAG", "entry", "whole"]


def test_residue_only_keeps_the_rest(cachestorm, cache):
    result = cachestorm("clean", cache, "--residue-only")
    assert result.exit_code == 0
    assert "no residue is left" in result.stdout
    assert (cache / "whole" / "file").exists()
    assert not (cache / "entry" / "build" / "bdist.linux-x86_64").exists()


def test_remove_root_and_a_missing_path(cachestorm, cache):
    assert cachestorm("clean", cache, "--remove-root").exit_code == 0
    assert not cache.exists()
    assert cachestorm("clean", cache, "--json").document["empty"] is True


def test_what_is_no_cache_is_refused(cachestorm, tmp_path, cache):
    (cache / "CACHEDIR.TAG").unlink()
    result = cachestorm("clean", cache, "--json")
    assert (result.exit_code, result.document["kind"]) == (2, "not-a-cache")
    assert result.document["value"] == str(cache)
    assert cachestorm("clean", cache, "--untagged").exit_code == 0


@pytest.mark.parametrize("path", ["/", "~", ".", ".."])
def test_what_is_never_cleaned(cachestorm, path):
    result = cachestorm("clean", os.path.expanduser(path), "--untagged", "--json")
    assert (result.exit_code, result.document["kind"]) == (2, "refused-root")


def test_a_file_is_no_cache(cachestorm, tmp_path):
    (tmp_path / "file").write_text("x")
    for command in (["clean"], ["audit"]):
        result = cachestorm(*command, tmp_path / "file", "--json")
        assert (result.exit_code, result.document["kind"]) == (2, "not-a-directory")


def test_a_cache_in_use_is_waited_for_until_the_timeout(cachestorm, cache):
    import fcntl

    with open(cache / ".lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_SH)
        result = cachestorm("clean", cache, "--timeout", "0", "--json")
        assert (result.exit_code, result.document["kind"]) == (1, "in-use")
        assert (cache / "whole").exists()
        assert cachestorm("clean", cache, "--force").exit_code == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_it_cleans(cachestorm, cache, monkeypatch, number):
    told = Listing.removed

    def struck(listing, path):
        told(listing, path)
        os.kill(os.getpid(), number)

    monkeypatch.setattr(Listing, "removed", struck)
    result = cachestorm("clean", cache, "--verbose", "--json")
    assert result.exit_code == 128 + number
    document = result.document
    assert (document["kind"], document["value"]) == ("interrupted", signal.Signals(number).name)
    assert "run it again to finish" in document["message"]
    *listed, message = result.stderr.splitlines()
    assert message == f"cachestorm: {document['message']}"
    report = document["report"]
    assert report["files_removed"] + report["directories_removed"] == len([line for line in listed if ":" not in line])
    assert listed
    assert report["empty"] is False
    assert report["left"]
    # What was done is done, and the rest goes with the next run.
    monkeypatch.undo()
    assert cachestorm("clean", cache).exit_code == 0


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_signal_when_all_is_done(cachestorm, cache, monkeypatch, options):
    done = clean_sync(str(cache))

    def struck(*arguments, **keywords):
        os.kill(os.getpid(), signal.SIGINT)
        return done

    monkeypatch.setattr(cleaning, "clean_sync", struck)
    result = cachestorm("clean", cache, *options)
    assert result.exit_code == 130
    assert "interrupted by SIGINT when all was done: 2 files and 5 directories" in result.stderr
    assert "run it again" not in result.stderr


def test_names_are_shown_without_control_characters(cachestorm, cache):
    odd = os.fsdecode(b"\x1b[31mred\xff\n")
    place = cache / odd / "build" / "bdist.x"
    place.mkdir(parents=True)
    result = cachestorm("audit", cache)
    assert "\x1b" not in result.stdout
    assert r"\x1b[31mred" in result.stdout
    document = cachestorm("audit", cache, "--json").document
    assert any("red" in path for path in document["partial_trees"])
    assert json.dumps(document).isascii()
