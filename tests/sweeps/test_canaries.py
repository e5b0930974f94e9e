"""A sweep that finds nothing must be able to find something: cleaners that are broken on purpose."""

from __future__ import annotations

import contextlib

import pytest

from cache_core import aftermath, removal
from tests.support.sweep_builds import recipe_of
from tests.support.sweeps import WHO, assert_report_is_right, clean_again, cleanings

pytestmark = pytest.mark.slow


def sweep(ground, state, action):
    """Kills or one error at each call, judged as the sweeps judge them."""
    recipe = recipe_of(ground, state)
    for before, played, step in cleanings(ground, recipe, WHO[0], action):
        if step and action != "kill" and played["cleaner"].error is None:
            assert_report_is_right(ground, before, played["cleaner"].result, played.struck)
        assert clean_again(ground).empty


@pytest.mark.parametrize(
    ("state", "action"), [("shut-directories", "kill"), ("shut-directories", "EIO"), ("ways-out", "EACCES")]
)
def test_the_shipped_cleaner_passes(ground, state, action):
    sweep(ground, state, action)


def test_modes_that_are_not_put_back_are_found(ground, monkeypatch):
    monkeypatch.setattr(removal, "put_back", lambda *_arguments, **_options: None)
    with pytest.raises(AssertionError, match="has mode"):
        sweep(ground, "shut-directories", "EIO")


def test_a_report_that_forgets_is_found(ground, monkeypatch):
    honest = aftermath.Aftermath.read_again
    monkeypatch.setattr(
        aftermath.Aftermath,
        "read_again",
        lambda self, *arguments, **options: (honest(self, *arguments, **options)[0][1:], True),
    )
    with pytest.raises(AssertionError):
        sweep(ground, "entries", "EBUSY")


def test_a_file_outside_that_is_given_bits_is_found(ground, monkeypatch):
    """As uv 0.13.9 and pip do when an unlink is refused."""
    refused = removal._Walk._unlink_refused

    def careless(self, level, fd, name, error):
        with contextlib.suppress(OSError):
            self._kernel.chmod(name, 0o666, dir_fd=fd)
        refused(self, level, fd, name, error)

    monkeypatch.setattr(removal._Walk, "_unlink_refused", careless)
    with pytest.raises(AssertionError):
        sweep(ground, "ways-out", "kill")


def test_a_second_run_that_overlooks_trash_is_found(ground, monkeypatch):
    monkeypatch.setattr("cache_core.job.KEPT_NAMES", ("CACHEDIR.TAG", ".gitignore", ".lock", ".cachestorm-trash"))
    with pytest.raises(AssertionError):
        sweep(ground, "entries", "kill")
