"""Names stand for others while actors move, for actors only, wherever they were captured; then all is as it was."""

from __future__ import annotations

import builtins
import glob
import io
import os
import random
import shutil
import sys
import tempfile
import threading
import time
import types
from os import unlink

import greenlet
import pytest

from simulator.bridged.installed import names_in_place
from tests.support.bridged import Bridged


def make(path, mkdir=os.mkdir):
    mkdir(path)


def make_by_keyword(path, *, mkdir=os.mkdir):
    mkdir(path)


class Holder:
    remove = os.rmdir
    look = staticmethod(os.stat)


def everything():
    spaces = [vars(module) for module in (os, builtins, io, shutil, tempfile, glob, random, time)]
    spaces += [
        dict(vars(Holder)),
        {"unlink": unlink},
        {"defaults": (make.__defaults__, make_by_keyword.__kwdefaults__)},
    ]
    return [{name: value for name, value in space.items() if not isinstance(value, set)} for space in spaces]


def supported():
    return [set(getattr(os, name)) for name in ("supports_dir_fd", "supports_fd", "supports_follow_symlinks")]


def test_captured_names_are_steps(tmp_path):
    def actor(directory):
        make(f"{directory}/a")
        make_by_keyword(f"{directory}/b")
        Holder().look(f"{directory}/a")
        Holder.remove(f"{directory}/b")
        open(f"{directory}/f", "w").close()
        unlink(f"{directory}/f")

    run = Bridged(tmp_path, actor).run()
    run.result()
    assert run.told == ["mkdir a", "mkdir b", "stat a", "rmdir b", "create f", "close f", "unlink f"]


def test_afterwards_all_is_as_it_was(tmp_path):
    before, sets = everything(), supported()
    Bridged(tmp_path, lambda directory: os.mkdir(f"{directory}/d")).run()
    assert all(now == was for now, was in zip(everything(), before, strict=True))
    assert supported() == sets


def test_also_when_it_ends_badly():
    before = everything()
    with pytest.raises(ZeroDivisionError), names_in_place(), names_in_place():
        raise ZeroDivisionError
    assert everything() == before


def test_only_actors_are_told_otherwise(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    seen = {}

    def elsewhere(where):
        with os.scandir(outside) as entries, open(outside / where, "w") as file:
            seen[where] = (os.getpid(), type(entries).__name__, type(file.buffer.raw).__name__)

    def actor(directory):
        with os.scandir(directory) as entries, open(f"{directory}/f", "w") as file:
            seen["actor"] = (os.getpid(), type(entries).__name__, type(file.buffer.raw).__name__)
        for run in (
            threading.Thread(target=elsewhere, args=("thread",)),
            greenlet.greenlet(lambda: elsewhere("greenlet")),
        ):
            (run.start if isinstance(run, threading.Thread) else run.switch)()
            if isinstance(run, threading.Thread):
                run.join()

    with names_in_place():
        elsewhere("host")
        Bridged(tmp_path / "run", actor).run().result()
    assert seen["actor"] == (1001, "GatedListing", "GatedFile")
    real = (os.getpid(), "ScandirIterator", "FileIO")
    assert seen["host"] == seen["thread"] == seen["greenlet"] == real


def test_what_the_system_supports_is_still_said(tmp_path):
    def actor(directory):
        return [
            os.rmdir in os.supports_dir_fd, os.scandir in os.supports_fd, os.stat in os.supports_follow_symlinks,
            shutil.rmtree.avoids_symlink_attacks, os.readlink in os.supports_fd,
        ]  # fmt: skip

    assert Bridged(tmp_path, actor).run().result() == [True, True, True, True, False]


def test_a_class_makes_no_method_of_it(tmp_path):
    def actor(directory):
        class Local:
            look = os.listdir

        return Local().look(directory)

    assert Bridged(tmp_path, actor).run().result() == []


def test_modules_that_are_not_modules_are_left_alone(monkeypatch):
    monkeypatch.setitem(sys.modules, "not_a_module", types.SimpleNamespace(unlink=os.unlink))
    with names_in_place():
        assert sys.modules["not_a_module"].unlink is unlink.__wrapped__
