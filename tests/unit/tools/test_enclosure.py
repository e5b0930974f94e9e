"""What a real tool sees of the world."""

from simulator.tools.enclosure import PASSED_ON, Place, variables

CALLER = {
    "HOME": "/home/somebody",
    "UV_CACHE_DIR": "/home/somebody/.cache/uv",
    "UV_INDEX_URL": "https://example.invalid",
    "PIP_CACHE_DIR": "/home/somebody/.cache/pip",
    "PIP_TARGET": "/usr/lib/python3",
    "XDG_CACHE_HOME": "/home/somebody/.cache",
    "VIRTUAL_ENV": "/home/somebody/venv",
    "PYTHONPATH": "/home/somebody/lib",
    "TMPDIR": "/tmp",
    "SECRET_TOKEN": "do not tell",
    "PATH": "/opt/bin:/bin",
    "LANG": "C.UTF-8",
}
PLACE = Place("build-1", "/sandbox/1/cache", "/sandbox/1/environments/build-1", "/sandbox/1/homes/build-1")


def test_nothing_of_the_caller_but_the_short_list():
    told = variables(PLACE, CALLER)
    passed_on = {name: value for name, value in told.items() if CALLER.get(name) == value}
    assert passed_on == {"PATH": "/opt/bin:/bin", "LANG": "C.UTF-8"}
    assert set(passed_on) <= set(PASSED_ON)
    assert not any("somebody" in value or "do not tell" in value for value in told.values())


def test_every_directory_is_in_the_sandbox():
    told = variables(PLACE, CALLER)
    for name in ("HOME", "TMPDIR", "UV_CACHE_DIR", "PIP_CACHE_DIR"):
        assert told[name].startswith("/sandbox/1/")
    directories = [name for name in told if name.startswith("XDG_")]
    assert len(directories) >= 4
    assert all(told[name].startswith("/sandbox/1/homes/build-1/") for name in directories)
    assert told["UV_CACHE_DIR"] == told["PIP_CACHE_DIR"] == PLACE.cache


def test_a_caller_without_a_path():
    assert "/usr/bin" in variables(PLACE, {})["PATH"]


def test_a_place_is_made(tmp_path):
    place = Place("build-1", "/nowhere", "/nowhere", str(tmp_path / "homes/build-1"))
    place.make()
    assert (tmp_path / "homes/build-1/temporary").is_dir()
