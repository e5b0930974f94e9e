"""Holds recorded steps against the calls that strace saw: each step has its call, each call its step, in order.

A step is exactly one call with the step's operation, path, target, mode and errno, and with the result that the step
says it had. The rules for what is not one call, with their reasons:

- A *listing* is what the C library makes of it: for a path an open of its own, for a descriptor a duplicate (so that
  closing the listing does not close the actor's), then questions about that descriptor alone, getdents64 until it
  says 0 (or ENOENT, for a directory that is gone), and its close. No other call can come in between: it is one step.
- *mount-id* reads a line of /proc/self/fdinfo, which is not on the sandbox; its open names the descriptor.
- *kill* and *exit* are the end of a process: every descriptor of the actor is closed, and nothing else is done.
- *dup* gives a copy of a descriptor to another actor, who is its target: what a fork does for all of them.
- *build-error* is a program that fails by itself: no call.
- An errno injected *before* the effect (``injected``): no call. *After* it (``fault``): the call succeeds, whatever
  the actor is told; a descriptor that the actor never learns of is closed again. *Short*: one write, of less.
- A *flock* that has to wait is tried with LOCK_NB and fails with EAGAIN: a step like any other; a *stall* makes none.
- A *create* that keeps what is there (O_CREAT alone) does not tell whether there was anything: the gate looks before.
- *chmod* through a pinned descriptor is fchmodat2(2), and where the system does not have it a second call through
  /proc/self/fd.

Paths are compared as absolute ones, a descriptor standing for the path that it was opened by. Which descriptors there
are, and whose, is followed here from the calls alone.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from simulator.tools.strace_calls import Place, UnknownCallError, call_of

LISTINGS = ("listdir", "scandir")
OPENS = ("open", "opendir", "create", "create-excl")
# What the C library may ask, each once, before, between and after the getdents64 of one listing.
_ABOUT_A_LISTING = frozenset({"fstat", "F_GETFL", "F_SETFD", "lseek"})


class Held(NamedTuple):
    """A descriptor of an actor, and the path that it was opened by."""

    actor: str
    path: str


class DifferenceFoundError(Exception):
    """A step without its call, a call without its step."""


def differences(log, steps):
    """What strace saw and the trace does not say, or the other way round: the first difference of each part.

    Args:
        log: as `read_log` returns it.
        steps: lines of a trace with `detail`, all rounds.

    Returns:
        Sentences; none when there is a step for each call and a call for each step.
    """
    found = []
    done = 0
    for part in log.parts:
        difference = part_difference(part, steps[done : part.steps], f"{log.sandbox}/{part.round}/cache")
        found += [difference] if difference else []
        done = part.steps
    if done < len(steps):
        found.append(f"{len(steps) - done} steps were recorded when nobody could move")
    return found


def part_difference(part, steps, cache):
    """The first difference within a part, or None."""
    match = Match(part.lines, cache)
    try:
        for step in steps:
            match.step(step)
        match.end()
    except DifferenceFoundError as difference:
        return str(difference)
    return None


class Match:
    """A place in the calls, and what is open there.

    Args:
        lines: the calls of one part.
        cache: absolute path that the steps' paths are relative to.
    """

    def __init__(self, lines, cache):
        self._lines = lines
        self._cache = cache
        self._at = 0
        self._open = {}

    def step(self, step):
        """Go past the calls of one step."""
        actor, operation = step["actor"], step["operation"]
        if step.get("injected") or operation == "build-error":
            return
        after = step.get("fault") == "after"
        expected = None if after else step["errno"]
        if operation in ("kill", "exit"):
            self._end_of(step)
        elif operation in LISTINGS:
            self._listing(step, expected)
        elif operation == "dup":
            self._copy(step)
        else:
            self._skip_look_of_the_gate(operation)
            call = self._one_call(step, expected)
            self._keep_books(actor, call)
            if after and operation in OPENS:
                closing = self._take(step)
                self._require(closing.operation == "close" and closing.place.fd == call.result, step, closing)
                self._keep_books(actor, closing)

    def end(self):
        """Nothing may be left.

        Raises:
            DifferenceFoundError: calls without a step, or descriptors that no step closed.
        """
        if self._at < len(self._lines):
            left = len(self._lines) - self._at
            raise DifferenceFoundError(f"{left} calls after the last step, first {self._lines[self._at].text}")
        if self._open:
            raise DifferenceFoundError(f"still open at the end: {self._open}")

    # What a step is made of.

    def _skip_look_of_the_gate(self, operation):
        if operation != "create" or self._at + 1 >= len(self._lines):
            return
        look, opening = self._lines[self._at], self._lines[self._at + 1]
        keeps = "O_CREAT" in opening.text and not any(flag in opening.text for flag in ("O_EXCL", "O_TRUNC"))
        if look.name == "newfstatat" and keeps and _place_in(look) == _place_in(opening):
            self._at += 1

    def _one_call(self, step, expected):
        call = self._take(step)
        if step["operation"] == "chmod" and call.errno in ("ENOSYS", "EPERM") and "/proc/self/fd/" in self._next_text():
            call = self._take(step)
        self._require(call.operation == step["operation"], step, call)
        self._require(call.errno == expected, step, call)
        self._require(self._path(call.place, step, call) == self._shown(step["path"]), step, call)
        self._require(self._target(call, step) == self._recorded_target(step), step, call)
        # chmod may be given a whole st_mode; the kernel takes these bits of it.
        mode = None if call.mode is None else f"{call.mode & 0o7777:04o}"
        self._require(mode == step["mode"], step, call)
        # Of a call whose effect took place behind its actor's back, nothing was returned.
        returned = None if step["errno"] else self._text(call.detail)
        self._require(returned == step["detail"], step, call)
        return call

    def _listing(self, step, expected):
        first = self._take(step)
        by_path = step["operation"] == "listdir"
        self._require(first.operation == ("opendir" if by_path else "F_DUPFD_CLOEXEC"), step, first)
        self._require(self._path(first.place, step, first) == self._shown(step["path"]), step, first)
        error, entries = first.errno, 0
        if error is None:
            error, entries = self._entries(step, first.result)
        self._require(error == expected, step, first)
        # All but `.` and `..`; a directory that is gone has not even those.
        names = None if step["errno"] else max(0, entries - 2)
        recorded = len(step["detail"]) if isinstance(step["detail"], list) else step["detail"]
        self._require((None, None, names) == (step["target"], step["mode"], recorded), step, first)

    def _copy(self, step):
        call = self._take(step)
        self._require(call.operation == "F_DUPFD_CLOEXEC" and call.errno == step["errno"], step, call)
        path = self._path(call.place, step, call)
        self._require(path == self._shown(step["path"]), step, call)
        self._open[call.result] = Held(step["target"], path)

    def _entries(self, step, fd):
        """Go through a listing to its close. Returns its errno and how many entries it had."""
        entries, error, asked = 0, "unfinished", set()
        while True:
            call = self._take(step)
            self._require(call.place.fd == fd, step, call)
            if call.operation == "close":
                # The C library looks at what it was given before it lists it.
                return ("ENOTDIR" if error == "unfinished" else error), entries
            if call.operation == "getdents64":
                self._require(error == "unfinished", step, call)
                entries += call.detail or 0
                if call.result <= 0:
                    error = None if call.errno == "ENOENT" else call.errno
            else:
                self._require(call.operation in _ABOUT_A_LISTING - asked, step, call)
                asked.add(call.operation)

    def _end_of(self, step):
        own = {fd for fd, held in self._open.items() if held.actor == step["actor"]}
        said = (step["target"], step["mode"], step["errno"], step["path"], step["detail"])
        if said != (None, None, None, ".", len(own)):
            raise DifferenceFoundError(f"{_words(step)}: the end of an actor that has {own} is recorded as {said}")
        while own:
            call = self._take(step)
            self._require(call.operation == "close" and call.errno is None and call.place.fd in own, step, call)
            own.remove(call.place.fd)
            self._keep_books(step["actor"], call)

    # The calls.

    def _take(self, step):
        if self._at == len(self._lines):
            raise DifferenceFoundError(f"{_words(step)}: no call is left for it")
        line = self._lines[self._at]
        self._at += 1
        try:
            return call_of(line)
        except UnknownCallError:
            raise DifferenceFoundError(
                f"{_words(step)}: here was a call that the kernel never makes: {line.text}"
            ) from None

    def _next_text(self):
        return self._lines[self._at].text if self._at < len(self._lines) else ""

    def _keep_books(self, actor, call):
        if call.errno is not None:
            return
        if call.operation in OPENS:
            self._open[call.result] = Held(actor, self._path(call.place, None, call))
        elif call.operation == "close":
            del self._open[call.place.fd]

    @staticmethod
    def _require(holds, step, call):
        if not holds:
            raise DifferenceFoundError(f"{_words(step)}: not what was called here: {call.text}")

    # Paths, all absolute.

    def _shown(self, path):
        return os.path.normpath(f"{self._cache}/{path}")

    def _path(self, place, step, call):
        if place.fd is None:
            # A relative one would depend on where the program was started: it stays relative, and is never equal.
            return os.path.normpath(place.name)
        held = self._open.get(place.fd)
        if held is None or (step is not None and held.actor != step["actor"]):
            raise DifferenceFoundError(f"{_words(step)}: a descriptor that this actor does not have: {call.text}")
        return os.path.normpath(f"{held.path}/{place.name}")

    def _target(self, call, step):
        return self._path(call.target, step, call) if isinstance(call.target, Place) else self._text(call.target)

    def _recorded_target(self, step):
        target = step["lock"] if step["operation"] == "flock" else step["target"]
        return self._shown(target) if step["operation"] in ("rename", "link") else target

    def _text(self, text):
        """What a link says, as a trace shows it: relative to the cache if it is an absolute path in there."""
        return text.removeprefix(f"{self._cache}/") if isinstance(text, str) else text


def _place_in(line):
    """What a call is made on, as strace has it: a descriptor with its path, and a name."""
    return line.text.partition("(")[2].split(", ")[:2]


def _words(step):
    """A step as people read it."""
    if step is None:
        return "no step"
    number, actor, operation, path = (step[key] for key in ("step", "actor", "operation", "path"))
    return f"step {number} ({actor} {operation} {path}{' -> ' + step['errno'] if step['errno'] else ''})"
