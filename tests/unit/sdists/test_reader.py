"""Manifests made of sdists: each shape that setuptools knows, what overrides what, and what is refused by name."""

import pytest

from simulator.errors import BadInputError
from simulator.likeness.manifest import FileSpec, load_manifest
from simulator.sdists.document import manifest_json
from simulator.sdists.reader import read_sdist, read_with_notes
from tests.support.sdists import make_sdist, make_zip

SETUP = "from setuptools import *\n"
EGG_INFO = {"some_name.egg-info/PKG-INFO": "Name: some-name\n", "some_name.egg-info/dependency_links.txt": "\n"}


def read(directory, files, **more):
    return read_with_notes(make_sdist(directory, files), **more).manifest


def build_of(directory, files, **more):
    return read(directory, files, **more).build


def setup(arguments, **files):
    return {"setup.py": f"{SETUP}setup({arguments})", **files}


def names(files):
    return {file.path for file in files}


def refusal(directory, files, **more):
    with pytest.raises(BadInputError) as caught:
        read(directory, files, **more)
    assert "\n" not in caught.value.message
    assert "some-name-1.0.tar.gz" in caught.value.message
    return caught.value.kind, caught.value.message


# What a whole manifest holds.


def test_a_manifest_of_an_sdist(tmp_path):
    files = {
        "PKG-INFO": "Metadata-Version: 2.1\nName: some-name\nVersion: 1.0\n\nName: not this\n",
        "setup.py": f"{SETUP}raise SystemExit('nobody may run this')\n"
        "setup(name='some-name', packages=find_packages('src'), package_dir={'': 'src'}, include_package_data=True,"
        " version=open('VERSION').read(), zip_safe=False, install_requires=['six'])",
        "LICENSE": "free",
        "src/top/__init__.py": "",
        "src/top/py.typed": "",
        "src/top/data.txt": "data",
        "src/top/inner/__init__.py": "x",
        "src/some_name.egg-info/PKG-INFO": "Metadata-Version: 2.1\n",
        "src/some_name.egg-info/SOURCES.txt": "src/top/data.txt\nsrc/top/gone.txt\n",
        "src/some_name.egg-info/top_level.txt": "top\n",
        "src/some_name.egg-info/pbr.json": "{}",
        "src/some_name.egg-info/zip-safe": "\n",
    }
    manifest = read(tmp_path, files)
    build = manifest.build
    assert (manifest.name, manifest.version, manifest.directory) == ("some-name", "1.0", "some-name-1.0")
    assert manifest.files == tuple(FileSpec(name, len(text)) for name, text in files.items())
    assert set(build.packages) == {"top", "top.inner"}
    assert build.package_dir == (("", "src"),)
    assert build.package_data == ("src/top/data.txt", "src/top/py.typed")
    assert (build.include_package_data, build.zip_safe) == (True, False)
    assert build.license_files == ("LICENSE",)
    assert build.egg_info == "src/some_name.egg-info"
    assert names(build.egg_info_files) == {
        *("PKG-INFO", "SOURCES.txt", "dependency_links.txt", "not-zip-safe", "pbr.json", "requires.txt"),
        "top_level.txt",
    }
    assert build.wheel == "some_name-1.0-py3-none-any.whl"
    assert {"LICENSE", "METADATA", "WHEEL", "top_level.txt"} == names(build.dist_info_files)
    assert (build.scripts, build.data_files, build.headers, build.namespace_packages) == ((), (), (), ())


def test_what_is_printed_is_what_the_loader_reads(tmp_path):
    files = setup(
        "packages=['a'], scripts=['bin/run'], data_files=[('share', ['x.txt']), 'x.txt', ('empty', [])],"
        " headers=['a.h'], namespace_packages=['a']",
        **{"a/__init__.py": "", "bin/run": "#!/usr/bin/python\n", "x.txt": "", "a.h": ""},
    )
    path = make_sdist(tmp_path, files, modes={"bin/run": 0o755})
    manifest = read_sdist(path)
    assert manifest.build.scripts == manifest.build.python_scripts == ("bin/run",)
    assert manifest.build.data_files == (("share", ("x.txt",)), ("", ("x.txt",)), ("empty", ()))
    assert {file.mode for file in manifest.files if file.path == "bin/run"} == {0o755}
    (tmp_path / "x.json").write_text(manifest_json(manifest))
    assert load_manifest(str(tmp_path / "x.json")) == manifest


