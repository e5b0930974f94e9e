"""The sandbox as it is before the first step."""

from __future__ import annotations

import os
import stat

from simulator.engine.paths import Relative
from simulator.exploration.start import observe


def test_all_that_the_shadow_asks_for(tmp_path):
    closed = tmp_path / "cache/closed"
    (closed / "inner").mkdir(parents=True)
    (closed / "inner/empty").touch()
    (tmp_path / "cache/file").write_bytes(b"content")
    os.link(tmp_path / "cache/file", closed / "inner/again")
    os.symlink("../file", closed / "relative")
    os.symlink(tmp_path / "cache/file", closed / "absolute")
    (closed / "inner").chmod(0)
    closed.chmod(0o200)

    start = observe(str(tmp_path), "cache")

    by_path = {item.path: item for item in start.found}
    assert set(by_path) == {
        "cache", "cache/file", "cache/closed", "cache/closed/inner", "cache/closed/relative", "cache/closed/absolute",
        "cache/closed/inner/empty", "cache/closed/inner/again",
    }  # fmt: skip
    assert (by_path["cache/closed"].mode, by_path["cache/closed/inner"].mode) == (0o200, 0)
    assert by_path["cache/closed/inner/empty"].empty
    assert by_path["cache/file"].identity == by_path["cache/closed/inner/again"].identity
    assert by_path["cache/closed/absolute"].target == "file"
    assert not isinstance(by_path["cache/closed/absolute"].target, Relative)
    assert by_path["cache/closed/relative"].target.name == "../file"
    # And nothing was left open.
    assert stat.S_IMODE(closed.lstat().st_mode) == 0o200
    closed.chmod(0o700)
    assert stat.S_IMODE((closed / "inner").lstat().st_mode) == 0
