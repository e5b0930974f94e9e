"""Other people's plain code as actors: `os`, `open`, `shutil`, `pathlib`, `tempfile` behind the gate.

While actors move, names of `os`, `open` and a few more stand for others (`installed.py`), which make their calls
through the kernel of the actor that asks, and the real calls for everybody else. What cannot be reached in this way is
noticed where Python tells (`audit.py`), and is an error.
"""