def test_a_zip_is_an_sdist_too(tmp_path):
    assert read_sdist(make_zip(tmp_path, setup("py_modules=['a']", **{"a.py": ""}))).build.py_modules == ("a",)


# Where packages are.


@pytest.mark.parametrize(
    ("files", "packages", "modules", "package_dir"),
    [
        (setup("py_modules=['one', 'gone']", **{"one.py": ""}), set(), ("one",), {}),
        (setup("packages=['a'], package_dir={'a': 'lib'}", **{"lib/x.py": ""}), {"a"}, (), {"a": "lib"}),
        (setup("packages=['a'], package_dir={'a': '.'}", **{"x.py": ""}), {"a"}, (), {"a": ""}),
        (setup("", **{"a/__init__.py": "", "a/b/x.py": "", "tests/x.py": ""}), {"a", "a.b"}, (), {}),
        (setup("", **{"a.py": "", "conftest.py": ""}), set(), ("a",), {}),
        (setup("", **{"src/a/x.py": "", "src/b.py": "", "other/x.py": ""}), {"a"}, ("b",), {"": "src"}),
        (setup("package_dir={'x': 'lib'}", **{"lib/y/z.py": ""}), {"x", "x.y"}, (), {"x": "lib"}),
        (setup("", **{"a-stubs/x.pyi": "", "a/x.py": ""}), {"a", "a-stubs"}, (), {}),
        ({**setup(""), "setup.cfg": "[options]\npackages = a, b\n", "a/x.py": "", "b/x.py": ""}, {"a", "b"}, (), {}),
        (
            {
                **setup(""),
                "setup.cfg": "[options]\npackages = find:\n[options.packages.find]\nwhere = lib\nexclude = *.b*\n",
                "lib/a/__init__.py": "",
                "lib/a/b/__init__.py": "",
                "lib/c/x.py": "",
            },
            {"a"},
            (),
            {"": "lib"},
        ),
        (
            {
                "pyproject.toml": '[tool.setuptools.packages.find]\nwhere = ["lib"]\ninclude = ["a*"]\n',
                "lib/a/b/x.py": "",
                "lib/c/x.py": "",
            },
            {"a", "a.b"},
            (),
            {"": "lib"},
        ),
        (
            {
                "pyproject.toml": "[tool.setuptools.packages.find]\nnamespaces = false\n",
                "a/__init__.py": "",
                "b/x.py": "",
            },
            {"a"},
            (),
            {},
        ),
        (
            {
                "pyproject.toml": '[tool.setuptools]\npackages = ["a"]\npackage-dir = {a = "lib/a"}\n',
                "lib/a/x.py": "",
            },
            {"a"},
            (),
            {"a": "lib/a"},
        ),
        ({"pyproject.toml": '[project]\nname = "some-name"\n', "src/a/x.py": ""}, {"a"}, (), {"": "src"}),
        (
            {**setup("packages=['a']"), "setup.cfg": "[options]\npackages = b\n", "a/x.py": "", "b/x.py": ""},
            {"a"},
            (),
            {},
        ),
    ],
)
def test_layouts(tmp_path, files, packages, modules, package_dir):
    build = build_of(tmp_path, files)
    assert (set(build.packages), build.py_modules, dict(build.package_dir)) == (packages, modules, package_dir)


