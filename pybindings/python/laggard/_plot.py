"""Plots and reports: SVG and HTML that need nothing else."""

from __future__ import annotations

import os
from pathlib import Path

from laggard import _core
from laggard._table import Table
from laggard.errors import OutputError

__all__ = ["Plot"]


class Plot:
    """A picture, shown by Jupyter as it is.

    ``svg`` is the picture's text; its ``<desc>`` has the numbers. ``data`` has the tables that it draws, by name; the first is the
    main one.
    """

    __slots__ = ("data", "kind", "svg")

    def __init__(self, kind: str, picture: _core.Picture) -> None:
        self.kind = kind
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
        return f"<laggard.Plot {self.kind}: {len(self.svg)} characters of SVG; save it with .save('{self.kind}.svg')>"


def write_text(path: str | os.PathLike[str], text: str) -> Path:
    """Writes a file whole or not at all."""
    place = Path(path)
    new = place.with_name(f"{place.name}.{os.getpid()}.new")
    try:
        new.write_text(text, encoding="utf-8")
        new.replace(place)
    except OSError as problem:
        new.unlink(missing_ok=True)
        raise OutputError(f"{place}: cannot be written: {problem}; choose another place") from problem
    return place
