"""The folder of packages: what counts as being there."""

import hashlib

import pytest

from simulator.errors import BadInputError, MachineError
from simulator.scenario_file import load_scenario
from simulator.tools.folder import VARIABLE, Wanted, copy_file, default_folder, find, find_all, wanted_packages
from simulator.tools.folder import wanted_toolchain as toolchain

DATA = b"not really an archive"
DIGEST = hashlib.sha256(DATA).hexdigest()
SDIST = Wanted("some-name", "1.0", "some-name-1.0.tar.gz", DIGEST)


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "some-name-1.0.tar.gz").write_bytes(DATA)
    (tmp_path / "some_tool-2.0-py3-none-any.whl").write_bytes(DATA)
    return tmp_path


def test_a_file_with_the_right_digest_is_there(folder):
    there = find(str(folder), SDIST)
    assert there is not None
    assert (there.path, there.sha256, there.fetched) == (str(folder / "some-name-1.0.tar.gz"), DIGEST, False)


def test_a_file_with_another_digest_is_not(folder):
    (folder / "some-name-1.0.tar.gz").write_bytes(DATA + b"!")
    assert find(str(folder), SDIST) is None


@pytest.mark.parametrize(
    ("wanted", "is_there"),
    [
        (Wanted("some-tool", "2.0"), True),
        (Wanted("some-tool", "2.1"), False),
        (Wanted("some-tool", "2.0", is_sdist=True), False),
        (Wanted("some-name", "1.0", is_sdist=True), True),
    ],
)
def test_a_release_by_its_name(folder, wanted, is_there):
    assert (find(str(folder), wanted) is not None) is is_there


def test_all_that_is_missing_is_told_with_what_to_do(folder):
    wanted = [SDIST, Wanted("other", "1.0"), Wanted("third", "3", "third-3.tar.gz", DIGEST)]
    with pytest.raises(MachineError) as caught:
        find_all(str(folder), wanted, "cachestorm fetch-packages DIR")
    assert caught.value.message == (
        f"'{folder}' lacks other==1.0, third-3.tar.gz; fetch them with: cachestorm fetch-packages DIR"
    )
    assert [there.wanted for there in find_all(str(folder), wanted[:1], "")] == [SDIST]


def test_where_packages_are(monkeypatch, tmp_path):
    monkeypatch.setenv(VARIABLE, str(tmp_path))
    assert default_folder() == str(tmp_path)
    monkeypatch.delenv(VARIABLE)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_folder() == f"{tmp_path}/cachestorm/packages"


def test_what_no_index_has_is_wanted_as_its_source():
    """One package of the report has no wheel in the index: its manifest is of one that was built by hand."""
    wanted = wanted_packages(load_scenario("issue-3515").packages)
    assert all(item.filename is not None for item in wanted)
    built = [item for item in wanted if item.sha256 is None]
    assert [item.filename for item in built] == [f"{item.project}-{item.version}.tar.gz" for item in built]
    assert len(built) == 1


def test_what_a_toolchain_takes():
    assert [item.requirement for item in toolchain("setuptools-69.5.1")] == ["setuptools==69.5.1", "wheel==0.43.0"]
    assert [item.project for item in toolchain("setuptools-84.2.1")] == ["setuptools", "wheel"]
    with pytest.raises(BadInputError, match="nearest: setuptools-69"):
        toolchain("setuptools-69.5")


def test_a_copy_has_its_name_when_it_is_whole(folder, tmp_path):
    copy_file(str(folder / "some-name-1.0.tar.gz"), str(tmp_path / "copy"))
    assert (tmp_path / "copy").read_bytes() == DATA
    with pytest.raises(FileNotFoundError):
        copy_file(str(folder / "missing"), str(tmp_path / "other"))
    assert sorted(path.name for path in tmp_path.iterdir() if "part" in path.name or path.name == "other") == []