@pytest.mark.parametrize("place", ["", "src/"])
def test_computed_packages_are_taken_from_the_egg_info(tmp_path, place):
    files = {
        "setup.py": f"{SETUP}import x\nsetup(packages=x.p, package_dir=x.d, py_modules=x.m, zip_safe=x.z)",
        f"{place}a/__init__.py": "",
        f"{place}a/b/__init__.py": "",
        f"{place}a/c/not_a_package.py": "",
        f"{place}a/not_listed/__init__.py": "",
        f"{place}n/deep/x.py": "",
        f"{place}m.py": "",
        f"{place}some_name.egg-info/PKG-INFO": "Name: some-name",
        f"{place}some_name.egg-info/not-zip-safe": "\n",
        f"{place}some_name.egg-info/namespace_packages.txt": "a\n",
        f"{place}some_name.egg-info/top_level.txt": "a\nm\nn\n",
        f"{place}some_name.egg-info/SOURCES.txt": "\n".join(
            f"{place}{name}"
            for name in ("a/__init__.py", "a/b/__init__.py", "a/c/not_a_package.py", "n/deep/x.py", "m.py")
        ),
        "tests/other.egg-info/top_level.txt": "wrong\n",
    }
    build = build_of(tmp_path, files)
    assert (set(build.packages), build.py_modules) == ({"a", "a.b", "n", "n.deep"}, ("m",))
    assert build.package_dir == ((("", "src"),) if place else ())
    assert build.zip_safe is False
    # It is told that there are none: only what is computed is asked for.
    assert build.namespace_packages == ()


def test_arguments_that_cannot_be_named_are_taken_from_the_egg_info(tmp_path):
    files = {
        "setup.py": f"{SETUP}import x\nsetup(**x.kw)",
        "a/__init__.py": "",
        **EGG_INFO,
        "some_name.egg-info/top_level.txt": "a\n",
        "some_name.egg-info/namespace_packages.txt": "a\n",
        "some_name.egg-info/SOURCES.txt": "a/__init__.py\n",
    }
    build = build_of(tmp_path, files)
    assert (build.packages, build.namespace_packages, build.scripts) == (("a",), ("a",), ())
    refused = refusal(tmp_path, {**files, "bin/run": "#!/bin/sh\n"})
    assert refused[0] == "not-told"
    assert (
        "computes scripts, and its egg-info does not tell; a wheel of it does: cachestorm manifest SDIST --wheel"
        in refused[1]
    )


# Data beside modules.

DATA = {
    "a/__init__.py": "",
    "a/x.txt": "",
    "a/y.cfg": "",
    "a/d/z.txt": "",
    "a/.hidden": "",
    "a/m.pyi": "",
    "a/py.typed": "",
}


@pytest.mark.parametrize(
    ("arguments", "more", "expected"),
    [
        ("", {}, {"a/m.pyi", "a/py.typed"}),
        ("package_data={'a': ['*.txt']}", {}, {"a/x.txt", "a/m.pyi", "a/py.typed"}),
        ("package_data={'': ['**/*.txt']}", {}, {"a/x.txt", "a/d/z.txt", "a/m.pyi", "a/py.typed"}),
        ("package_data={'a': ['*']}, exclude_package_data={'': ['*.p*', 'x.*']}", {}, {"a/y.cfg", "a/py.typed"}),
        ("include_package_data=True", {}, {"a/m.pyi", "a/py.typed"}),
        (
            "include_package_data=True",
            {"MANIFEST.in": "recursive-include a *.txt\n"},
            {"a/x.txt", "a/d/z.txt", "a/m.pyi", "a/py.typed"},
        ),
        (
            "include_package_data=True",
            {"MANIFEST.in": "graft a\nglobal-exclude *.txt # and a word\n"},
            {"a/y.cfg", "a/.hidden", "a/m.pyi", "a/py.typed"},
        ),
        (
            "include_package_data=True, exclude_package_data={'a': ['x*']}",
            {**EGG_INFO, "some_name.egg-info/SOURCES.txt": "a/x.txt\na/y.cfg\na/gone.txt"},
            {"a/y.cfg", "a/m.pyi", "a/py.typed"},
        ),
        (
            "include_package_data=False",
            {"setup.cfg": "[options]\ninclude_package_data = true\n", "MANIFEST.in": "include a/y.cfg"},
            {"a/y.cfg", "a/m.pyi", "a/py.typed"},
        ),
        ("", {"setup.cfg": "[options.package_data]\n* = *.cfg\n"}, {"a/y.cfg", "a/m.pyi", "a/py.typed"}),
        (
            "",
            {"pyproject.toml": "[project]\nname='n'", "MANIFEST.in": "include a/y.cfg"},
            {"a/y.cfg", "a/m.pyi", "a/py.typed"},
        ),
    ],
)
def test_package_data(tmp_path, arguments, more, expected):
    build = build_of(tmp_path, {**setup(f"packages=['a'], {arguments}"), **DATA, **more})
    assert set(build.package_data) == expected
    assert len(build.package_data) == len(expected)


