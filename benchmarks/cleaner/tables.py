"""Tables, for a terminal and for a page of the docs, from the same cells. No number of the docs is typed by hand."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table

BEGIN, END = "<!-- cleaner: measured, do not edit -->\n", "<!-- /cleaner -->"


@dataclass(frozen=True, slots=True)
class Grid:
    """A table: title, heads of the columns, rows of text."""

    title: str
    head: tuple[str, ...]
    rows: list[tuple[str, ...]]

    def printed(self):
        """For a terminal."""
        table = Table(title=self.title)
        for head in self.head:
            table.add_column(head, overflow="fold")
        for row in self.rows:
            table.add_row(*row)
        return table

    def markdown(self):
        """For a page."""
        lines = [self.head, ("---",) * len(self.head), *self.rows]
        return f"**{self.title}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def middle(values, form="{:.2f}"):
    """``0.57 (0.55-0.60)``: the median, and the least and the most."""
    shown = form.format(statistics.median(values))
    if len(values) == 1:
        return shown
    return f"{shown} ({form.format(min(values))}-{form.format(max(values))})"


def ratios(these, those, kind):
    """Of neighbours in time: each round's to the base of the same round."""
    return [getattr(one, kind) / getattr(other, kind) for one, other in zip(these, those, strict=True)]


def can_be_written(path):
    """Whether `write` would know where to put the tables: in a new file, or between the marks of one."""
    page = Path(path)
    if not page.exists():
        return True
    text = page.read_text("utf-8")
    return BEGIN in text and END in text


def write(path, texts):
    """Put the tables into a page; what is not between its marks stays."""
    page, middle_part = Path(path), "\n\n".join(texts)
    text = page.read_text("utf-8") if page.exists() else BEGIN + END + "\n"
    pattern = f"(?<={re.escape(BEGIN)}).*?(?={re.escape(END)})"
    page.write_text(re.sub(pattern, lambda _: f"\n{middle_part}\n\n", text, count=1, flags=re.DOTALL), "utf-8")
