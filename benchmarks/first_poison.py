"""From nothing to the first poisoned cache: the bash loop of the report with the real uv, and one command of ours.

The loop: eight `uv venv` and `uv pip install` side by side into one new cache, from a local folder, again and again
until a directory keeps its owner out. Ours: `cachestorm run issue-3515-loop --seeds A:B --json`, from the start of the
process to the first line that tells of one. Each measurement starts from nothing; those of ours take seeds that no
other took. How long it takes is luck in both: the median of a few has a wide margin, and the table says how many tries
each needed.
The first time, uv 0.1.42 and the packages are downloaded, outside of what is measured.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import stat
import statistics
import subprocess
import sys
import tempfile
import time

import trio
from rich.table import Table

from cache_core.removal import remove_tree
from simulator.tools.environments import environment

UV = "uv==0.1.42"
INSTALLS = 8
# The real one poisons 5 of 12: none in 40 is no bad luck.
TRIES_MAX = 40
SEEDS = 100

PROGRAM = [sys.executable, "-c", "from simulator.cli.main import entry; entry()"]

LOOP = """
for i in $(seq {installs}); do
  ("$UV" venv --quiet --python "$PYTHON" env-$i &&
   VIRTUAL_ENV=$PWD/env-$i "$UV" pip install --quiet --no-index --find-links "$PACKAGES" --no-deps opentracing==2.4.0
  ) &
done
wait
"""


def loop_once(place, uv, packages):
    """One try of the bash loop; whether its cache is poisoned."""
    variables = {
        "PATH": os.environ["PATH"], "HOME": place, "TMPDIR": place, "UV_CACHE_DIR": f"{place}/cache",
        "UV": uv, "PYTHON": sys.executable, "PACKAGES": packages,
    }  # fmt: skip
    subprocess.run(
        ["bash", "-c", LOOP.format(installs=INSTALLS)],
        cwd=place,
        env=variables,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    return is_poisoned(f"{place}/cache")


def is_poisoned(cache):
    """Whether some directory lets its owner neither list nor search it."""
    for directory, names, _ in os.walk(cache):
        for name in names:
            mode = os.lstat(f"{directory}/{name}").st_mode
            if stat.S_ISDIR(mode) and not mode & stat.S_IRUSR:
                return True
    return False


def with_the_loop(ground, uv, packages):
    """Seconds and tries until the first poisoned cache."""
    start = time.perf_counter()
    for tries in range(1, TRIES_MAX + 1):
        place = tempfile.mkdtemp(dir=ground)
        try:
            if loop_once(place, uv, packages):
                return time.perf_counter() - start, tries
        finally:
            remove_tree(place)
    return time.perf_counter() - start, None


def with_us(ground, first_seed):
    """Seconds and seeds until the first poisoned cache, as a whole command."""
    seeds = f"{first_seed}:{first_seed + SEEDS}"
    command = [*PROGRAM, "run", "issue-3515-loop", "--seeds", seeds, "--json"]
    start = time.perf_counter()
    with subprocess.Popen(
        [*command, "--sandbox", ground], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        for tries, line in enumerate(process.stdout, 1):
            if json.loads(line)["residue"]["poisoned"]:
                seconds = time.perf_counter() - start
                process.send_signal(signal.SIGINT)
                return seconds, tries
    return time.perf_counter() - start, None


async def prepare():
    """The real uv, and the folder with what it installs."""
    made = await environment([UV])
    return made.program("uv")


def run(console, ground, rounds):
    """Print the table."""
    uv = trio.run(prepare)
    with contextlib.ExitStack() as stack:
        packages = stack.enter_context(tempfile.TemporaryDirectory(dir=ground))
        fetch = [*PROGRAM, "fetch-packages", packages, "--scenario", "issue-3515-loop"]
        subprocess.run(fetch, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        assert os.listdir(packages), "nothing was fetched: the loop would fail at once, and never poison"
        found = {"bash loop, real uv 0.1.42": [], "cachestorm run issue-3515-loop": []}
        for number in range(rounds):
            found["bash loop, real uv 0.1.42"].append(with_the_loop(ground, uv, packages))
            found["cachestorm run issue-3515-loop"].append(with_us(ground, number * SEEDS))
    title = f"to the first poisoned cache, {rounds} times"
    table = Table("with", "seconds, median", "least", "most", "tries", title=title)
    for name, told in found.items():
        seconds = [one for one, _ in told]
        tries = ", ".join("none" if number is None else str(number) for _, number in told)
        table.add_row(name, f"{statistics.median(seconds):.1f}", f"{min(seconds):.1f}", f"{max(seconds):.1f}", tries)
    console.print(table)
