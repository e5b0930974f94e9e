"""Who does the work of a removal: one process, or several side by side.

A crew divides what is to go into units (`units`) and takes them one by one. It only helps: whoever asked for it looks
at the whole tree once more afterwards, alone, with the same code. So what a worker could not remove, did not come to
or left when it was killed is met again, and reported once; a crew of none gives the same result, later.

`ALONE` is the crew of library callers. `Forked` is for a command of our own: it forks, which a program with threads
must not do. The simulator has a third, whose workers are actors.

Guarantees of `Forked`: forks only when the process has one thread, more than one core, and more work than `divide`
can see the end of; each worker has a constant number of descriptors and holds the cache lock with us, so no build
starts before the last one ended, whatever becomes of us. A worker whose parent is gone, or that is told to stop,
puts modes back and ends. One that somebody stopped (SIGSTOP) is continued when nothing is left but to wait for it.
Not guaranteed: the count of the last few hundred entries of a worker that is killed.
Races that remain, numbered on from `trash`, and why they do no harm:

- Race 6: a directory is emptied by several workers in parts, and one of them puts its mode back while another is at
  work. That one repairs it again, or leaves the rest to the last look.
- Race 11: a directory is moved or replaced while a worker is in it or on the way to it: Races 1 to 3 for each worker.
- Race 12: a worker is killed. Modes that it had repaired stay repaired; the others and the last look do its work.
- Race 13: two links of one file go in two workers at once: each may see the other's, and its blocks are not counted.

Cost: a fork for each further core, some 2 ms, and a listing of up to 64 directories.
"""

from __future__ import annotations

import mmap
import os
import select

from cache_core.kernel import let_go
from cache_core.outcome import Options, Progress, Removal, nothing_but
from cache_core.pinned import Opener
from cache_core.privileges import has_one_thread
from cache_core.removal import remove_contents, remove_entries
from cache_core.units import UNITS_WANTED, Part, Unit, divide
from cache_core.values import replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Collection
    from typing import Protocol

    from cache_core.kernel import Kernel
else:
    # Its calls and numbers, without the names for these, which take longer to load than all of this package.
    import _signal as signal

    # What only a type checker reads.
    Protocol = object

_WORKERS_MAX = 8
# Each worker's numbers in a line of the cache of their own.
_LINE_NUMBERS = 8
_LINE_BYTES = 8 * _LINE_NUMBERS
_INDEX_BYTES = 4
_LOOK_SECONDS = 0.05
# So often we look after a worker that was told to stop, before it is ended: two seconds.
_PATIENCE_LOOKS = 40
# Entries between two looks at the numbers by others: some 5 ms.
_NOTED_EVERY = 512
_DEAF_TO = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Crew(Protocol):
    """Removes in advance what it can."""

    def help(self, root_fd: int, keep: Collection[str], *, kernel: Kernel, options: Options) -> Removal:
        """Remove some or most of what is in a directory, but for the names to `keep`; nothing is left by name.

        Args:
            root_fd: The directory, open for listing.
            keep: Names in it that are left alone.
            kernel: Where the calls go.
            options: How to remove; progress is told of all workers together.
        """


class Alone:
    """A crew of none."""

    def help(self, root_fd: int, keep: Collection[str], *, kernel: Kernel, options: Options) -> Removal:
        """Do nothing."""
        del root_fd, keep, kernel, options
        return nothing_but()


ALONE: Crew = Alone()


def remove_unit(
    unit: Unit, root_fd: int, keep: Collection[str], opener: Opener, *, kernel: Kernel, options: Options
) -> Removal:
    """Do one unit's work. What cannot be reached is left to the last look."""
    try:
        # Opened anew, the root as well: whoever shares a descriptor shares its place in a listing.
        fd = opener.descend(root_fd, list(unit.names) or ["."])
    except OSError:
        return nothing_but()
    try:
        if options.held:
            options = replace(options, held=_held_below("/".join(unit.names), options.held))
        if unit.below:
            return remove_entries(unit.below, dir_fd=fd, kernel=kernel, options=options)
        part = Part(unit.part, unit.parts, () if unit.names else keep)
        return remove_contents(fd, keep=part, kernel=kernel, options=options)
    finally:
        let_go(kernel, fd)


