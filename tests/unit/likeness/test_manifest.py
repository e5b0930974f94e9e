"""Manifests: the ones that ship, and what a bad one is answered."""

import json
import os

import pytest

from simulator.likeness.manifest import (
    FileSpec,
    SdistManifest,
    Source,
    WheelManifest,
    content,
    load_manifest,
    load_packages,
    load_requirements,
)
from simulator.sdists.document import manifest_json

PACKAGES = os.path.join(os.path.dirname(__file__), "../../../scenarios/packages")
SOURCE = Source("an index", "2024-05-10", "by a test")


# The ones that ship.


def test_every_requirement_of_the_set_has_a_manifest():
    requirements = load_requirements(f"{PACKAGES}/jaeger-client.requirements.json")
    packages = load_packages(PACKAGES)
    assert requirements.requirements == (
        "jaeger-client==4.3.0",
        "threadloop==1.0.2",
        "tornado==6.4",
        "opentracing==2.4.0",
        "thrift==0.20.0",
        "six==1.16.0",
    )
    assert set(requirements.requirements) <= set(packages)
    kinds = [type(packages[name]) for name in requirements.requirements]
    assert kinds == [SdistManifest, SdistManifest, WheelManifest, SdistManifest, WheelManifest, WheelManifest]


@pytest.mark.parametrize("name", ["jaeger-client-4.3.0", "tornado-6.4"])
def test_a_manifest_is_written_as_it_was_read(name):
    path = f"{PACKAGES}/{name}.json"
    with open(path, encoding="utf-8") as stream:
        assert manifest_json(load_manifest(path)) == stream.read()


def test_content_has_the_size_and_the_name_of_its_file():
    data = content("p-1.0", FileSpec("a/b.py", 1000))
    assert len(data) == 1000
    assert data.startswith(b"p-1.0:a/b.py\n")
    assert content("p-1.0", FileSpec("a", 0)) == b""
    assert content("p-1.0", FileSpec("dependency_links.txt", 1)) == b"\n"
    assert content("p-1.0", FileSpec("a", 50)) != content("q-1.0", FileSpec("a", 50))


def test_directories_and_installed_paths_follow_package_dir():
    build = load_packages(PACKAGES)["jaeger-client==4.3.0"].build
    moved = type(build)(
        **{
            **{name: getattr(build, name) for name in build.__slots__},
            "packages": ("a", "a.b"),
            "package_dir": (("a", "src"), ("a.b", "other")),
        }
    )
    assert (moved.directory_of("a"), moved.directory_of("a.c"), moved.directory_of("a.b.d")) == (
        "src",
        "src/c",
        "other/d",
    )
    assert moved.directory_of("elsewhere.x") == "elsewhere/x"
    assert moved.installed_path("src/x.txt") == "a/x.txt"
    assert moved.installed_path("other/x.txt") == "a/b/x.txt"
    assert moved.installed_path("x.py") == "x.py"
    assert build.dist_info == "jaeger_client-4.3.0.dist-info"


# Bad data.


def read_json(name):
    with open(f"{PACKAGES}/{name}.json", encoding="utf-8") as stream:
        return json.load(stream)


def change(document, key, value):
    *parents, last = key.split(".")
    for parent in parents:
        document = document[parent]
    if value is None:
        del document[last]
    else:
        document[last] = value


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("schema", "cachestorm/manifest/9", "schema: expected cachestorm/manifest/1, got 'cachestorm/manifest/9'"),
        ("kind", "egg", "kind: expected sdist or wheel, got 'egg'"),
        ("name", "", "name: expected a string that is not empty, got ''"),
        ("name", None, "name is missing: expected a string"),
        ("version", 4, "version: expected a string, got 4"),
        ("archive", [], "archive: expected an object, got []"),
        ("archive.sha256", "abc", "archive: sha256: expected 64 lower-case hexadecimal digits, got 'abc'"),
        ("archive.size", -1, "archive: size: expected a size in bytes, got -1"),
        ("archive.size", True, "archive: size: expected a size in bytes, got True"),
        ("archive.filename", "a/b", "archive: filename: expected a file name, got 'a/b'"),
        ("source", None, "source is missing"),
        ("files", [["a", 1], ["a", 2]], "files: expected [relative path, size in bytes], each path once"),
        ("files", [["../a", 1]], "got ['../a', 1]"),
        ("files", [["/a", 1]], "got ['/a', 1]"),
        ("files", [["a"]], "got ['a']"),
        ("files", [["a", -1]], "got ['a', -1]"),
        ("build.packages", ["nowhere"], "build: packages: expected files under nowhere/ in the archive, got 'nowhere'"),
        ("build.packages", "x", "build: packages: expected a list of strings, got 'x'"),
        ("build.package_data", ["nowhere"], "build: package_data: expected a file of the archive, got 'nowhere'"),
        ("build.license_files", ["nowhere"], "license_files: expected a file of the archive, got 'nowhere'"),
        ("build.zip_safe", "no", "build: zip_safe: expected true, false or null, got 'no'"),
        ("build.include_package_data", 1, "include_package_data: expected true or false, got 1"),
        ("build.wheel", "x.zip", "wheel: expected the file name of a wheel, got 'x.zip'"),
        ("build.egg_info", "x", "egg_info: expected a relative path that ends in .egg-info, got 'x'"),
        ("build.egg_info_files", [["a", 1]], "egg_info_files: expected PKG-INFO among them, got ['a']"),
        ("build.scripts", ["nowhere"], "build: scripts: expected a file of the archive, got 'nowhere'"),
        ("build.python_scripts", ["setup.py"], "build: python_scripts: expected one of the scripts, got 'setup.py'"),
        ("build.headers", ["nowhere"], "build: headers: expected a file of the archive, got 'nowhere'"),
        (
            "build.data_files",
            [["share", ["nowhere"]]],
            "data_files: expected [directory, [file of the archive, ...]], got",
        ),
        (
            "build.data_files",
            ["setup.py"],
            "data_files: expected [directory, [file of the archive, ...]], got 'setup.py'",
        ),
        ("build.namespace_packages", "x", "build: namespace_packages: expected a list of strings, got 'x'"),
        ("files", [["a", 1, "755"]], "expected [relative path, size in bytes, mode in four octal digits]"),
        ("files", [["a", 1, "0755", 1]], "expected [relative path, size in bytes, mode in four octal digits]"),
        ("build.package_dir", {"a": 1}, "package_dir: expected a string, got 1"),
    ],
)
def test_bad_manifest_names_file_key_and_value(tmp_path, key, value, message):
    document = read_json("jaeger-client-4.3.0")
    change(document, key, value)
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="expected") as caught:
        load_manifest(str(path))
    assert str(caught.value).startswith(f"{path}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(("text", "message"), [("{", "not JSON"), ("[]", "expected an object, got list")])
def test_what_is_no_object_is_refused(tmp_path, text, message):
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        load_manifest(str(path))


def test_the_same_release_twice_is_refused(tmp_path):
    for name in ("a", "b"):
        (tmp_path / f"{name}.json").write_text(json.dumps(read_json("six-1.16.0")))
    with pytest.raises(ValueError, match=r"b\.json: six==1\.16\.0 is described twice"):
        load_packages(str(tmp_path))


def test_a_requirement_without_version_is_refused(tmp_path):
    document = read_json("jaeger-client.requirements")
    document["requirements"].append("six")
    path = tmp_path / "x.requirements.json"
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="requirements: expected name==version, got 'six'"):
        load_requirements(str(path))
