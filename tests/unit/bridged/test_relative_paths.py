"""A path relative to the working directory is inside where it leads there, whatever makes the call."""

from __future__ import annotations

import os
import pathlib
import shutil

import pytest

import simulator
from simulator.bridged.bridge import Watch, lexical
from tests.support.bridged import Bridged

ROOT = "/dev/shm/box"


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("/dev/shm/box", ROOT),
        ("/dev/shm/./box", ROOT),
        ("//dev/shm/box/", f"{ROOT}/"),
        ("/home/../dev/shm/box/cache/a", f"{ROOT}/cache/a"),
        ("/../../dev/shm/box/cache/a/../b/", f"{ROOT}/cache/a/../b/"),
        ("/dev/shm/other/../box/cache/.x", f"{ROOT}/cache/.x"),
        ("/dev/shm/boxes/x", None),
        ("/dev/shm/boxes/../x", None),
        ("/dev/shm/x/box/..", None),
        ("/home/.config//x", None),
        ("/..", None),
    ],
)
def test_where_a_path_leads_by_what_is_written(path, inside):
    assert lexical(path, ROOT) == inside


def test_what_a_watch_has(tmp_path, monkeypatch):
    box, beside = tmp_path / "box", tmp_path / "beside"
    for folder in (box, beside):
        folder.mkdir()
    watch = Watch(str(box))
    monkeypatch.chdir(beside)
    assert watch.has("../box/x") == f"{box}/x"
    assert watch.has(pathlib.Path("../box")) == str(box)
    assert watch.has(b"./../box/./x") == f"{box}/./x"
    assert watch.has("x") is watch.has("../boxes") is watch.has("..") is watch.has(3) is None
    monkeypatch.chdir(box)
    assert watch.has("x") == f"{box}/x"
    assert watch.has(".") == f"{box}/."


def by_os(path):
    os.mkdir(path("d"))
    os.rename(path("d"), path("e"))
    fd = os.open(path("f"), os.O_CREAT | os.O_WRONLY)
    os.close(fd)
    os.symlink("f", path("l"))
    assert os.readlink(path("l")) == "f"
    assert os.listdir(path("")) == ["e", "f", "l"]
    with os.scandir(path("")) as entries:
        assert [(entry.path, entry.is_file()) for entry in entries][1] == (os.path.join(path(""), "f"), True)
    with pytest.raises(FileNotFoundError):
        os.unlink(path("none"))


def by_open(path):
    with open(path("f"), "w") as file:
        file.write("x")
    with open(path("f")) as file:
        assert file.read() == "x"


def by_pathlib(path):
    folder = pathlib.Path(path("d"))
    folder.mkdir()
    (folder / "f").write_text("x")
    assert [item.relative_to(folder).name for item in folder.iterdir()] == ["f"]
    assert [item.relative_to(folder).name for item in folder.glob("*")] == ["f"]
    (folder / "f").unlink()
    folder.rmdir()


def by_shutil(path):
    os.makedirs(path("d/e"))
    shutil.copytree(path("d"), path("c"))
    shutil.move(path("c"), path("m"))
    shutil.rmtree(path("d"))


FUNCTIONS = [by_os, by_open, by_pathlib, by_shutil]


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_steps_are_those_of_absolute_paths(tmp_path, function):
    absolute = Bridged(tmp_path / "one", lambda directory: function(lambda name: os.path.join(directory, name))).run()
    relative = Bridged(
        tmp_path / "two", lambda directory: function(lambda name: os.path.join(os.path.relpath(directory), name))
    ).run()
    absolute.result()
    relative.result()
    assert relative.told == absolute.told
    assert relative.told
    assert not relative.watch.outside


def test_what_came_from_elsewhere_is_not_taken_for_a_file_of_the_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "value").write_text("x")

    def takes(directory):
        os.link("value", f"{directory}/linked")
        os.rename("value", f"{directory}/renamed")

    run = Bridged(tmp_path / "run", takes).run()
    run.result()
    assert run.told == ["link <outside>", "rename <outside>"]


def test_actors_meet_there():
    def make(directory):
        os.mkdir(os.path.relpath(directory) + "/x")

    found = simulator.explore(actors=[make, make])
    assert found.runs == 2
    assert not found.notes or "permission bits" in found.notes[0]
    assert "make-2 raised FileExistsError" in found.told()
