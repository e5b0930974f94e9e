"""The same small races for three tools: actors as plain functions, what is there before, and what is wrong after.

An actor calls its `Files`, whose methods are `os` and `open` and nothing else; an error's name is a result, so every
actor comes to its end and says what it saw. The comments name the places at which frontrun's marker search may switch.
For asyncio the very same functions are compiled with every call awaited (`awaited`): nobody wrote them twice.

Python 3.10 and its library only: this module runs in the peers' interpreter too.
"""

from __future__ import annotations

import ast
import errno
import functools
import inspect
import os
import re
import shutil
import types
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

MARKER = re.compile(r"# frontrun: (\w+)")


def told(call):
    """A call that returns the name of its error."""

    @functools.wraps(call)
    def made(*arguments):
        try:
            return call(*arguments)
        except OSError as error:
            return errno.errorcode[error.errno]

    return made


class Memory:
    """What actors share besides files."""

    def __init__(self):
        self.value = 0


class Files:
    """What one actor sees of a directory; paths are in it.

    Attributes:
        name: of the actor.
        memory: the same object for all actors of a run.
        results: what the actor returned.
    """

    def __init__(self, top, name, memory):
        self.top, self.name, self.memory, self.results = top, name, memory, None

    @told
    def exists(self, path):
        return os.path.exists(f"{self.top}/{path}")

    @told
    def mkdir(self, path):
        os.mkdir(f"{self.top}/{path}")

    @told
    def rmdir(self, path):
        os.rmdir(f"{self.top}/{path}")

    @told
    def create(self, path):
        with open(f"{self.top}/{path}", "x"):
            pass

    @told
    def unlink(self, path):
        os.unlink(f"{self.top}/{path}")

    @told
    def list(self, path):
        return sorted(os.listdir(f"{self.top}/{path}"))

    @told
    def read(self, path):
        with open(f"{self.top}/{path}") as file:
            return file.read()

    @told
    def write(self, path, text):
        with open(f"{self.top}/{path}", "w") as file:
            file.write(text)

    def rest(self):
        """Nothing; for asyncio a place to switch, as every call is."""


# Actors.


def make_if_absent(files):
    there = files.exists("d")  # frontrun: look
    return [there, None if there else files.mkdir("d")]  # frontrun: make


def read_if_there(files):
    there = files.exists("f")  # frontrun: look
    return [there, files.read("f") if there else None]  # frontrun: read


def remove(files):
    return [files.unlink("f")]  # frontrun: unlink


def store(files):
    made = files.mkdir("d")  # frontrun: make
    return [made, files.create("d/f")]  # frontrun: create


def sweep(files):
    return [files.rmdir("d")]  # frontrun: rmdir


def build(files):
    made = files.mkdir("d")  # frontrun: make
    created = files.create("d/f")  # frontrun: create
    return [made, created, files.unlink("d/f")]  # frontrun: unlink


def clean(files):
    listed = files.list("d")  # frontrun: list
    removed = files.unlink("d/f") if "f" in listed else None  # frontrun: unlink
    return [listed, removed, files.rmdir("d")]  # frontrun: rmdir


def add_in_file(files):
    text = files.read("n")  # frontrun: read
    return [files.write("n", text + "x")]  # frontrun: write


def add_in_memory(files):
    files.rest()
    value = files.memory.value  # frontrun: read
    files.rest()
    files.memory.value = value + 1  # frontrun: write
    return []


def add_between_calls(files):
    files.mkdir(files.name)  # frontrun: make
    value = files.memory.value  # frontrun: read
    files.rmdir(files.name)  # frontrun: remove
    files.memory.value = value + 1  # frontrun: write
    return []


def work_apart(files):
    made = files.mkdir(files.name)  # frontrun: make
    created = files.create(f"{files.name}/f")  # frontrun: create
    return [made, created, files.unlink(f"{files.name}/f")]  # frontrun: unlink


class Run(NamedTuple):
    """What came of one.

    Attributes:
        results: of the actors, in their order.
        left: paths in the directory, with the text of files and None for directories.
        value: what the memory holds.
    """

    results: list
    left: dict
    value: int


# What is wrong with a run: a sentence, or None.


def second_mkdir(run):
    return "an actor that saw no directory could not make it" if [False, "EEXIST"] in run.results else None


def gone_before_read(run):
    return "the file that was there could not be read" if run.results[0] == [True, "ENOENT"] else None


def gone_before_create(run):
    return "the directory that was made is gone" if run.results[0] == [None, "ENOENT"] else None


def build_hurt(run):
    hurt = any("ENOENT" in build for build in run.results[:2])
    return "a build lost its directory or its file" if hurt else None


def lost_in_file(run):
    return None if run.left["n"] == "xx" else f"after two additions the file holds {run.left['n']!r}"


def lost_in_memory(run):
    return None if run.value == 2 else f"after two additions the value is {run.value}"


def nothing_wrong(run):
    return None if all(result == [None] * 3 for result in run.results) else "an actor met another"


def nothing(_):
    pass


def a_file(name):
    def lay(top):
        with open(f"{top}/{name}", "w"):
            pass

    return lay


