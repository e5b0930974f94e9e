"""What installs put down, held against one that was alone."""

from simulator.tools.installed import Installed

INFO = "some_name-1.0.dist-info"
FILES = {"some_name/__init__.py": "x = 1\n", "some_name/data.txt": "data", f"{INFO}/METADATA": "Name: some-name\n"}
OWN = {f"{INFO}/RECORD": "r", f"{INFO}/INSTALLER": "uv", f"{INFO}/direct_url.json": "{}"}


def put(place, files):
    for name, text in files.items():
        path = place / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return str(place)


def told(tmp_path, files):
    expected = Installed.read(put(tmp_path / "alone", {**FILES, **OWN}))
    return [violation.sentence for violation in expected.violations("build-2", put(tmp_path / "other", files))]


def test_the_same_files_are_whole(tmp_path):
    assert told(tmp_path, {**FILES, **OWN}) == []


def test_what_the_installer_and_the_interpreter_write_is_not_compared(tmp_path):
    own = {f"{INFO}/RECORD": "another", f"{INFO}/uv_cache.json": "{}", "some_name/__pycache__/__init__.pyc": "c"}
    assert told(tmp_path, {**FILES, **own}) == []


def test_a_package_may_have_a_file_of_such_a_name(tmp_path):
    assert told(tmp_path, {**FILES, **OWN, "some_name/RECORD": "data"}) == [
        "what build-2 installed is not whole: 1 foreign (some_name/RECORD)"
    ]


def test_an_empty_install(tmp_path):
    (tmp_path / "other").mkdir()
    assert told(tmp_path, {}) == ["what build-2 installed is not whole: 3 missing (some_name-1.0.dist-info/METADATA)"]


def test_an_install_whose_place_is_not_even_there(tmp_path):
    expected = Installed.read(put(tmp_path / "alone", FILES))
    (violation,) = expected.violations("build-2", str(tmp_path / "nowhere"))
    assert (violation.oracle, violation.signature) == ("wheel-whole", "wheel-whole:installed:missing")


def test_short_and_changed_files(tmp_path):
    files = {**FILES, "some_name/__init__.py": "x", "some_name/data.txt": "atad"}
    assert told(tmp_path, files) == [
        "what build-2 installed is not whole: 1 truncated (some_name/__init__.py), 1 foreign (some_name/data.txt)"
    ]
