"""What an sdist's files say about its build, put together as setuptools does: setup.py, setup.cfg, pyproject.toml.

Guarantee: what one file says is overridden where setuptools overrides it; a value that only running setup.py would
tell is `UNKNOWN`, and whoever needs it asks the sdist's own metadata (`metadata`) or a wheel.
Refused, each by name: another back end, extension modules, options that move the build elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from simulator.errors import BadInputError
from simulator.sdists import pyproject, setup_cfg
from simulator.sdists.scm import ScmUse, scm_use
from simulator.sdists.script import Said, read_script
from simulator.sdists.values import UNKNOWN, is_known

if TYPE_CHECKING:
    from simulator.sdists.archive import SourceArchive
    from simulator.sdists.tree import SourceTree

NAMES = (
    "packages",
    "py_modules",
    "package_dir",
    "package_data",
    "exclude_package_data",
    "include_package_data",
    "zip_safe",
    "scripts",
    "data_files",
    "headers",
    "namespace_packages",
    "license_file",
    "license_files",
    "install_requires",
    "extras_require",
    "entry_points",
    "eager_resources",
)
_EXTENSIONS = ("ext_modules", "libraries", "cffi_modules", "rust_extensions", "cython_modules", "mypyc_modules")
_COMPILED = (".c", ".cc", ".cpp", ".cxx", ".f", ".f90", ".m", ".pyx", ".rs", ".swg")
_THERE_ANYWAY = frozenset({"", "setuptools", "wheel"})
# Options of commands that put a build elsewhere, or make another one of it.
_NOT_MODELLED = {
    "build": ("build_base", "build_lib", "build_purelib", "build_scripts", "build_temp"),
    "build_py": ("build_lib",),
    "bdist": ("bdist_base",),
    "bdist_wheel": ("bdist_dir", "keep_temp", "plat_name", "py_limited_api", "relative", "skip_build"),
    "install": ("root", "install_lib", "install_purelib"),
}


@dataclass(slots=True)
class Told:
    """What is said.

    Attributes:
        values: by the argument's name in `setup()`, `NAMES`; None where nothing is said, `UNKNOWN` where it is
            computed.
        commands: options of commands, by command.
        found_package_dir: what searching for packages says about `package_dir`.
        finds_in_root: whether pyproject.toml has packages found among all directories of the root.
        root_on_path: whether the back end is the one that has the root of the sources on sys.path.
        by_pyproject: whether pyproject.toml configures setuptools.
        own_commands: commands that the setup script replaces; what they do is not modelled.
        all_named: False when setup.py passes arguments that cannot be named.
        pbr: whether pbr takes part.
        scm: how setuptools_scm takes part.
        build_requires: what has to be there while it is built, beside setuptools and wheel.
    """

    values: dict[str, Any]
    commands: dict[str, dict[str, str]]
    found_package_dir: dict[str, str] = field(default_factory=dict)
    finds_in_root: bool = False
    root_on_path: bool = False
    by_pyproject: bool = False
    own_commands: tuple[str, ...] = ()
    all_named: bool = True
    pbr: bool = False
    scm: ScmUse = field(default_factory=ScmUse)
    build_requires: tuple[str, ...] = ()

    def __getitem__(self, name: str) -> Any:
        """What is said of one argument."""
        return self.values[name]

    def option(self, command: str, name: str) -> str:
        """An option of a command; empty when it is not set."""
        return str(self.commands.get(command, {}).get(name, "")).strip()


def read_told(path: str, archive: SourceArchive, tree: SourceTree) -> Told:
    """Read setup.py, setup.cfg and pyproject.toml.

    Args:
        path: of the sdist, for messages.
        archive: what it holds.
        tree: its files.

    Raises:
        BadInputError: one of them cannot be read, or asks for what is not modelled.
    """
    document = _document(path, archive)
    _check_back_end(path, document)
    if not {"setup.py", "setup.cfg", "pyproject.toml"} & set(archive.texts):
        raise _bad(path, "has neither setup.py nor pyproject.toml: nothing builds it")
    sections = _sections(path, archive)
    said = _said(path, archive, tree, document)
    _check_extensions(path, said, document, archive)
    _check_commands(path, sections)
    # A wrapper of `setup()` may take it for itself.
    if "." in said.by and said.arguments.get("use_2to3") not in (None, False, UNKNOWN):
        raise _bad(path, "sets use_2to3 in setup.py: setuptools refuses that since 58.0")
    told = Told(dict.fromkeys(NAMES), _commands(said, sections, document), all_named=said.all_named and said.called)
    told.root_on_path = pyproject.back_end(document) == pyproject.LEGACY_BACK_END
    if "setup.py" not in archive.texts:
        told.all_named = True
    _take_script(told, said, told.all_named)
    given = setup_cfg.options(sections, tree)
    if said.arguments.get("pbr") is True or (said.by and "files" in sections and not said.all_named):
        given = setup_cfg.pbr_options(sections, tree) | given
    _take_setup_cfg(told, given, said)
    if pyproject.tells_setuptools(document):
        _take_pyproject(told, pyproject.options(document, tree))
    told.build_requires = _build_requires(document, said, sections)
    told.pbr = said.arguments.get("pbr") is True
    told.scm = scm_use(said.arguments.get("use_scm_version"), document, told.build_requires)
    own = said.arguments.get("cmdclass")
    told.own_commands = tuple(sorted(str(name) for name in own)) if isinstance(own, dict) else ()
    return told


def _bad(path: str, what: str) -> BadInputError:
    return BadInputError("bad-sdist", path, f"sdist '{path}' {what}")


def text_of(path: str, archive: SourceArchive, name: str) -> str:
    """The text of one of the files that tell something; empty when it is not there.

    Raises:
        BadInputError: it is not UTF-8.
    """
    try:
        return archive.texts.get(name, b"").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise _bad(path, f"has a {name} that is not UTF-8 (byte {error.start})") from error


def _document(path: str, archive: SourceArchive) -> dict[str, Any]:
    try:
        return pyproject.read_pyproject(text_of(path, archive, "pyproject.toml"))
    except ValueError as error:
        raise _bad(path, f"has a pyproject.toml that is no TOML: {error}") from error


def _check_back_end(path: str, document: dict[str, Any]) -> None:
    name = pyproject.back_end(document)
    if name not in pyproject.SETUPTOOLS_BACK_ENDS:
        raise BadInputError(
            "other-back-end",
            path,
            f"sdist '{path}' is built by {name}; only builds by setuptools are simulated (setuptools.build_meta)",
        )


def _sections(path: str, archive: SourceArchive) -> dict[str, dict[str, str]]:
    try:
        return setup_cfg.read_setup_cfg(text_of(path, archive, "setup.cfg"))
    except ValueError as error:
        raise _bad(path, f"has a setup.cfg that cannot be read: {error}") from error


def _said(path: str, archive: SourceArchive, tree: SourceTree, document: dict[str, Any]) -> Said:
    if "setup.py" not in archive.texts:
        return Said()
    try:
        # Python 2's encodings in old scripts: what counts here is ASCII.
        text = archive.texts["setup.py"].decode("utf-8-sig", "replace")
        required = pyproject.build_requirements(document)
        return read_script(text, tree, required, imports_own=pyproject.is_legacy(document))
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        reason = error.msg if isinstance(error, SyntaxError) else type(error).__name__
        raise _bad(path, f"has a setup.py that is no Python 3: {reason}{line}") from error


def _build_requires(document: dict[str, Any], said: Said, sections: dict[str, dict[str, str]]) -> tuple[str, ...]:
    by_script = said.arguments.get("setup_requires")
    listed = [by_script] if isinstance(by_script, str) else by_script
    told = [
        *pyproject.table(document, "build-system").get("requires", []),
        *(listed if isinstance(listed, list | tuple) else ()),
        *setup_cfg.as_list(sections.get("options", {}).get("setup_requires", "").replace(";", "\n")),
    ]
    wanted = (str(item).strip() for item in told if isinstance(item, str))
    return tuple(dict.fromkeys(item for item in wanted if pyproject.project_of(item) not in _THERE_ANYWAY))


def _check_extensions(path: str, said: Said, document: dict[str, Any], archive: SourceArchive) -> None:
    compiles = any(name.endswith(_COMPILED) for name in archive.files)
    for name in _EXTENSIONS:
        given = said.arguments.get(name)
        # Computed, and nothing there to compile: it comes to nothing.
        if (given is UNKNOWN and compiles) or (given is not UNKNOWN and given):
            raise _extensions(path, f"{name} in setup.py")
    if compiles and "distclass" in said.arguments:
        raise _extensions(path, "distclass in setup.py")
    if said.by.partition(".")[0] not in {"", "setup", "setuptools", "distutils"}:
        raise _extensions(path, f"{said.by}() in setup.py")
    if pyproject.table(document, "tool", "setuptools").get("ext-modules"):
        raise _extensions(path, "ext-modules in pyproject.toml")


def _extensions(path: str, where: str) -> BadInputError:
    return BadInputError(
        "extension-modules", path, f"sdist '{path}' has extension modules ({where}); only pure Python is simulated"
    )


def _check_commands(path: str, sections: dict[str, dict[str, str]]) -> None:
    for command, names in _NOT_MODELLED.items():
        for name in names:
            if sections.get(command, {}).get(name):
                raise BadInputError(
                    "not-modelled",
                    path,
                    f"sdist '{path}' sets {name} of {command} in setup.cfg, which is not simulated",
                )


def _commands(said: Said, sections: dict[str, dict[str, str]], document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Options of commands: the setup script's, then setup.cfg's, then pyproject.toml's."""
    commands = {name: dict(values) for name, values in sections.items() if "." not in name}
    given = said.arguments.get("options")
    for name, values in (given if isinstance(given, dict) else {}).items():
        if isinstance(values, dict) and is_known(values):
            commands[name] = {str(key): str(value) for key, value in values.items()} | commands.get(name, {})
    for name, values in pyproject.table(document, "tool", "distutils").items():
        if isinstance(values, dict):
            table = {key.replace("-", "_"): str(value) for key, value in values.items()}
            commands[name.replace("-", "_")] = commands.get(name.replace("-", "_"), {}) | table
    return commands


def _take_script(told: Told, said: Said, all_named: bool) -> None:
    for name in NAMES:
        value = said.arguments.get(name, None if all_named else UNKNOWN)
        told.values[name] = value if is_known(value) else UNKNOWN


def _take_setup_cfg(told: Told, given: dict[str, Any], said: Said) -> None:
    told.found_package_dir = given.pop("found_package_dir", {})
    for name, value in given.items():
        # What the script has said stays, unless it is empty; one that only may have said something has not.
        current = told.values[name]
        if (name not in said.arguments) if current is UNKNOWN else not current:
            told.values[name] = value


def _take_pyproject(told: Told, given: dict[str, Any]) -> None:
    told.by_pyproject = True
    told.found_package_dir = given.pop("found_package_dir", told.found_package_dir)
    told.finds_in_root = given.pop("finds_in_root", False)
    before = told.values["package_dir"]
    if "package_dir" in given and isinstance(before, dict):
        given["package_dir"] = given["package_dir"] | before
    given.pop("ext_modules", None)
    told.values |= given
    if told.values["include_package_data"] is None:
        told.values["include_package_data"] = True
