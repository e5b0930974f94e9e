"""Wheels beside sdists: what they tell that setup.py computes, and what is no wheel of it."""

import dataclasses

import pytest

from simulator.errors import BadInputError
from simulator.likeness.manifest import FileSpec, Source
from simulator.sdists.reader import read_with_notes
from simulator.sdists.wheels import read_wheel
from tests.support.sdists import make_sdist, make_wheel

SETUP = "from setuptools import *\n"
ONE_MODULE = {"setup.py": f"{SETUP}setup(py_modules=['m'])", "m.py": ""}


def read(directory, files, **more):
    return read_with_notes(make_sdist(directory, files), **more).manifest


def build_of(directory, files, **more):
    return read(directory, files, **more).build


def names(files):
    return {file.path for file in files}


WHEEL = {
    "a/__init__.py": "",
    "a/b/__init__.py": "x",
    "a/x.txt": "data",
    "m.py": "",
    "some_name-1.0.data/scripts/run": "",
    "some_name-1.0.data/data/share/x/doc.txt": "",
    "some_name-1.0.data/headers/a.h": "",
}
COMPUTED = {
    "setup.py": f"{SETUP}import x\nsetup(packages=x.a, py_modules=x.b, package_data=x.c, scripts=x.d, data_files=x.e,"
    " headers=x.f, package_dir=x.g)",
    "lib/a/__init__.py": "",
    "lib/a/b/__init__.py": "x",
    "lib/a/x.txt": "data",
    "lib/a/y.txt": "",
    "lib/m.py": "",
    "tools/run": "",
    "doc.txt": "",
    "include/a.h": "",
}


def test_a_wheel_tells_what_setup_py_computes(tmp_path):
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, COMPUTED)
    assert caught.value.kind == "not-told"
    assert "setup.py computes data_files, headers, package_dir, packages, py_modules, scripts," in caught.value.message
    build = build_of(tmp_path, COMPUTED, wheel=make_wheel(tmp_path, WHEEL, "some_name-1.0-py2.py3-none-any.whl"))
    assert (build.packages, build.py_modules, dict(build.package_dir)) == (("a", "a.b"), ("m",), {"": "lib"})
    assert build.package_data == ("lib/a/x.txt",)
    assert build.scripts == ("tools/run",)
    assert build.data_files == (("share/x", ("doc.txt",)),)
    assert build.headers == ("include/a.h",)
    assert build.wheel == "some_name-1.0-py2.py3-none-any.whl"
    assert names(build.dist_info_files) == {"METADATA", "WHEEL"}


def test_a_wheel_tells_where_a_package_lies(tmp_path):
    files = {"setup.py": f"{SETUP}import x\nsetup(**x.kw)", "odd.py": "", "place/__init__.py": "", "place/z.py": ""}
    wheel = make_wheel(
        tmp_path, {"top/inner/odd.py": "", "top/inner/other/z.py": "", "top/inner/other/__init__.py": ""}
    )
    build = build_of(tmp_path, files, wheel=wheel)
    assert dict(build.package_dir) == {"top.inner": "", "top.inner.other": "place"}


def test_an_egg_info_of_a_build_gives_exact_sizes(tmp_path):
    (tmp_path / "left").mkdir()
    (tmp_path / "left" / "PKG-INFO").write_text("x" * 77)
    build = build_of(tmp_path, ONE_MODULE, egg_info=str(tmp_path / "left"))
    assert build.egg_info_files == (FileSpec("PKG-INFO", 77),)
    with pytest.raises(BadInputError, match=r"egg-info '.*gone' cannot be read: No such file"):
        read(tmp_path, ONE_MODULE, egg_info=str(tmp_path / "gone"))


def test_a_wheel_is_a_manifest_of_its_own(tmp_path):
    wheel = read_wheel(make_wheel(tmp_path, WHEEL), Source("an index", "2024-05-10", "by a test"))
    assert (wheel.name, wheel.version) == ("some-name", "1.0")
    assert wheel.files[1] == FileSpec("a/b/__init__.py", 1)
    assert dataclasses.astuple(wheel.source) == ("an index", "2024-05-10", "by a test")


@pytest.mark.parametrize(
    ("files", "more", "said"),
    [
        ({}, {"metadata": None}, "holds 0 .dist-info/METADATA; a wheel has one"),
        ({}, {"metadata": "Version: 1\n"}, "has a METADATA without Name"),
        ({}, {"name": "x.whl"}, "is not named like one"),
        ({}, {"metadata": "Name: other\nVersion: 1.0\n"}, "is of other 1.0, and"),
        ({}, {"metadata": "Name: some-name\nVersion: 1.1\n"}, "is of some-name 1.1, and"),
        ({"a/x.so": ""}, {}, "holds 'a/x.so'; only pure Python is simulated"),
    ],
)
def test_what_is_no_wheel_of_it_is_refused(tmp_path, files, more, said):
    wheel = make_wheel(tmp_path, files, **more)
    with pytest.raises(BadInputError) as caught:
        read(tmp_path, ONE_MODULE, wheel=wheel)
    assert said in caught.value.message
    assert wheel in caught.value.message


def test_a_wheel_that_is_no_zip_or_not_there_is_refused(tmp_path):
    bad = tmp_path / "some_name-1.0-py3-none-any.whl"
    with pytest.raises(BadInputError, match="cannot be read: No such file"):
        read_wheel(str(bad))
    bad.write_bytes(b"no zip")
    with pytest.raises(BadInputError, match="is no wheel, or a damaged one"):
        read_wheel(str(bad))
