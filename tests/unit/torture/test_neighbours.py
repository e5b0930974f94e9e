"""Whatever changes outside of the cache is seen."""

import os
from pathlib import Path

import pytest

from cache_core.removal import remove_tree
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
    return neighbours.harm(before, place)


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


def rewrite_and_put_back(place):
    path = f"{place.outside}/plain"
    text = Path(path).read_bytes()
    overwrite(path, b"X")
    overwrite(path, text[:1])


@pytest.mark.parametrize(
    ("action", "told"),
    [
        (rewrite_and_put_back, "outside/plain: was changed and put back"),
        (lambda place: [os.chmod(f"{place.outside}/shut", mode) for mode in (0o700, 0o500)],
         "outside/shut: was changed and put back"),
        (lambda place: os.setxattr(f"{place.outside}/plain", "user.mark", b"1"),
         "outside/plain: extended attributes are others"),
        (lambda place: os.link(f"{place.outside}/plain", f"{place.cache}/kept"),
         "outside/plain: has another name elsewhere"),
        (lambda place: os.truncate(f"{place.outside}/plain", 1 << 40), "outside/plain: content is another"),
        (lambda place: os.mkdir(place.aside), "aside: is new"),
    ],
)  # fmt: skip
def test_what_a_careful_one_tries(place, action, told):
    assert told in harm_of(place, lambda: action(place))


def test_a_directory_that_could_not_be_written_was(place):
    os.chmod(place.root, 0o555)

    def clean():
        os.chmod(place.root, 0o755)
        os.rmdir(place.cache)
        os.chmod(place.root, 0o555)

    assert harm_of(place, clean) == [".: was made writable for a moment: else the cache could not have gone"]


def test_what_is_gone_cannot_be_looked_at(place):
    told = harm_of(place, lambda: remove_tree(place.root))
    assert told == ["what is outside cannot be looked at any more: No such file or directory"]


def test_what_is_shut_cannot_be_looked_at(place):
    told = harm_of(place, lambda: os.chmod(place.outside, 0))
    assert told == ["what is outside cannot be looked at any more: Permission denied"]
    os.chmod(place.outside, 0o755)


def test_what_is_too_deep_cannot_be_looked_at(place):
    def dig():
        fd = os.open(place.outside, os.O_RDONLY)
        for _ in range(2_000):
            os.mkdir("d" * 200, dir_fd=fd)
            below = os.open("d" * 200, os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = below
        os.close(fd)

    assert harm_of(place, dig) == ["what is outside cannot be looked at any more: File name too long"]
    remove_tree(place.outside)


@pytest.mark.root
def test_another_owner(place):
    told = harm_of(place, lambda: os.chown(f"{place.outside}/plain", 1234, 4321))
    assert told == ["outside/plain: owner was 0:0, is 1234:4321"]


def test_very_much_is_told_in_part(place):
    told = harm_of(place, lambda: [os.mkdir(f"{place.outside}/folder/{number}") for number in range(300)])
    assert len(told) == 101
    assert told[-1].startswith("and ")
    assert told[-1].endswith(" more")
