"""Plots and reports: SVG and HTML that need nothing else."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from laggard import _core
from laggard._table import Table
from laggard.errors import OutputError

__all__ = ["Plot"]


class Plot:
    """A picture, shown by Jupyter as it is.

    ``svg`` is the picture's text; its ``<desc>`` has the numbers. ``data`` has the tables that it draws, by name; the first is the
    main one. ``notes`` says what is to be kept in mind, such as runs in which the clients were the limit.
    """

    __slots__ = ("data", "kind", "notes", "svg")

    def __init__(self, kind: str, picture: _core.Picture, notes: list[str]) -> None:
        self.kind = kind
        self.notes = notes
        self.svg: str = picture.svg
        self.data: dict[str, Table] = {name: Table(name, rows) for name, rows in picture.tables}

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Writes the picture into an SVG file and returns its path.

        Raises:
            OutputError: The file cannot be written.
        """
        return write_text(path, self.svg)

    def _repr_svg_(self) -> str:
        return self.svg

    def __repr__(self) -> str:
        head = f"<laggard.Plot {self.kind}: {len(self.svg)} characters of SVG; save it with .save('{self.kind}.svg')>"
        return "\n".join([head, *self.notes])


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Writes a file whole or not at all."""
    place = Path(path)
    new: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            "w", dir=place.parent, prefix=".", suffix=".new", delete=False, encoding="utf-8", newline=""
        ) as file:
            new = Path(file.name)
            file.write(text)
        # As any other file that is made: temporary ones are for their owner alone.
        umask = os.umask(0)
        os.umask(umask)
        new.chmod(0o666 & ~umask)
        new.replace(place)
    except (OSError, ValueError) as problem:
        raise OutputError(f"{place}: cannot be written: {problem}; choose another place") from problem
    finally:
        if new is not None:
            new.unlink(missing_ok=True)
    return place