def _held_below(directory: str, held: Collection[str]) -> frozenset[str]:
    start = len(directory) + 1 if directory else 0
    return frozenset(path[start:] for path in held if not directory or path.startswith(f"{directory}/"))


def work_off(
    take: Callable[[], Unit | None],
    remove: Callable[[Unit, Options], Removal],
    options: Options,
    note: Callable[[int, int, int, int], None],
    stop: Callable[[], bool],
) -> None:
    """What each worker of a crew does: take units until there are none, and note what it has done so far.

    Args:
        take: Gives the next unit; None when there is none.
        remove: Removes one.
        options: The caller's, with a `mark` that no other worker has; callbacks are not taken from them.
        note: Told files, directories, bytes and repairs of all units so far, every few hundred entries.
        stop: Asked at each directory and every few hundred entries.
    """
    files = directories = freed = repaired = noted = 0

    def tell(now: Progress) -> None:
        nonlocal noted
        met = files + now.files_removed + directories + now.directories_removed
        if met - noted >= _NOTED_EVERY:
            noted = met
            note(files + now.files_removed, directories + now.directories_removed, freed + now.bytes_freed, repaired)

    how = Options(options.measure, tell, stop, rescans=0, provisional=True)
    how = replace(how, depth=options.depth, held=options.held, mark=options.mark)
    while not stop() and (unit := take()) is not None:
        done = remove(unit, how)
        files += done.files_removed
        directories += done.directories_removed
        freed += done.bytes_freed
        repaired += done.permissions_repaired
        note(files, directories, freed, repaired)


class Forked:
    """Workers that are forked: for a process of our own, with one thread.

    Args:
        workers: How many processes, this one included; None has one for each core that we may use.
    """

    def __init__(self, workers: int | None = None) -> None:
        self._workers = workers

    def help(self, root_fd: int, keep: Collection[str], *, kernel: Kernel, options: Options) -> Removal:
        """As `Crew.help`."""
        workers = min(_WORKERS_MAX, self._workers or len(os.sched_getaffinity(0)))
        # A list of what goes, in order, has one author.
        if workers == 1 or options.removed is not None or not has_one_thread():
            return nothing_but()
        opener = Opener(kernel, root_fd)
        units = divide(opener, root_fd, keep, kernel=kernel, workers=workers, wanted=UNITS_WANTED)
        if not units:
            return nothing_but()

        def remove(unit: Unit, how: Options) -> Removal:
            return remove_unit(unit, root_fd, keep, opener, kernel=kernel, options=how)

        try:
            job = _Job(units, remove, options, workers)
        except OSError:
            # No memory or no descriptors for it: one is enough.
            return nothing_but()
        return job.run()


class _Counts:
    """What each worker has done, in memory that all of them share, and whether to stop."""

    def __init__(self, workers: int) -> None:
        self._memory = mmap.mmap(-1, (workers + 1) * _LINE_BYTES)
        self._numbers = memoryview(self._memory).cast("Q")
        self._stop_at = workers * _LINE_NUMBERS

    @property
    def stopped(self) -> bool:
        return bool(self._numbers[self._stop_at])

    def stop(self) -> None:
        self._numbers[self._stop_at] = 1

    def note(self, worker: int, *numbers: int) -> None:
        at = worker * _LINE_NUMBERS
        for place, number in enumerate(numbers, at):
            self._numbers[place] = number

    def total(self) -> list[int]:
        """Files, directories, bytes, repairs."""
        return [sum(self._numbers[place : self._stop_at : _LINE_NUMBERS]) for place in range(4)]

    def close(self) -> None:
        self._numbers.release()
        self._memory.close()


