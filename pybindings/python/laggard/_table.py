"""Tables: rows that every dataframe library takes without copying them."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from html import escape
from types import ModuleType
from typing import TYPE_CHECKING, Any

from laggard import _core
from laggard.errors import MissingDependencyError, UnreadableRunError

if TYPE_CHECKING:
    import pandas
    import polars
    import pyarrow

__all__ = ["Table"]


class Table:
    """A table of recorded or computed rows.

    It has the Arrow PyCapsule interface, so that ``pyarrow.table(table)``, ``polars.DataFrame(table)``,
    ``pandas.DataFrame.from_arrow(table)`` (pandas 3) and DuckDB take it as it is. Column names end in their unit; missing values
    are null, never zero and never NaN. What the columns mean: :func:`laggard.columns`.

    Recorded tables (``Run.operations()`` and the like) are decoded when somebody takes them, batch after batch, and anew each
    time: the table itself holds no rows.
    """

    __slots__ = ("_rows", "name")

    def __init__(self, name: str, rows: _core.Answer | _core.Rows) -> None:
        self.name = name
        self._rows = rows

    @property
    def columns(self) -> list[str]:
        """Names of the columns."""
        return self._rows.columns

    def __len__(self) -> int:
        """Number of rows."""
        return len(self._rows)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows, number of columns."""
        return len(self), len(self.columns)

    @property
    def notes(self) -> list[str]:
        """What is to be said beside the rows: what they leave out, and a comparison's verdict over all of them."""
        return self._rows.notes if isinstance(self._rows, _core.Answer) else []

    @property
    def verdict(self) -> str | None:
        """Of :meth:`Runs.gate` and :meth:`Runs.check`: ``pass``, ``fail`` or ``cannot tell``; None of other tables."""
        if self.name not in ("gate", "check") or not isinstance(self._rows, _core.Answer):
            return None
        said = {None: "pass", 4: "fail", 5: "cannot tell"}[self._rows.verdict]
        # What could not be read may be what does not pass.
        return "cannot tell" if said == "pass" and self._rows.unreadable else said

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow C stream in a PyCapsule."""
        return self._rows.__arrow_c_stream__(requested_schema)

    def to_arrow(self) -> pyarrow.Table:
        """The rows as a ``pyarrow.Table``.

        Raises:
            MissingDependencyError: pyarrow is not installed.
            UnreadableRunError: Recorded rows are damaged.
        """
        arrow = _needed("pyarrow", "to_arrow")
        reader = self._reader(arrow)
        table: pyarrow.Table = arrow.Table.from_batches(list(_read(arrow, reader)), schema=reader.schema)
        return table

    def batches(self) -> Iterator[pyarrow.RecordBatch]:
        """The rows in parts, as ``pyarrow.RecordBatch``es: of recorded tables some 260,000 rows at a time, which is all that is held.

        Raises:
            MissingDependencyError: pyarrow is not installed.
            UnreadableRunError: Recorded rows are damaged.
        """
        arrow = _needed("pyarrow", "batches")
        return _read(arrow, self._reader(arrow))

    def to_pandas(self, **options: Any) -> pandas.DataFrame:
        """The rows as a ``pandas.DataFrame``, with pandas 2 and 3.

        Whole numbers that may be missing are floats with NaN, as pandas has them.

        Args:
            options: Those of ``pyarrow.Table.to_pandas``; ``split_blocks=True, self_destruct=True`` needs no second copy.

        Raises:
            MissingDependencyError: pandas or pyarrow is not installed.
            UnreadableRunError: Recorded rows are damaged.
        """
        _needed("pandas", "to_pandas")
        frame: pandas.DataFrame = self.to_arrow().to_pandas(**options)
        return frame

    def _reader(self, arrow: Any) -> Any:
        return arrow.RecordBatchReader.from_stream(self)

    def to_polars(self) -> polars.DataFrame:
        """The rows as a ``polars.DataFrame``.

        Raises:
            MissingDependencyError: polars or pyarrow is not installed; without pyarrow there is ``polars.DataFrame(table)``.
            UnreadableRunError: Recorded rows are damaged.
        """
        frame: polars.DataFrame = _needed("polars", "to_polars").from_arrow(self.to_arrow())
        return frame

    def __repr__(self) -> str:
        rows, columns = self.shape
        head = f"<laggard.Table {self.name}: {rows} rows, {columns} columns>"
        if isinstance(self._rows, _core.Answer):
            return f"{head}\n{self._rows.text.rstrip()}"
        return f"{head}\n{', '.join(self.columns)}"

    def _repr_html_(self) -> str:
        if isinstance(self._rows, _core.Answer):
            return self._rows.html
        rows, _ = self.shape
        names = "".join(f"<li><code>{escape(name)}</code></li>" for name in self.columns)
        return f"<p><b>{self.name}</b>: {rows} rows</p><ul>{names}</ul>"


def _read(arrow: Any, reader: Any) -> Iterator[pyarrow.RecordBatch]:
    """The batches, one by one: in between, Ctrl-C is heard."""
    while True:
        try:
            batch = reader.read_next_batch()
        except StopIteration:
            return
        except (arrow.ArrowException, OSError) as problem:
            raise UnreadableRunError(str(problem)) from problem
        yield batch


def _needed(package: str, method: str) -> Any:
    """A package that is asked for only where it is used."""
    try:
        module: ModuleType = importlib.import_module(package)
    except ImportError as missing:
        raise MissingDependencyError(f"{method}() needs {package}; install it with: pip install {package}") from missing
    return module
