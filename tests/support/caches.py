"""Small caches with a race each, and the actors that run into it."""

from __future__ import annotations

import json
import os


def put(directory):
    """Writes aside and renames, but always aside to the same name."""
    partial = f"{directory}/answer.part"
    with open(partial, "w") as file:
        json.dump([42], file)
    os.replace(partial, f"{directory}/answer.json")


def put_whole(directory):
    """Aside to a name of its own."""
    partial = f"{directory}/answer.{os.getpid()}"
    with open(partial, "w") as file:
        json.dump([42], file)
    os.replace(partial, f"{directory}/answer.json")


def get(directory):
    try:
        with open(f"{directory}/answer.json") as file:
            return json.load(file)
    except FileNotFoundError:
        return None


def add_one(kernel, directory):
    """By the kernel: reads, then writes."""
    path = f"{directory}/counter"
    fd = kernel.open(path, os.O_RDONLY)
    number = int(kernel.read(fd, 20))
    kernel.close(fd)
    kernel.unlink(path)
    fd = kernel.open(path, os.O_WRONLY | os.O_CREAT)
    kernel.write(fd, b"%d" % (number + 1))
    kernel.close(fd)


def counter_at_zero(directory):
    with open(f"{directory}/counter", "w") as file:
        file.write("0")
