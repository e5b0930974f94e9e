"""What the package offers: each name, loaded when it is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

import cache_core


@pytest.mark.parametrize("name", cache_core.__all__)
def test_each_name_that_is_offered_is_there(name):
    assert getattr(cache_core, name).__name__ == name
    assert name in dir(cache_core)


def test_a_star_import_gives_all_of_them():
    got = {}
    exec("from cache_core import *", got)
    assert got.keys() - {"__builtins__"} == set(cache_core.__all__)


def test_each_name_is_offered_and_none_is_hidden_by_a_module():
    names = [name for names in cache_core._ORIGINS.values() for name in names]
    assert sorted(names) == cache_core.__all__
    modules = {path.stem for path in Path(cache_core.__file__).parent.glob("*.py")}
    assert not modules & set(names)


def test_a_name_that_there_is_not():
    with pytest.raises(AttributeError, match="module 'cache_core' has no attribute 'clear'"):
        cache_core.clear  # noqa: B018
    with pytest.raises(ImportError):
        from cache_core import clear  # noqa: F401


def test_importing_the_package_loads_nothing_of_it():
    code = "import sys, cache_core; print(*(name for name in sys.modules if name.startswith('cache_core.')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
