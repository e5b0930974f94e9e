"""All that there is to go by when a manifest is made of an sdist, and what it does not tell."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from simulator.errors import BadInputError

if TYPE_CHECKING:
    from simulator.sdists.archive import SourceArchive
    from simulator.sdists.metadata import SdistMetadata
    from simulator.sdists.told import Told
    from simulator.sdists.tree import SourceTree
    from simulator.sdists.wheels import WheelAnswers


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one sdist.

    Attributes:
        path: of the file, for messages.
        archive: what it holds.
        tree: its files.
        told: what its configuration says.
        metadata: what it says of itself, where the configuration computes.
        wheel: what a wheel of it says, where neither does.
        missing: names of arguments of `setup()` that nothing tells.
        notes: what is left out of the manifest, a sentence each.
    """

    path: str
    archive: SourceArchive
    tree: SourceTree
    told: Told
    metadata: SdistMetadata
    wheel: WheelAnswers | None
    missing: set[str] = field(default_factory=set)
    notes: list[str] = field(default_factory=list)

    def refused(self, what: str) -> BadInputError:
        """The error that says why this is not built."""
        return BadInputError("bad-sdist", self.path, f"sdist '{self.path}' {what}")

    def require_all(self) -> None:
        """Go on only if everything is told.

        Raises:
            BadInputError: names what is not.
        """
        if self.missing:
            names = ", ".join(sorted(self.missing))
            raise BadInputError(
                "not-told",
                self.path,
                f"sdist '{self.path}': setup.py computes {names}, and its egg-info does not tell; a wheel of it does:"
                " cachestorm manifest SDIST --wheel WHEEL",
            )
