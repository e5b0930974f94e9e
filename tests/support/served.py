"""What a cache serves: the answer of every look-up, down to the content of each file."""

from __future__ import annotations

import hashlib
import os

from cache_core.buckets import WheelEntry, simple_file
from cache_core.store import Store


def served(cache, entries):
    """What the look-ups of these entries find: a digest of the archive, of the wheel, of nothing; and of the index."""
    store = Store(str(cache), "reader")
    found = {}
    for entry in entries:
        if isinstance(entry, WheelEntry):
            place = store.find_wheel(entry)
            found[entry.filename] = place and digest(place)
        else:
            built = store.find_built(entry)
            place = built.archive or built.wheel
            found[entry.filename] = place and (built.archive is not None, digest(place))
        index = store.path(simple_file(entry.index, entry.name))
        found[f"index of {entry.name}"] = digest(index) if os.path.exists(index) else None
    return found


def digest(place):
    """Of a tree or a file: path, mode, content of everything in it."""
    seen = hashlib.sha256()
    for path in sorted(_everything(place)):
        status = os.lstat(path)
        seen.update(f"{os.path.relpath(path, place)}\0{status.st_mode}\0".encode())
        if os.path.isfile(path):
            with open(path, "rb") as reading:
                seen.update(reading.read())
    return seen.hexdigest()


def _everything(place):
    yield place
    for base, directories, names in os.walk(place, onerror=_raise) if os.path.isdir(place) else ():
        yield from (os.path.join(base, name) for name in directories + names)


def _raise(error):
    raise error