class _Job:
    """One job of a crew: the queue of units, the processes, what they have done."""

    def __init__(
        self, units: list[Unit], remove: Callable[[Unit, Options], Removal], options: Options, workers: int
    ) -> None:
        self._units = units
        self._remove = remove
        self._options = options
        self._workers = workers
        self._children: list[int] = []
        self._counts = _Counts(workers)
        # Whoever reads four bytes has the next unit. Far less than a pipe holds, so the write does not wait.
        self._queue, filling = os.pipe()
        try:
            os.write(filling, b"".join(number.to_bytes(_INDEX_BYTES, "little") for number in range(len(units))))
            # Nothing is written here: its end of file tells that no worker runs any more.
            self._ended, self._running = os.pipe()
        except OSError:
            os.close(self._queue)
            self._counts.close()
            raise
        finally:
            os.close(filling)

    def run(self) -> Removal:
        """Work side by side until nothing is left to take, and wait for the others."""
        try:
            for worker in range(1, self._workers):
                if not self._fork(worker):
                    break
            os.close(self._running)
            try:
                self._work(0, self._told_to_stop)
            except BaseException:
                self._counts.stop()
                raise
            finally:
                self._wait()
            files, directories, freed, repaired = self._counts.total()
            return Removal(files, directories, freed, repaired, (), self._counts.stopped)
        finally:
            os.close(self._queue)
            os.close(self._ended)
            self._counts.close()

    def _fork(self, worker: int) -> bool:
        parent = os.getpid()
        try:
            child = os.fork()
        except OSError:
            return False
        if child:
            self._children.append(child)
            return True
        try:
            # Whoever signals the group tells our parent, who tells us.
            for number in _DEAF_TO:
                signal.signal(number, signal.SIG_IGN)
            os.close(self._ended)
            self._work(worker, lambda: self._counts.stopped or os.getppid() != parent)
        finally:
            # Whatever it was, the last look meets what is left. Nothing of the parent's may run here.
            os._exit(0)

    def _work(self, worker: int, stop: Callable[[], bool]) -> None:
        def note(*numbers: int) -> None:
            self._counts.note(worker, *numbers)
            if worker == 0:
                self._tell()

        work_off(self._take, self._remove, replace(self._options, mark=f"{worker}-"), note, stop)

    def _take(self) -> Unit | None:
        index = os.read(self._queue, _INDEX_BYTES)
        return self._units[int.from_bytes(index, "little")] if index else None

    def _told_to_stop(self) -> bool:
        if not self._counts.stopped and self._options.cancelled is not None and self._options.cancelled():
            self._counts.stop()
        return self._counts.stopped

    def _tell(self) -> None:
        if self._options.progress is not None:
            self._options.progress(Progress(*self._counts.total()[:3]))

    def _wait(self) -> None:
        """Until every worker has ended; whoever wants to stop or to know is heard meanwhile."""
        try:
            self._await_end(self._hear)
        except BaseException:
            self._counts.stop()
            self._await_end(lambda: None)
            raise
        finally:
            for child in self._children:
                try:
                    os.waitpid(child, 0)
                except ChildProcessError:
                    # Whoever started us has the system reap children: then this waits, and has nothing to say.
                    continue

    def _hear(self) -> None:
        self._told_to_stop()
        self._tell()

    def _await_end(self, hear: Callable[[], None]) -> None:
        """Until the last worker has ended, asking `hear` meanwhile; those that do not stop when told to are ended."""
        looks = 0
        while self._children and not select.select([self._ended], [], [], _LOOK_SECONDS)[0]:
            hear()
            looks += self._counts.stopped
            if looks == _PATIENCE_LOOKS:
                # Stuck in a call: it cannot hear us.
                for child in self._children:
                    os.kill(child, signal.SIGKILL)
            self._wake()

    def _wake(self) -> None:
        """Somebody may have stopped one; it would hold us up, and nobody would know what we wait for."""
        for child in self._children:
            try:
                if os.waitid(os.P_PID, child, os.WSTOPPED | os.WNOHANG) is not None:
                    os.kill(child, signal.SIGCONT)
            except ChildProcessError:
                # Reaped by the system.
                continue
