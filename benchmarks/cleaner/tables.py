"""Tables, for a terminal and for a page of the docs, from the same cells. No number of the docs is typed by hand."""

from __future__ import annotations

import re
import statistics
from dataclasses import dataclass
from pathlib import Path

from rich.table import Table


def marks(name):
    """Between which the tables of a benchmark are, in a page."""
    return f"<!-- {name}: measured, do not edit -->\n", f"<!-- /{name} -->"


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


def can_be_written(path, name="cleaner"):
    """Whether `write` would know where to put the tables: in a new file, or between the marks of one."""
    page = Path(path)
    if not page.exists():
        return True
    text = page.read_text("utf-8")
    return all(mark in text for mark in marks(name))


def write(path, texts, name="cleaner"):
    """Put the tables into a page; what is not between the marks of the benchmark stays."""
    page, middle_part = Path(path), "\n\n".join(texts)
    begin, end = marks(name)
    text = page.read_text("utf-8") if page.exists() else begin + end + "\n"
    pattern = f"(?<={re.escape(begin)}).*?(?={re.escape(end)})"
    page.write_text(re.sub(pattern, lambda _: f"\n{middle_part}\n\n", text, count=1, flags=re.DOTALL), "utf-8")