def test_a_dot_for_the_folder_hides_files_from_the_list(tmp_path):
    files = {
        **setup("packages=['a'], package_dir={'': '.'}, include_package_data=True"),
        **DATA,
        "MANIFEST.in": "graft a",
    }
    build = build_of(tmp_path, files)
    assert set(build.package_data) == {"a/m.pyi", "a/py.typed"}
    assert build.directory_of("a") == "a"


def test_modules_of_undeclared_packages_are_data_where_the_list_has_them(tmp_path):
    files = {"a/__init__.py": "", "a/b/__init__.py": "", "a/b/c.py": "", "MANIFEST.in": "graft a\nprune a/b/no"}
    build = build_of(tmp_path, {**setup("packages=['a'], include_package_data=True"), **files, "a/b/no/d.py": ""})
    assert build.package_data == ("a/b/__init__.py", "a/b/c.py")


def test_a_file_of_two_packages_is_copied_twice(tmp_path):
    files = {"a/__init__.py": "", "a/b/__init__.py": "", "a/b/x.txt": ""}
    build = build_of(
        tmp_path, {**setup("packages=['a', 'a.b'], package_data={'a': ['b/*.txt'], 'a.b': ['*.txt']}"), **files}
    )
    assert build.package_data == ("a/b/x.txt", "a/b/x.txt")


def test_data_outside_of_its_package_is_left_out_and_noted(tmp_path):
    files = {**setup("packages=['a'], package_data={'a': ['../x.txt']}"), "a/__init__.py": "", "x.txt": ""}
    reading = read_with_notes(make_sdist(tmp_path, files))
    assert reading.manifest.build.package_data == ()
    assert reading.notes == ("'x.txt', which a has as data and which lies outside of it, is left out",)


COMPUTED_DATA = {
    "setup.py": f"{SETUP}import x\nsetup(packages=['a'], package_data=x.data)",
    "a/__init__.py": "",
    "a/x.txt": "",
    "a/y.txt": "",
    **EGG_INFO,
}


def test_computed_package_data_is_what_nothing_else_explains(tmp_path):
    files = {**COMPUTED_DATA, "some_name.egg-info/SOURCES.txt": "a/__init__.py\na/x.txt\n"}
    assert build_of(tmp_path, files).package_data == ("a/x.txt",)
    # MANIFEST.in may have brought it in, too: then nothing tells.
    kind, message = refusal(tmp_path, {**files, "MANIFEST.in": "include a/*.txt"})
    assert kind == "not-told"
    assert "setup.py computes package_data, and its egg-info does not tell" in message


# Files that are named.


