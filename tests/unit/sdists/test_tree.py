"""The tree of an sdist: it lists, walks and globs as a real one does."""

import glob
import os

import pytest

from simulator.sdists.template import apply_template
from simulator.sdists.tree import ROOT, SourceTree

FILES = [
    *("a.py", "b.txt", ".hidden", "d/a.py", "d/e/b.txt", "d/e/.x", "d/.h/z.txt", "d/e/f/g.py", "[odd]/x.py"),
    *("-dash/y", "d2/a.py"),
]
PATTERNS = [
    "*",
    "*.py",
    "d*/*.py",
    "**",
    "**/*.txt",
    "d/**",
    "d/**/*.py",
    "d/e/*",
    "?.py",
    "[ab].*",
    "gone",
    "d",
    "d/gone/*",
    "*/*/b.txt",
    ".h*",
    "d/.h/*",
    "[[]odd]/*",
    "d/../*.py",
    "[!a].txt",
]


@pytest.fixture
def real(tmp_path, monkeypatch):
    for path in FILES:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text("")
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("recursive", [True, False])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_globs_as_the_real_one(real, pattern, recursive):
    # Of a directory the real one says that it is one, too; nobody here asks for those.
    expected = {path.rstrip("/") for path in glob.glob(pattern, recursive=recursive)}
    assert set(SourceTree(FILES).glob(pattern, recursive=recursive)) == expected


def test_walks_as_the_real_one(real):
    expected = [(path, sorted(directories), sorted(files)) for path, directories, files in os.walk("d")]
    assert sorted(SourceTree(FILES).walk("d")) == sorted(expected)


def test_looks_as_the_real_one(real):
    tree = SourceTree(FILES)
    for path in (".", "d", "d/e", "a.py", "gone", "d/../a.py", "./d/", "a.py/x"):
        assert tree.exists(path) is os.path.exists(path)
        assert tree.is_file(path) is os.path.isfile(path)
        assert tree.is_directory(path) is os.path.isdir(path)


def test_absolute_paths_are_inside_or_not_there():
    tree = SourceTree(FILES)
    assert tree.glob(f"{ROOT}/d/*.py") == [f"{ROOT}/d/a.py"]
    assert tree.normal(f"{ROOT}/d/../a.py") == "a.py"
    assert tree.normal("../a.py") is None
    assert not tree.exists("/etc/passwd")
    assert tree.glob("/etc/*") == []
    assert list(tree.walk("/etc")) == []


TEMPLATES = {
    "include": ("include *.py d/e/*", {"a.py", "d/e/b.txt", "d/e/.x"}),
    "include nothing": ("include gone", set()),
    "include a directory": ("include d", set()),
    "exclude": ("graft d\nexclude d/*.py", {"d/e/b.txt", "d/e/.x", "d/.h/z.txt", "d/e/f/g.py"}),
    "recursive-include": ("recursive-include d *.py *.txt", {"d/a.py", "d/e/b.txt", "d/.h/z.txt", "d/e/f/g.py"}),
    "recursive-exclude": ("graft d\nrecursive-exclude d *.py .*", {"d/e/b.txt", "d/.h/z.txt"}),
    "global-include": ("global-include b.*", {"b.txt", "d/e/b.txt"}),
    "global-exclude": ("graft d\nglobal-exclude *.[tp]*", {"d/e/.x"}),
    "graft by pattern": ("graft d*", {"d/a.py", "d/e/b.txt", "d/e/.x", "d/.h/z.txt", "d/e/f/g.py", "d2/a.py"}),
    "prune": ("graft d\nprune d/e\nprune d/.h", {"d/a.py"}),
    "order matters": ("prune d\ngraft d2", {"d2/a.py"}),
    "comments and continued lines": ("# nothing\n\ninclude a.py \\\n  b.txt # two\n", {"a.py", "b.txt"}),
    "what makes no sense": ("include\nnonsense a.py\nrecursive-include d\ngraft\n", set()),
    "a star stops at a slash": ("graft d\nexclude d/*", {"d/e/b.txt", "d/e/.x", "d/.h/z.txt", "d/e/f/g.py"}),
    "an open bracket": ("include [odd", set()),
    "not one of": ("include [!a].*", {"b.txt"}),
}


@pytest.mark.parametrize(("text", "expected"), TEMPLATES.values(), ids=TEMPLATES)
def test_templates(text, expected):
    files = set()
    apply_template(text, files, SourceTree(FILES))
    assert files == expected
