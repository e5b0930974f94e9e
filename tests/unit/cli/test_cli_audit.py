"""`cachestorm audit`: every kind of residue is shown with what would go, and `clean --residue-only` takes just that."""

from __future__ import annotations

import os

import pytest

from cache_core.layout import TAG_TEXT
from cache_core.removal import remove_tree

ARCHIVE = "archive-v0/CVt8-cZe00wSlRfDKiFef"
POINTER = "wheels-v1/pypi/pkg/pkg-1.0-py3-none-any.http"
STAGING = "entry/build/bdist.linux-x86_64"


@pytest.fixture
def cache(tmp_path):
    """A tagged cache with residue of every kind, and something whole."""
    root = tmp_path / "cache"
    for path in (".cachestorm-trash/old/file", ".tmpAbC", f"{ARCHIVE}/pkg/a.py", f"{STAGING}/wheel/b.py", "whole/file"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("x")
    (root / POINTER).parent.mkdir(parents=True)
    (root / POINTER).write_text(os.path.basename(ARCHIVE))
    (root / "CACHEDIR.TAG").write_bytes(TAG_TEXT)
    (root / ARCHIVE / "pkg").chmod(0o200)
    yield root
    remove_tree(str(root))


def test_the_text(cachestorm, cache):
    result = cachestorm("audit", cache)
    assert result.exit_code == 1
    first, *lines, last = result.stdout.splitlines()
    assert first.startswith(f"{cache}: 5 files and 13 directories, ")
    assert lines == [
        "  trash         .cachestorm-trash: 1 file and 2 directories",
        "  temporary     .tmpAbC: 1 file",
        f"  poisoned      {ARCHIVE}: 0 files and 2 directories, and what is not read",
        f"  partial tree  {STAGING}: 1 file and 2 directories",
        f"  dangling      {POINTER}: 1 file",
        f"  d-w-------    {ARCHIVE}/pkg",
        f"  not read      {ARCHIVE}/pkg: the mode of it, d-w-------, keeps its owner out (EACCES)",
    ]
    assert last == f"residue; `cachestorm clean --residue-only {cache}` removes it and keeps the rest"


def test_a_bucket_that_is_shut_is_said_to_be_opened(cachestorm, cache):
    (cache / "archive-v0").chmod(0)
    lines = cachestorm("audit", cache).stdout.splitlines()
    (told,) = [line for line in lines if line.startswith("  poisoned")]
    assert told == (
        "  poisoned      archive-v0: what is in it is unknown; --residue-only opens it, looks, and keeps what is whole"
    )


def test_the_document(cachestorm, cache):
    result = cachestorm("audit", cache, "--json")
    assert result.exit_code == 1
    told = result.document
    assert [(item["path"], item["kind"], item["files"], item["directories"]) for item in told["residue"]] == [
        (".cachestorm-trash", "trash", 1, 2),
        (".tmpAbC", "temporary", 1, 0),
        (ARCHIVE, "poisoned", 0, 2),
        (STAGING, "partial-tree", 1, 2),
        (POINTER, "dangling", 1, 0),
    ]
    assert (told["temporary"], told["trash"], told["partial_trees"]) == ([".tmpAbC"], [".cachestorm-trash"], [STAGING])
    assert told["poisoned"] == [{"path": f"{ARCHIVE}/pkg", "mode": "0200"}]


def test_a_name_that_is_not_text_is_exact(cachestorm, cache):
    (cache / os.fsdecode(b".tmp\xff\n")).touch()
    told = cachestorm("audit", cache, "--json").document["residue"]
    assert [item["path_hex"] for item in told if "path_hex" in item] == [b".tmp\xff\n".hex()]
    assert r".tmp\xff\n: 1 file" in cachestorm("audit", cache).stdout


@pytest.mark.parametrize("residue", [".cachestorm-trash/", ".tmpa", "archive-v0/.tmpa/b", "e/build/bdist.x/"])
def test_each_kind_alone_is_exit_1(cachestorm, tmp_path, residue):
    (tmp_path / residue).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / residue).mkdir() if residue.endswith("/") else (tmp_path / residue).touch()
    assert cachestorm("audit", tmp_path).exit_code == 1


def test_what_is_listed_is_what_goes(cachestorm, cache):
    assert cachestorm("clean", cache, "--residue-only").exit_code == 0
    result = cachestorm("audit", cache)
    assert (result.exit_code, result.stdout.splitlines()[-1]) == (0, "no residue")
    assert (cache / "whole" / "file").read_text() == "x"
    assert sorted(set(os.listdir(cache)) - {".lock"}) == ["CACHEDIR.TAG", "archive-v0", "entry", "wheels-v1", "whole"]
