"""Small source distributions of many shapes: what is in their files, and the manifest of each.

`tests/data/traces/shapes` holds the rows of real builds of them (its README says how they were made), the unit tests
compare simulated builds with these.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from simulator.likeness.manifest import FILE_MODE, Archive, BuildSpec, FileSpec, SdistManifest

# Whole seconds, as the times of an archive's files are.
SECONDS = 1_500_000_000

MODULE = "x = 1\n"
NAMESPACE = "__import__('pkg_resources').declare_namespace(__name__)\n"
ALWAYS_IN_EGG_INFO = ("PKG-INFO", "SOURCES.txt", "dependency_links.txt", "top_level.txt")


@dataclass(frozen=True)
class Shape:
    """One source distribution: text of each file, modes of those that are not 0644, what its manifest tells."""

    files: dict[str, str]
    modes: dict[str, int]
    told: dict[str, object]


def _setup(**arguments):
    said = ", ".join(f"{key}={value!r}" for key, value in arguments.items())
    return f"import setuptools\nsetuptools.setup({said})\n"


def _shape(files, modes=None, **told):
    return Shape(files, modes or {}, told)


SHAPES = {
    "modules-in-lib": _shape(
        {
            "setup.py": _setup(
                name="modules-in-lib", version="1.0", package_dir={"": "lib"}, py_modules=["a.b.mod", "top"]
            ),
            **dict.fromkeys(("lib/a/__init__.py", "lib/a/b/__init__.py", "lib/a/b/mod.py", "lib/top.py"), MODULE),
            "lib/a/b/other.py": MODULE,
            "LICENSE": "l",
        },
        package_dir=(("", "lib"),),
        py_modules=("a.b.mod", "top"),
        license_files=("LICENSE",),
        egg_info="lib/modules_in_lib.egg-info",
    ),
    "data-in-src": _shape(
        {
            "setup.py": "import setuptools\nsetuptools.setup()\n",
            "setup.cfg": (
                "[metadata]\nname=data-in-src\nversion=1.0\nlicense_files=\n  LICENSE\n  AUTHORS\n  licenses/*.txt\n"
                "[options]\npackage_dir=\n  =src\npackages=find:\ninclude_package_data=True\nzip_safe=False\n"
                "[options.packages.find]\nwhere=src\n[options.package_data]\n*=*.json\n"
            ),
            "MANIFEST.in": "recursive-include src/pkg *.txt\nglobal-exclude *.pyc\n",
            **dict.fromkeys(("LICENSE", "AUTHORS", "licenses/BSD.txt", "licenses/MIT.txt"), "l"),
            **dict.fromkeys(("src/pkg/__init__.py", "src/pkg/sub/__init__.py"), MODULE),
            **dict.fromkeys(("src/pkg/py.typed", "src/pkg/d.json", "src/pkg/t/deep/x.txt", "src/pkg/t/y.txt"), "d"),
            "src/pkg/sub/z.json": "d",
        },
        package_dir=(("", "src"),),
        packages=("pkg", "pkg.sub"),
        include_package_data=True,
        zip_safe=False,
        license_files=("LICENSE", "AUTHORS", "licenses/BSD.txt", "licenses/MIT.txt"),
        package_data=(
            "src/pkg/t/y.txt", "src/pkg/t/deep/x.txt", "src/pkg/py.typed", "src/pkg/d.json", "src/pkg/sub/z.json",
        ),
        egg_info="src/data_in_src.egg-info",
    ),
    "scripts-and-data": _shape(
        {
            "setup.py": _setup(
                name="scripts-and-data",
                version="1.0",
                packages=["pk"],
                scripts=["bin/tool.py", "bin/run.sh", "bin/plain", "bin/loose.py"],
                data_files=[
                    ("share/doc", ["docs/a.txt", "docs/b.txt"]), ("", ["top.txt"]), ("etc/./y", ["docs/c.conf"]),
                    ("/etc/z", ["docs/c.conf"]), ("share", ["docs/a.txt"]),
                ],
                headers=["inc/h1.h", "inc/h2.h"],
            ),
            "bin/tool.py": "#!/usr/bin/env python\nprint(1)\n",
            "bin/run.sh": "#!/bin/sh\ntrue\n",
            "bin/plain": "data\n",
            "bin/loose.py": "#!/usr/bin/python3.8 -u\n",
            **dict.fromkeys(("docs/a.txt", "docs/b.txt", "docs/c.conf", "top.txt", "inc/h1.h", "inc/h2.h"), "d"),
            **dict.fromkeys(("pk/__init__.py", "pk/m.py"), MODULE),
        },
        {"bin/tool.py": 0o755, "bin/run.sh": 0o755, "docs/b.txt": 0o755, "pk/m.py": 0o755},
        packages=("pk",),
        scripts=("bin/tool.py", "bin/run.sh", "bin/plain", "bin/loose.py"),
        python_scripts=("bin/tool.py", "bin/loose.py"),
        data_files=(
            ("share/doc", ("docs/a.txt", "docs/b.txt")), ("", ("top.txt",)), ("etc/./y", ("docs/c.conf",)),
            ("/etc/z", ("docs/c.conf",)), ("share", ("docs/a.txt",)),
        ),
        headers=("inc/h1.h", "inc/h2.h"),
    ),
    "All.of-it": _shape(
        {
            "setup.py": _setup(
                name="All.of-it",
                version="1.0-beta1",
                packages=["ns", "ns.al", "ns.al.it"],
                namespace_packages=["ns"],
                scripts=["go"],
                data_files=[("d", ["root.txt"])],
                include_package_data=True,
                zip_safe=True,
                license_files=["LICENSE"],
            ),
            "setup.cfg": "[egg_info]\ntag_build=.dev3\n[bdist_wheel]\nuniversal=1\nbuild_number=2\n",
            "MANIFEST.in": "graft ns\n",
            "ns/__init__.py": NAMESPACE,
            **dict.fromkeys(("ns/al/__init__.py", "ns/al/it/m.py"), MODULE),
            "ns/al/it/t/u/v.txt": "v",
            "go": "#!/usr/bin/python\n",
            **dict.fromkeys(("root.txt", "LICENSE", "COPYING"), "l"),
        },
        {"go": 0o755},
        packages=("ns", "ns.al", "ns.al.it"),
        namespace_packages=("ns",),
        scripts=("go",),
        python_scripts=("go",),
        data_files=(("d", ("root.txt",)),),
        include_package_data=True,
        zip_safe=True,
        license_files=("LICENSE",),
        package_data=("ns/al/it/t/u/v.txt",),
        manifest_in=("graft ns",),
        egg_info="All.of_it.egg-info",
        wheel="All.of_it-1.0b1.dev3-2-py2.py3-none-any.whl",
        egg_info_more=("namespace_packages.txt",),
    ),
    "no-init": _shape(
        {
            "pyproject.toml": (
                "[project]\nname='no-init'\nversion='1.0'\ndependencies=['six']\n"
                "[tool.setuptools.packages.find]\ninclude=['no*']\n"
            ),
            **dict.fromkeys(("no/in/it/m.py", "no/in/n.py", "other/x.py"), MODULE),
        },
        packages=("no", "no.in", "no.in.it"),
        include_package_data=True,
        finds_in_root=True,
        egg_info_more=("requires.txt",),
    ),
    "all-over": _shape(
        {
            "setup.py": _setup(name="all-over", version="1.0", packages=["p"], include_package_data=True),
            "MANIFEST.in": (
                "recursive-include * *.txt  # everywhere\ninclude */*.md \\\n  docs/*.rst\n"
                "graft build\nglobal-include *.c\nrecursive-include [bd]* x.py\n"
            ),
            "p/__init__.py": MODULE,
            **dict.fromkeys(("p/d.txt", "p/e/f.txt", "docs/x.txt", "docs/y/z.md", "root.txt"), "d"),
        },
        packages=("p",),
        include_package_data=True,
        package_data=("p/d.txt", "p/e/f.txt"),
        manifest_in=(
            "recursive-include * *.txt", "include */*.md docs/*.rst", "graft build", "global-include *.c",
            "recursive-include [bd]* x.py",
        ),
    ),
    "nothing": _shape({"setup.py": _setup(name="nothing", version="1.0", packages=[]), "README": "r"}),
    "in-the-root": _shape(
        {
            "setup.py": _setup(
                name="in-the-root", version="1.0", packages=["ro", "ro.sub"], package_dir={"ro": ""}
            ),
            **dict.fromkeys(("__init__.py", "m.py", "sub/__init__.py"), MODULE),
        },
        packages=("ro", "ro.sub"),
        package_dir=(("ro", ""),),
    ),
    "stale": _shape(
        {
            "setup.py": _setup(name="stale", version="1.0", packages=["st"], zip_safe=False),
            "st/__init__.py": MODULE,
            "stale.egg-info/PKG-INFO": "Metadata-Version: 1.0\nName: stale\nVersion: 1.0\n",
            "stale.egg-info/requires.txt": "six\n",
            **dict.fromkeys(
                (
                    "stale.egg-info/pbr.json", "stale.egg-info/zip-safe", "stale.egg-info/native_libs.txt",
                    "stale.egg-info/inner/more.txt", "stale.egg-info/SOURCES.txt",
                ),
                "\n",
            ),
        },
        {"stale.egg-info/PKG-INFO": 0o664, "stale.egg-info/pbr.json": 0o755},
        packages=("st",),
        zip_safe=False,
        egg_info_more=("pbr.json", "inner/more.txt"),
    ),
    "children-first": _shape(
        {
            "setup.py": _setup(
                name="children-first",
                version="1.0",
                packages=["od.sub.deep", "od"],
                package_data={"od": ["in/*.sh", "sub/deep/*.txt"], "": ["*.txt"]},
            ),
            **dict.fromkeys(("od/__init__.py", "od/sub/deep/__init__.py"), MODULE),
            **dict.fromkeys(("od/in/x.sh", "od/sub/deep/t.txt"), "d"),
        },
        {"od/in/x.sh": 0o755},
        packages=("od.sub.deep", "od"),
        package_data=("od/sub/deep/t.txt", "od/in/x.sh", "od/sub/deep/t.txt"),
    ),
}  # fmt: skip


def write(name, directory):
    """Lay the files of a shape out."""
    shape = SHAPES[name]
    for path, text in shape.files.items():
        place = os.path.join(directory, path)
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "w", encoding="utf-8") as stream:
            stream.write(text)
        os.chmod(place, shape.modes.get(path, FILE_MODE))
        os.utime(place, (SECONDS, SECONDS))


def manifest(name):
    """The manifest of a shape."""
    shape = SHAPES[name]
    told = dict(shape.told)
    names = (*ALWAYS_IN_EGG_INFO, *told.pop("egg_info_more", ()))
    flags = {True: ("zip-safe",), False: ("not-zip-safe",), None: ()}[told.setdefault("zip_safe", None)]
    build = BuildSpec(
        **{
            **dict.fromkeys(("packages", "package_dir", "py_modules", "package_data", "license_files"), ()),
            "include_package_data": False,
            "egg_info": f"{name.replace('-', '_')}.egg-info",
            "egg_info_files": tuple(
                FileSpec(
                    file,
                    1 if file == "dependency_links.txt" else len(shape.files.get(f"stale.egg-info/{file}", "data")),
                )
                for file in sorted((*names, *flags))
            ),
            "wheel": f"{name.replace('-', '_')}-1.0-py3-none-any.whl",
            "dist_info_files": (),
            **told,
        }
    )
    files = tuple(FileSpec(path, len(text), shape.modes.get(path, FILE_MODE)) for path, text in shape.files.items())
    return SdistManifest(name, "1.0", Archive(f"{name}-1.0.tar.gz", 1, "0" * 64), name, files, build)
