"""Cleaners by name and as command lines; what is none is refused in one line."""

import os
import sys

import pytest
import trio

from simulator.errors import BadInputError
from simulator.torture.cleaners import DEFAULT, find_cleaners, known_names


def find(*names):
    return trio.run(find_cleaners, names, lambda line: None)


def refused(name):
    with pytest.raises(BadInputError) as caught:
        find(name)
    assert caught.value.value == name
    assert "\n" not in caught.value.message
    return caught.value.message


def test_the_usual_ones():
    found = find(*DEFAULT)
    assert [cleaner.name for cleaner in found] == ["hardened", "rm", "find", "rmtree"]
    for cleaner in found:
        command = cleaner.command("/a cache")
        assert os.path.isabs(command[0])
        assert "/a cache" in command


def test_ours_is_the_command_with_its_defaults():
    (ours,) = find("hardened")
    assert ours.command("/cache")[-2:] == ["clean", "/cache"]
    assert set(ours.variables) == {"PYTHONPATH"}


def test_models_are_programs():
    names = [name for name in known_names() if name.startswith("model:")]
    assert len(names) >= 2
    for cleaner in find(*names):
        assert cleaner.command("/cache") == [sys.executable, "-m", "simulator.torture.model", cleaner.name, "/cache"]


def test_a_command_line_is_split_as_a_shell_would():
    (cleaner,) = find("sh -c 'rm -r \"$1\"/*' sh {cache}")
    assert cleaner.command("/c")[1:] == ["-c", 'rm -r "$1"/*', "sh", "/c"]
    (within,) = find("env A=1 --dir={cache}/x {cache}")
    assert within.command("/c")[1:] == ["A=1", "--dir=/c/x", "/c"]


def test_nothing_is_expanded():
    (cleaner,) = find("echo $HOME * ~ {cache}")
    assert cleaner.command("/c")[1:] == ["$HOME", "*", "~", "/c"]


def test_a_relative_program_is_meant_from_here(tmp_path, monkeypatch):
    (tmp_path / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "tool").chmod(0o755)
    monkeypatch.chdir(tmp_path)
    (cleaner,) = find("./tool {cache}")
    assert cleaner.command("/c") == [str(tmp_path / "tool"), "/c"]


def test_the_same_twice_is_once():
    assert [cleaner.name for cleaner in find("rm", "find", "rm")] == ["rm", "find"]


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("nowhere-to-be-found {cache}", "the program 'nowhere-to-be-found' does not exist"),
        ("/nowhere/tool {cache}", "the program '/nowhere/tool' does not exist"),
        ("/etc/passwd {cache}", "the program '/etc/passwd' cannot be executed"),
        ("/ {cache}", "the program '/' cannot be executed"),
        ("rm -rf", "has no {cache}"),
        ("rm -rf {Cache}", "has no {cache}"),
        ("rm 'unbalanced {cache}", "no closing quotation"),
        ("", "is empty"),
        ("  ", "is empty"),
        ("hardend", "unknown cleaner 'hardend'; nearest: hardened"),
        ("uv=0.1.42", "unknown cleaner 'uv=0.1.42'"),
    ],
)
def test_what_is_no_cleaner(name, told):
    assert told in refused(name)


def test_what_can_be_refused_is_before_anything_is_fetched():
    with pytest.raises(BadInputError):
        find("uv==0.1.42", "nowhere-to-be-found {cache}")