def test_first_lines_decide_which_scripts_are_written_anew(tmp_path):
    lines = {"a": "#!/usr/bin/env python3 -u\n", "b": "#!/bin/sh\n", "c": "import os\n", "d": "#! python\r\n"}
    build = build_of(tmp_path, {**setup("scripts=['a', 'b', 'c', 'd']"), **lines})
    assert (build.scripts, build.python_scripts) == (("a", "b", "c", "d"), ("a", "d"))


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, ("LICENSE", "LICENSE.txt", "COPYING", "NOTICE", "AUTHORS.rst")),
        ({"setup.cfg": "[metadata]\nlicense_files =\n  docs/*.txt\n"}, ("docs/a.txt",)),
        ({"setup.cfg": "[metadata]\nlicense_file = NOTICE\n"}, ("NOTICE",)),
        ({"setup.cfg": "[metadata]\nlicense_files =\n"}, ()),
        ({"pyproject.toml": '[project]\nname = "n"\nlicense-files = ["COPY*"]\n'}, ("COPYING",)),
        ({"setup.py": f"{SETUP}setup(py_modules=['m'], license_files=('LICENSE', 'gone'))"}, ("LICENSE",)),
    ],
)
def test_licenses(tmp_path, more, expected):
    files = dict.fromkeys(
        ("AUTHORS.rst", "COPYING", "LICENSE", "LICENSE.txt", "LICENSE~", "NOTICE", "docs/a.txt", "m.py"), ""
    )
    assert build_of(tmp_path, {**setup("py_modules=['m']"), **files, **more}).license_files == expected


@pytest.mark.parametrize(
    ("more", "wheel"),
    [
        ({}, "some_name-1.0-py3-none-any.whl"),
        ({"setup.cfg": "[bdist_wheel]\nuniversal = 1\n"}, "some_name-1.0-py2.py3-none-any.whl"),
        ({"setup.cfg": "[wheel]\nuniversal = true\n"}, "some_name-1.0-py2.py3-none-any.whl"),
        ({"setup.cfg": "[bdist_wheel]\npython-tag = py37\nbuild_number = 3\n"}, "some_name-1.0-3-py37-none-any.whl"),
        ({"PKG-INFO": "Name: Some.Name_x\nVersion: 1.0-beta\n"}, "Some.Name_x-1.0b0-py3-none-any.whl"),
    ],
)
def test_names_of_wheels(tmp_path, more, wheel):
    assert build_of(tmp_path, {**setup("py_modules=['m']"), "m.py": "", **more}).wheel == wheel


def test_without_an_egg_info_its_files_follow_from_what_is_said(tmp_path):
    files = setup(
        "py_modules=['m'], install_requires=['six'], entry_points={'console_scripts': ['a=m']}", **{"m.py": ""}
    )
    build = build_of(tmp_path, files)
    assert build.egg_info == "some_name.egg-info"
    always = {"PKG-INFO", "SOURCES.txt", "dependency_links.txt", "top_level.txt"}
    assert names(build.egg_info_files) == {*always, "requires.txt", "entry_points.txt"}
    assert names(build_of(tmp_path, setup("py_modules=['m']", **{"m.py": ""})).egg_info_files) == always


def test_egg_base_moves_the_egg_info(tmp_path):
    files = {**setup("py_modules=['m']"), "m.py": "", "setup.cfg": "[egg_info]\negg_base = lib\n"}
    assert build_of(tmp_path, files).egg_info == "lib/some_name.egg-info"


# What is refused, by name.


