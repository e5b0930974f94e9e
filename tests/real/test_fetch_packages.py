"""`cachestorm fetch-packages`: every file checked, none run, nothing fetched twice."""

import hashlib
import json
import os

import pytest

from tests.support.command import cachestorm
from tests.support.tools_store import tools_store

__all__ = ["tools_store"]

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("tools_store")]

SCENARIO = ("--scenario", "issue-3515-loop")
NAMES = ["opentracing-2.4.0.tar.gz", "setuptools-69.5.1-py3-none-any.whl", "wheel-0.43.0-py3-none-any.whl"]


def fetch(*arguments, **variables):
    done = cachestorm("fetch-packages", *arguments, "--json", environment=variables)
    return done.returncode, json.loads(done.stdout)


def test_what_a_scenario_takes(tmp_path):
    folder = tmp_path / "packages"
    code, document = fetch(str(folder), *SCENARIO)
    assert (code, document["schema"], document["directory"]) == (0, "cachestorm/fetch-packages/1", str(folder))
    assert sorted(os.listdir(folder)) == NAMES
    for file in document["files"]:
        data = (folder / file["filename"]).read_bytes()
        assert hashlib.sha256(data).hexdigest() == file["sha256"]
        assert file["fetched"]
    assert [file["requirement"] for file in document["files"]][1:] == ["setuptools==69.5.1", "wheel==0.43.0"]
    # Again: it is there, and is not even asked for.
    (folder / NAMES[1]).touch()
    times = {name: (folder / name).stat().st_mtime_ns for name in NAMES}
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull}
    code, document = fetch(str(folder), *SCENARIO, **nowhere)
    assert (code, [file["fetched"] for file in document["files"]]) == (0, [False] * 3)
    assert {name: (folder / name).stat().st_mtime_ns for name in NAMES} == times


def test_a_file_that_is_not_what_it_should_be_is_fetched_again(tmp_path):
    (tmp_path / NAMES[0]).write_bytes(b"something else")
    code, document = fetch(str(tmp_path), *SCENARIO)
    assert (code, document["files"][0]["fetched"]) == (0, True)
    assert (tmp_path / NAMES[0]).stat().st_size == 46228


def test_the_default_folder_and_text(tmp_path):
    done = cachestorm("fetch-packages", "--package", "six==1.16.0", environment={"CACHESTORM_PACKAGES": str(tmp_path)})
    assert done.returncode == 0
    assert done.stdout == "fetched  six-1.16.0-py2.py3-none-any.whl\n"
    assert done.stderr.splitlines()[-1] == f"1 files in {tmp_path}, 1 of them fetched now"


@pytest.mark.parametrize(
    ("options", "code", "told"),
    [
        (["--package", "six"], 2, "names no release; write NAME==VERSION, such as six==1.16.0"),
        (["--package", "six==99"], 2, "six==99 has no file that ends in .tar.gz; nearest: "),
        (["--toolchain", "setuptools-69"], 2, "unknown toolchain 'setuptools-69'; nearest: setuptools-69.5.1"),
        (["--scenario", "isue-3515"], 2, "unknown scenario 'isue-3515'; nearest: issue-3515"),
    ],
)
def test_bad_input(tmp_path, options, code, told):
    done = cachestorm("fetch-packages", str(tmp_path / "packages"), *options)
    assert done.returncode == code
    assert told in done.stderr.splitlines()[-1]
    assert not (tmp_path / "packages").exists()


def test_no_network(tmp_path):
    # Numeric and closed: no name is looked up, nobody is asked.
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_CONFIG_FILE": os.devnull, "PIP_EXTRA_INDEX_URL": ""}
    nowhere |= {"CACHESTORM_TOOLS": str(tmp_path / "tools"), "PIP_FIND_LINKS": "", "PIP_CONSTRAINT": ""}
    code, document = fetch(str(tmp_path / "packages"), *SCENARIO, **nowhere)
    assert (code, document["kind"]) == (3, "index")


def test_a_folder_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    code, document = fetch(f"{tmp_path}/file/packages", "--package", "six==1.16.0")
    assert (code, document["kind"]) == (3, "packages")