@dataclass(frozen=True)
class Subject:
    """One race, or one that is none.

    Attributes:
        name: of it.
        title: what happens in it.
        actors: who takes part.
        wrong: what is wrong with a `Run`, or None.
        lay: makes what is there before.
        racy: whether there is anything to find.
    """

    name: str
    title: str
    actors: tuple[Callable, ...]
    wrong: Callable
    lay: Callable = nothing
    racy: bool = True


SUBJECTS = {
    subject.name: subject
    for subject in (
        Subject("mkdir", "two look for a directory and make it", (make_if_absent,) * 2, second_mkdir),
        Subject("unlink", "one looks for a file and reads it, one unlinks it", (read_if_there, remove),
                gone_before_read, a_file("f")),
        Subject("rmdir", "one makes a directory and a file in it, one removes empty directories", (store, sweep),
                gone_before_create),
        Subject("builds", "two builds make a directory, make a file, unlink it; a cleaner lists, unlinks, removes",
                (build, build, clean), build_hurt),
        Subject("file counter", "two read a file and write it with an `x` more", (add_in_file,) * 2, lost_in_file,
                a_file("n")),
        Subject("memory counter", "two read a value in memory and write it with one more", (add_in_memory,) * 2,
                lost_in_memory),
        Subject("memory and files", "the same, each with calls on a directory of its own in between",
                (add_between_calls,) * 2, lost_in_memory),
        Subject("apart", "two make a directory, make a file, unlink it, each in a place of its own",
                (work_apart,) * 2, nothing_wrong, racy=False),
    )
}  # fmt: skip


def names_of(subject):
    """Of the actors, in order."""
    return [f"actor-{number}" for number in range(1, len(subject.actors) + 1)]


def markers_of(actor):
    """The names in its comments, in order."""
    return MARKER.findall(inspect.getsource(actor))


class Stage:
    """A directory in which a subject is played again and again."""

    def __init__(self, subject, top):
        self.subject, self.top, self.memory = subject, top, Memory()

    def set(self):
        """A fresh one; the actors' `Files`."""
        shutil.rmtree(self.top, ignore_errors=True)
        os.mkdir(self.top)
        self.subject.lay(self.top)
        self.memory = Memory()
        return [Files(self.top, name, self.memory) for name in names_of(self.subject)]

    def run(self, everybody):
        """What came of `Files` with results."""
        return Run([files.results for files in everybody], contents(self.top), self.memory.value)


def contents(top):
    """Paths below `top` with the text of files, None for directories."""
    found = {}
    for directory, names, files in os.walk(top):
        below = os.path.relpath(directory, top)
        found.update((os.path.normpath(f"{below}/{name}"), None) for name in names)
        for name in files:
            with open(f"{directory}/{name}") as file:
                found[os.path.normpath(f"{below}/{name}")] = file.read()
    return dict(sorted(found.items()))


# For asyncio.


class _Awaiting(ast.NodeTransformer):
    def visit_FunctionDef(self, node):
        self.generic_visit(node)
        return ast.copy_location(ast.AsyncFunctionDef(**dict(ast.iter_fields(node))), node)

    def visit_Call(self, node):
        self.generic_visit(node)
        return ast.copy_location(ast.Await(node), node)


def awaited(actor):
    """The actor as a coroutine function: the same source with every call awaited."""
    lines, first = inspect.getsourcelines(actor)
    tree = _Awaiting().visit(ast.parse("".join(lines)))
    ast.increment_lineno(tree, first - 1)
    code = compile(ast.fix_missing_locations(tree), actor.__code__.co_filename, "exec")
    names = dict(actor.__globals__)
    exec(code, names)  # noqa: S102 - a function of this file
    return names[actor.__name__]


class Awaited:
    """`Files` whose calls are awaited: first `wait()`, then the call in one go."""

    def __init__(self, files, wait):
        self._files, self._wait = files, wait

    def __getattr__(self, name):
        found = getattr(self._files, name)
        if not callable(found):
            return found

        async def made(*arguments):
            await self._wait()
            return found(*arguments)

        return made


# Without any tool.


@types.coroutine
def _turn():
    yield


def every_interleaving(subject, top):
    """Each order of whole calls, once, without any tool: (how many there are, their outcomes, how many are wrong)."""
    stage, actors = Stage(subject, top), [awaited(actor) for actor in subject.actors]
    path, outcomes, runs, wrong = [], set(), 0, 0
    while True:
        everybody = stage.set()
        waiting = {}
        for number, (actor, files) in enumerate(zip(actors, everybody, strict=True)):
            waiting[number] = actor(Awaited(files, _turn))
            waiting[number].send(None)
        place = 0
        while waiting:
            if place == len(path):
                path.append(sorted(waiting, reverse=True))
            _move(waiting, path[place][-1], everybody)
            place += 1
        run = stage.run(everybody)
        runs, wrong = runs + 1, wrong + (subject.wrong(run) is not None)
        outcomes.add(repr(run))
        while path and len(path[-1]) == 1:
            path.pop()
        if not path:
            return runs, outcomes, wrong
        path[-1].pop()


def _move(waiting, number, everybody):
    try:
        waiting[number].send(None)
    except StopIteration as end:
        everybody[number].results = end.value
        del waiting[number]