@pytest.mark.parametrize(
    ("files", "kind", "said"),
    [
        ({"PKG-INFO": None}, "bad-sdist", "has no PKG-INFO"),
        ({"PKG-INFO": "Version: 1\n"}, "bad-sdist", "has a PKG-INFO without Name"),
        ({"PKG-INFO": "Name: a\n"}, "bad-sdist", "has a PKG-INFO without Version"),
        ({"PKG-INFO": "Name: a\nVersion: one\n"}, "bad-sdist", "'one' is no version"),
        ({"setup.py": None}, "bad-sdist", "has neither setup.py nor pyproject.toml"),
        ({"setup.py": "print 'two'"}, "bad-sdist", "has a setup.py that is no Python 3"),
        ({"setup.py": "setup(\n\n"}, "bad-sdist", "line 1"),
        ({"setup.cfg": "nothing"}, "bad-sdist", "has a setup.cfg that cannot be read"),
        ({"setup.cfg": b"[a]\nx = \xff"}, "bad-sdist", "has a setup.cfg that is not UTF-8 (byte 8)"),
        ({"pyproject.toml": "[a"}, "bad-sdist", "has a pyproject.toml that is no TOML"),
        (
            {"pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "other.api"\n'},
            "other-back-end",
            "is built by other.api; only builds by setuptools are simulated",
        ),
        (
            {"pyproject.toml": '[build-system]\nbuild-backend = "own"\nbackend-path = ["."]\n'},
            "other-back-end",
            "is built by in-tree own;",
        ),
        (setup("ext_modules=[Extension('a', ['a.c'])]"), "extension-modules", "(ext_modules in setup.py)"),
        (setup("ext_modules=other()", **{"a.c": ""}), "extension-modules", "(ext_modules in setup.py)"),
        (setup("cffi_modules=['a.py:b']"), "extension-modules", "(cffi_modules in setup.py)"),
        ({"setup.py": "from skbuild import setup\nsetup()"}, "extension-modules", "(skbuild.setup() in setup.py)"),
        (
            {"pyproject.toml": '[tool.setuptools]\next-modules = [{name = "a"}]\n'},
            "extension-modules",
            "(ext-modules in pyproject.toml)",
        ),
        (setup("packages=['gone']"), "bad-sdist", "has no directory 'gone' for its package gone"),
        (setup("scripts=['gone']"), "bad-sdist", "has no file 'gone', which is a script of it"),
        (setup("data_files=[('x', ['../gone'])]"), "bad-sdist", "has no file '../gone', which is a data file of it"),
        (setup("data_files=[1]"), "bad-sdist", "has 1 among its data_files"),
        (setup("", **{"a/x.py": "", "b/x.py": ""}), "bad-sdist", "has several top-level packages (a, b)"),
        (setup("", **{"a.py": "", "b.py": ""}), "bad-sdist", "has several top-level modules (a, b, m)"),
        (setup("use_2to3=True"), "bad-sdist", "sets use_2to3 in setup.py"),
        ({"setup.cfg": "[build]\nbuild_base = elsewhere\n"}, "not-modelled", "sets build_base of build in setup.cfg"),
        ({"setup.py": f"{SETUP}import x\nsetup(packages=x.y)"}, "not-told", "computes packages, and its egg-info"),
        ({"setup.py": f"{SETUP}import x\nsetup(data_files=x.y, py_modules=['a'])"}, "not-told", "computes data_files,"),
    ],
)
def test_refused(tmp_path, files, kind, said):
    found, message = refusal(tmp_path, {"setup.py": f"{SETUP}setup(py_modules=['m'])", "m.py": "", **files})
    assert found == kind
    assert said in message


def test_computed_extension_modules_come_to_nothing_where_nothing_can_be_compiled(tmp_path):
    files = {"setup.py": f"{SETUP}import x\nsetup(py_modules=['m'], ext_modules=x.e)", "m.py": ""}
    assert build_of(tmp_path, files).py_modules == ("m",)


def test_what_a_real_build_needs_is_told(tmp_path):
    files = setup("py_modules=['m'], setup_requires=['one >= 1', 'setuptools >= 40']", **{"m.py": ""})
    more = {
        "setup.cfg": "[options]\nsetup_requires = two; three\n",
        "pyproject.toml": '[build-system]\nrequires = ["setuptools>=61", "wheel", "four[x]>=6.2", "one >= 1"]\n',
    }
    reading = read_with_notes(make_sdist(tmp_path, {**files, **more}))
    assert reading.build_requires == ("four[x]>=6.2", "one >= 1", "two", "three")


def test_commands_of_a_setup_script_are_noted(tmp_path):
    files = setup("py_modules=['m'], cmdclass={'build_py': build_py, 'test': 1}", **{"m.py": ""})
    reading = read_with_notes(make_sdist(tmp_path, files))
    assert reading.notes == ("setup.py replaces commands (build_py); what they do otherwise is not simulated",)
