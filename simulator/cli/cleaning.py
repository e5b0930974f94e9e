"""What `cachestorm clean` does, once its arguments are read: clean, say how far it is, say what was done.

Guarantees: a line that cannot be written stops neither the cleaning nor the giving up of its lock; it is a failure
afterwards. A signal ends the cleaning at its next entry, and what was done until then is said. Drops no privilege: root
must be able to empty another user's cache. Costs: `cache_core`; what only some cleanings need is loaded by them, and
the words for the report after the last entry is gone.
"""

from __future__ import annotations

import os
import sys

from cache_core.cleaner import clean_sync
from cache_core.crew import ALONE, Forked
from cache_core.fence import LandlockFence
from simulator.cli.signals import Interruption

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cache_core.holders import Holder
    from simulator.cli.listed import Listing
    from simulator.cli.progress_line import ProgressLine


def clean(
    *,
    path: str,
    dry_run: bool,
    residue_only: bool,
    force: bool,
    untagged: bool,
    timeout: float | None,
    remove_root: bool,
    follow_root: bool,
    verbose: bool,
    as_json: bool,
    own_process: bool,
) -> int:
    """Clean and report; returns the exit code.

    The arguments are those of `clean_sync`, but for the last three: `verbose` lists every path, on stdout or, beside a
    document (`as_json`), on stderr; `own_process`: nobody else lives in this process, so it may fork workers and put
    itself behind a fence that it does not come back from.

    Raises:
        CacheError: As `clean_sync`.
        InterruptedRunError: A signal came.
        OSError: What was to be printed could not be.
    """
    if _lies_in(path):
        _load_all()
    listing = _listing(as_json=as_json) if verbose else None
    progress = None if verbose else _progress()
    fence = LandlockFence(remove_root=remove_root) if own_process else None
    with Interruption(own_process=own_process) as interruption:
        try:
            report = clean_sync(
                path,
                force=force,
                untagged=untagged,
                dry_run=dry_run,
                remove_root=remove_root,
                residue_only=residue_only,
                follow_root=follow_root,
                timeout=timeout,
                progress=progress,
                removed=None if listing is None else listing.removed,
                mended=None if listing is None else listing.mended,
                cancelled=interruption,
                on_wait=lambda holders: _waiting(path, holders),
                crew=Forked() if own_process else ALONE,
                fence=fence,
            )
        finally:
            if fence is not None:
                fence.close()
            if progress is not None:
                progress.clear()
        from simulator.cli import clean_report  # noqa: PLC0415

        if report.cancelled or interruption():
            raise clean_report.interrupted(interruption.error(), report)
    clean_report.show(report, as_json=as_json)
    if listing is not None:
        listing.end()
    return 0 if report.succeeded else 1


def _lies_in(path: str) -> bool:
    """Whether this program is in the cache that it is to empty, as one is that a tool runs from its cache."""
    try:
        return os.path.realpath(__file__).startswith(os.path.realpath(path).rstrip("/") + "/")
    except OSError:
        # Somebody exchanges it under our eyes.
        return True


def _load_all() -> None:
    """Load now what would be gone by the time that it is needed."""
    import json  # noqa: F401, PLC0415 - loaded, not used

    import simulator.cli.clean_report  # noqa: PLC0415
    import simulator.cli.main  # noqa: F401, PLC0415


def _listing(*, as_json: bool) -> Listing:
    from simulator.cli.listed import Listing  # noqa: PLC0415

    return Listing(sys.stderr if as_json else sys.stdout)


def _progress() -> ProgressLine | None:
    """Nobody reads a line that is overwritten but at a terminal."""
    if not sys.stderr.isatty():
        return None
    from simulator.cli.progress_line import ProgressLine  # noqa: PLC0415

    return ProgressLine(sys.stderr)


def _waiting(path: str, holders: tuple[Holder, ...]) -> None:
    from simulator.cli import clean_report  # noqa: PLC0415
    from simulator.cli.output import note  # noqa: PLC0415

    note(clean_report.waiting(path, holders))
