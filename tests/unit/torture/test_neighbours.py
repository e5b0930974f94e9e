"""Whatever changes outside of the cache is seen."""

import os
from pathlib import Path

import pytest

from scenarios.states.place import Place
from simulator.torture import neighbours


@pytest.fixture
def place(tmp_path):
    made = Place(str(tmp_path / "stage"))
    os.makedirs(made.cache)
    made.make_outside()
    yield made
    for path in (made.root, f"{made.outside}/shut"):
        if os.path.isdir(path):
            os.chmod(path, 0o755)


def harm_of(place, action):
    before = neighbours.look(place)
    action()
    return neighbours.harm(before, neighbours.look(place))


def overwrite(path, data=b"x"):
    """With its times put back, as a careful liar would."""
    status = os.stat(path)
    with open(path, "r+b") as file:
        file.write(data)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_nothing(place):
    assert harm_of(place, lambda: None) == []


def test_what_happens_in_the_cache_is_no_harm(place):
    os.mkdir(f"{place.cache}/entry")
    os.link(f"{place.outside}/plain", f"{place.cache}/hard")

    def clean():
        os.unlink(f"{place.cache}/hard")
        os.rmdir(f"{place.cache}/entry")
        os.rmdir(place.cache)

    assert harm_of(place, clean) == []


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (lambda place: os.chmod(f"{place.outside}/read-only", 0o666), "outside/read-only: mode was 0444, is 0666"),
        (lambda place: os.chmod(f"{place.outside}/shut", 0o700), "outside/shut: mode was 0500, is 0700"),
        (lambda place: os.chmod(place.outside, 0o700), "outside: mode was 0755, is 0700"),
        (lambda place: os.chmod(place.root, 0o700), ".: mode was 0755, is 0700"),
        (lambda place: overwrite(f"{place.outside}/plain"), "outside/plain: content is another"),
        (lambda place: os.utime(f"{place.outside}/plain", (0, 0)), "outside/plain: was written to"),
        (lambda place: os.mkdir(f"{place.root}/trash"), "trash: is new"),
        (lambda place: os.unlink(f"{place.outside}/plain"), "outside/plain: is gone"),
        (lambda place: open(f"{place.outside}/folder/new", "w").close(), "outside/folder/new: is new"),
        (lambda place: os.rename(f"{place.outside}/folder", f"{place.root}/f"), "outside/folder/deep/kept: is gone"),
    ],
)
def test_each_change(place, action, told):
    os.chmod(place.root, 0o755)
    assert told in harm_of(place, lambda: action(place))


def test_a_file_that_became_a_link(place):
    def exchange():
        os.unlink(f"{place.outside}/plain")
        os.symlink("secret", f"{place.outside}/plain")

    assert "outside/plain: was a file, is a symbolic link" in harm_of(place, exchange)


def test_a_link_that_leads_elsewhere(place):
    def exchange():
        os.unlink(f"{place.outside}/link")
        os.symlink("shut", f"{place.outside}/link")

    assert "outside/link: content is another" in harm_of(place, exchange)


def test_another_inode_with_the_same_content(place):
    """Whoever replaced it may have cut a hard link."""

    def replace():
        path = f"{place.outside}/plain"
        status, text = os.stat(path), Path(path).read_bytes()
        os.unlink(path)
        with open(path, "wb") as file:
            file.write(text)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    assert "outside/plain: is another file" in harm_of(place, replace)


def test_what_follows_from_other_harm_is_told_last(place):
    lines = harm_of(place, lambda: os.unlink(f"{place.outside}/plain"))
    assert lines == ["outside/plain: is gone", "outside: was written to"]


def test_names_are_shown_escaped(place):
    assert harm_of(place, lambda: os.mkdir(f"{place.root}/new\n\x1b[2J"))[0] == r"new\n\x1b[2J: is new"
