"""`cachestorm manifest`: what a build of a real sdist reads and writes, as a manifest to simulate it by."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from simulator.cli.output import note, print_document
from simulator.cli.parameters import debug_option, examples, json_option

if TYPE_CHECKING:
    from simulator.likeness.manifest import SdistManifest, WheelManifest

_WHEEL_SUFFIX = ".whl"


@click.command(
    "manifest",
    short_help="Print a package manifest, made from a real sdist.",
    epilog=examples(
        "cachestorm manifest ./some-package-1.0.tar.gz > some-package-1.0.json",
        "cachestorm manifest ./some-package-1.0.tar.gz --wheel ./some_package-1.0-py3-none-any.whl",
    ),
)
@click.argument("sdist")
@click.option("--wheel", metavar="WHEEL", help="A wheel of it: tells what setup.py computes and the sdist does not.")
@click.option("--egg-info", metavar="DIR", help="The egg-info that a real build left: exact sizes of what is written.")
@click.option("--index", default="file", show_default=True, help="Said in the manifest: where the sdist is from.")
@click.option("--as-of", default="unknown", show_default=True, help="Said in the manifest: the day it was the newest.")
@click.option("--how", metavar="SENTENCE", help="Said in the manifest: how it was made.")
@json_option()
@debug_option()
def command(
    *, sdist: str, wheel: str | None, egg_info: str | None, index: str, as_of: str, how: str | None, as_json: bool
) -> int:
    """Print the manifest of SDIST, a .tar.gz or .zip that setuptools builds; or of a wheel, which is taken as it is.

    Nothing of it is executed, and nothing is unpacked. What setup.py computes is taken from the egg-info in the sdist;
    what that does not tell either is named (exit 2), and a wheel of it supplies it. The manifest is JSON, one line for
    each file; on one line with --json.
    """
    from simulator.likeness.manifest import Source  # noqa: PLC0415
    from simulator.sdists.document import manifest_document, manifest_json  # noqa: PLC0415
    from simulator.sdists.reader import default_how, read_with_notes  # noqa: PLC0415
    from simulator.sdists.wheels import read_wheel  # noqa: PLC0415

    source = Source(index, as_of, how or default_how(wheel))
    if sdist.endswith(_WHEEL_SUFFIX):
        if wheel is not None or egg_info is not None:
            raise click.UsageError(f"'{sdist}' is a wheel itself; --wheel and --egg-info go with an sdist")
        manifest: SdistManifest | WheelManifest = read_wheel(sdist, source)
    else:
        reading = read_with_notes(sdist, wheel, egg_info, source)
        manifest = reading.manifest
        for sentence in reading.notes:
            note(sentence)
    if as_json:
        print_document(manifest_document(manifest))
    else:
        sys.stdout.write(manifest_json(manifest))
    return 0
