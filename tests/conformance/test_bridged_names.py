"""Plain code is told the same under the gate as it is without: values, errors, and what it leaves behind."""

from __future__ import annotations

import os
import pathlib
import stat

import pytest

from tests.support.bridged import Bridged
from tests.support.plain_code import ALL, told


def left_in(directory):
    found = {}
    for at, names, files in os.walk(directory):
        for name in names + files:
            path = f"{at}/{name}"
            status = os.lstat(path)
            content = pathlib.Path(path).read_bytes() if stat.S_ISREG(status.st_mode) else b""
            found[os.path.relpath(path, directory)] = (stat.filemode(status.st_mode), content)
    return found


@pytest.mark.parametrize("name", ALL)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_the_same_as_without_a_gate(tmp_path, name):
    function = ALL[name]
    plain = tmp_path / "plain" / "cache"
    plain.mkdir(parents=True)
    expected = told(str(plain), function(str(plain)))
    bridged = Bridged(tmp_path / "gated", function).run()
    assert told(bridged.directory, bridged.result()) == expected
    assert left_in(bridged.directory) == left_in(plain)
    assert len(bridged.steps) > len(expected) / 4
    assert not bridged.watch.problems
    assert not bridged.watch.outside


@pytest.mark.parametrize("name", ALL)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_twice_is_the_same(tmp_path, name):
    one, two = (Bridged(tmp_path / place, ALL[name], ALL["by_flock"]).run().steps for place in ("one", "two"))
    assert one == two
