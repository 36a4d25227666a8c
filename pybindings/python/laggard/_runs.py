"""Runs: which there are, and everything that can be asked of them."""

from __future__ import annotations

import builtins
import difflib
import errno
import json
import operator
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, overload

from laggard import _core, errors
from laggard._plot import Plot, write_text
from laggard._table import Table
from laggard.errors import AmbiguousLabelError, ArgumentError, FolderNotFoundError, LaggardWarning, NoRunsError, UnknownFieldError

__all__ = ["Run", "Runs", "open"]

_StrPath = str | os.PathLike[str]


def open(  # noqa: A001
    path: _StrPath = "etcd_bench_results",
    pattern: str | Iterable[str] | None = None,
    *,
    sweep: str | None = None,
    include_failed: bool = False,
) -> Runs:
    """Opens recorded runs.

    Args:
        path: A results folder, one run folder, or a bundle of ``analyze bundle``.
        pattern: Globs over labels, as ``"loss*_mid"``; a run is taken when one of them matches. None takes every run.
        sweep: The id of a sweep, or ``"latest"``.
        include_failed: Whether failed runs are taken, where their files are whole.

    Returns:
        The runs, oldest first. Those that are left out are in ``left_out``, and warned of.

    Raises:
        FolderNotFoundError: There is no such folder or file.
        PatternError: No label can match the pattern.
        NoRunsError: Nothing matches; the message has the nearest labels.
        UnfinishedRunError, FailedRunError, NewerFormatError, UnreadableRunError: No run can be used, the first one for this reason.
        BundleError: The file is no bundle, or not whole.
    """
    if not Path(path).exists():
        raise _not_found(path)
    patterns = [] if pattern is None else _several("pattern", pattern)
    place = _core.Place(Path(path).resolve())
    folder = Path(place.path)
    found, left_out = _core.Selection(folder, set(), patterns, sweep, include_failed).find()
    if not found:
        if left_out:
            kind, message = left_out[0]
            raise getattr(errors, kind)(message)
        raise NoRunsError(f"{path}: no run matches")
    for _, message in left_out:
        warnings.warn(message, LaggardWarning, stacklevel=2)
    asked = _Asked(path, place, folder, include_failed)
    return Runs(asked, [Run(run, asked) for run in found], patterns, [message for _, message in left_out])


def _not_found(path: _StrPath) -> FolderNotFoundError:
    missing = FolderNotFoundError(
        f"{path}: no such folder; name the folder that `recorder` wrote to, a run folder, or a bundle"
    )
    missing.errno, missing.filename = errno.ENOENT, str(path)
    return missing


class _Asked:
    """What :func:`open` was asked for, and what keeps a bundle unpacked."""

    __slots__ = ("folder", "include_failed", "path", "place")

    def __init__(self, path: _StrPath, place: _core.Place, folder: Path, include_failed: bool) -> None:
        self.path = path
        self.place = place
        self.folder = folder
        self.include_failed = include_failed

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _asked_again, (os.path.abspath(self.path), self.include_failed)


def _asked_again(path: str, include_failed: bool) -> _Asked:
    """The same in another process."""
    place = _core.Place(Path(path).resolve())
    return _Asked(path, place, Path(place.path), include_failed)


def _table(name: str, answer: _core.Answer) -> Table:
    """A table, with a warning for each run that it had to leave out."""
    for message in answer.unreadable:
        warnings.warn(message, LaggardWarning, stacklevel=3)
    return Table(name, answer)


def _several(name: str, given: str | Iterable[str]) -> list[str]:
    """One or several words; that there is none would mean all of them, which nobody writes so."""
    words = [given] if isinstance(given, str) else list(given)
    if not words:
        raise ArgumentError(f"{name}=[]: has nothing in it; leave it out, or give None, to take everything")
    return words


def _chosen(name: str, given: str | Iterable[str] | None) -> list[str]:
    return [] if given is None else _several(name, given)


class _Tables:
    """Every table of `analyze`, of one run or of several: the same names, columns and numbers.

    What the columns mean, and in which unit they are: :func:`laggard.columns`. Baselines and null faults beside the runs are used
    for what runs are compared with, as on the command line.
    """

    __slots__ = ()

    def _selected(self) -> _core.Selection:
        raise NotImplementedError

    def _name(self) -> str:
        raise NotImplementedError

    def list(self) -> Table:
        """One row for each run: fault, whom it hit, its measured window (s after time 0), role, and what to keep in mind.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
        """
        return _table("list", _core.list_runs(self._selected()))

    def summary(self) -> Table:
        """Counts, throughput and exact percentiles, one row for each run, kind of operation and phase.

        ``service_*_ms`` is end - start and ``response_*_ms`` end - intended start, of acknowledged operations;
        ``response_due_*_ms`` is over all operations that were due. Percentiles are nearest-rank.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
        """
        return _table("summary", _core.summary(self._selected()))

    def throughput(self, by: str = "run") -> Table:
        """Operations in each second after time 0, by outcome; with ``by="member"`` one row for each second and member asked.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
            ArgumentError: An argument that cannot be meant.
        """
        return _table("throughput", _core.throughput(self._selected(), by))

    def cdf(self) -> Table:
        """Distributions of service and response time (ms) by run, kind and phase.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
        """
        return _table("cdf", _core.cdf(self._selected()))

    def delta(self, by: str = "label") -> Table:
        """Effects of faults: differences and ratios to before, or to baselines, with 95 % intervals.

        Args:
            by: ``"label"`` pools repeats (t intervals between runs); ``"run"`` has each run by itself (block bootstrap within it, from
                which nothing is called significant).

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
            ArgumentError: An argument that cannot be meant.
        """
        return _table("delta_by_run" if by == "run" else "delta", _core.delta(self._selected(), by))

    def recovery(self, by: str = "label", *, hold_s: float = 2.0, share: float = 95.0) -> Table:
        """How runs came back after their faults; what was not seen to recover is censored and no number.

        Args:
            by: ``"label"`` or ``"run"``.
            hold_s: Seconds for which the level before must be held.
            share: Percent of the throughput before that is enough.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
            ArgumentError: An argument that cannot be meant.
        """
        return _table("recovery", _core.recovery(self._selected(), by, hold_s, share))

    def severity(
        self,
        metric: str | Iterable[str] | None = None,
        *,
        crossings: bool = False,
        begins: float = 10.0,
        certain: float = 50.0,
    ) -> Table:
        """What is lost at each value of a fault; with ``crossings`` the danger zone, from which value on how much is lost.

        Args:
            metric: ``ops_per_s``, or a time as ``response_p99_ms``; None takes throughput, p50 and p99 of response time.
            crossings: Whether crossings are told in place of points.
            begins, certain: Percent lost where the danger zone begins, and where it is certain.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
            ArgumentError: An argument that cannot be meant.
        """
        name = "severity_crossings" if crossings else "severity"
        return _table(name, _core.severity(self._selected(), _chosen("metric", metric), crossings, begins, certain))

    def causes(self) -> Table:
        """What the members' samples show under a fault (fsync, peers, replication), and whether it is raised.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
        """
        return _table("causes", _core.causes(self._selected()))

    def verdict(self, by: str = "label", *, hold_s: float = 2.0, share: float = 95.0) -> Table:
        """What the faults did, in a sentence a ``"run"``, ``"label"`` or ``"sweep"``, with its numbers.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
            ArgumentError: An argument that cannot be meant.
        """
        return _table("verdict", _core.verdict(self._selected(), by, hold_s, share))

    def member_samples(self, metric: str | Iterable[str] | None = None) -> Table:
        """What the members tell of each second, as `analyze samples`: one row a second, member and metric.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
            ArgumentError: An argument that cannot be meant.
        """
        return _table("member_samples", _core.samples(self._selected(), _chosen("metric", metric)))

    def check(self) -> Table:
        """Whether what the cluster answered can be right, and whether recordings are whole; see ``Table.verdict``.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
        """
        return _table("check", _core.check(self._selected()))

    def gate(self, rules: str | Iterable[str] = (), *, file: _StrPath | None = None) -> Table:
        """Holds rules against the runs, as ``"during.put.p99 <= 3 * before"``; see ``Table.verdict``.

        Args:
            rules: Rules as typed.
            file: A rules file beside them.

        Raises:
            ArgumentError: A rule that cannot be meant, or none at all.
            NoRunsError: No run can be judged.
        """
        return _table("gate", _core.gate(self._selected(), [rules] if isinstance(rules, str) else list(rules), file))

    def compare(self, other: Run | Runs, *, metric: str | Iterable[str] | None = None, margin: float = 1.25) -> Table:
        """Whether other runs (B) show what these (A) do: effects in relation, with 95 % intervals and verdicts.

        Args:
            other: Runs of any folder.
            metric: For sets of runs: ``ops_per_s``, a time as ``response_p99_ms``, or ``not_ok_share``; None takes throughput, p50 and p99
                of response time, and what was not acknowledged.
            margin: The largest ratio that counts as the same.

        Raises:
            NoRunsError: No run has what it takes; the message says why.
            UnreadableRunError: What there is, is damaged.
            ArgumentError: An argument that cannot be meant.
        """
        a, b = (self._name(), self._selected()), (other._name(), other._selected())
        return _table("compare", _core.compare(a, b, _chosen("metric", metric), margin))

    def plot(self, kind: str = "throughput", *, scale: str | None = None) -> Plot:
        """Draws a picture.

        Args:
            kind: ``throughput``, ``latency``, ``cdf``, ``delta``, ``phases``, ``recovery``, ``severity``, or ``members``, which is of one
                run.
            scale: Of a ``cdf``: ``"nines"`` or ``"linear"``.

        Raises:
            ArgumentError: No such kind, or a kind of one run for several.
            NoRunsError: No run has what is drawn.
        """
        if kind == "members" and isinstance(self, Runs) and len(self) != 1:
            raise ArgumentError(
                f"plot('members') draws one run, and these are {len(self)}; choose one, as in runs[0].plot('members')"
            )
        pictures, notes, unreadable = _core.draw(self._selected(), kind, scale)
        for message in unreadable:
            warnings.warn(message, LaggardWarning, stacklevel=2)
        return Plot(kind, pictures[0], notes)


class Run(_Tables):
    """One recorded run.

    Attributes:
        name: Name of its folder, which is its identity.
        label: Its label, as ``loss20_mid``; repeats share it.
        path: Its folder.
    """

    __slots__ = ("_asked", "_manifest", "_text", "label", "name", "path")

    def __init__(self, found: _core.FoundRun, asked: _Asked) -> None:
        self._asked = asked
        self._text: str = found.manifest
        self._manifest: dict[str, Any] | None = None
        self.name: str = found.name
        self.label: str = found.label
        self.path: Path = Path(found.path)

    def __reduce__(self) -> tuple[Callable[..., object], tuple[object, ...]]:
        return _run_again, (self._asked, self.name)

    def _selected(self) -> _core.Selection:
        return _core.Selection(self.path, set(), [], None, self._asked.include_failed)

    def _name(self) -> str:
        return f"run {self.name}"

    @property
    def manifest(self) -> dict[str, Any]:
        """What the run is and where it was made: `manifest.json`, a copy of it."""
        manifest: dict[str, Any] = json.loads(self._text)
        return manifest

    def _fields(self) -> dict[str, Any]:
        """The manifest, for who only looks."""
        if self._manifest is None:
            self._manifest = self.manifest
        return self._manifest

    @property
    def faults(self) -> Table:
        """One row for each fault: asked and measured edges (ns after time 0), parameters, evidence.

        Raises:
            UnreadableRunError: The file is damaged or gone.
        """
        return self._recorded("faults", None, None)

    def operations(self, columns: Iterable[str] | None = None, *, rows: slice | None = None) -> Table:
        """One row for each operation that was due, also failed and unsent ones, in the order in which they ended.

        Times are nanoseconds after time 0, the end of the warm-up.

        Args:
            columns: Which columns; None takes all of them. They come in the order of the file.
            rows: Which rows, as ``slice(0, 1_000_000)``; no others are decoded.

        Raises:
            ArgumentError: There is no such column, or no such rows.
            UnreadableRunError: The file is damaged or gone.
        """
        return self._recorded("operations", columns, rows)

    def samples(self, columns: Iterable[str] | None = None, *, rows: slice | None = None) -> Table:
        """One row for each sampled value: ``time_ns`` (after time 0), ``member`` (index), ``metric``, ``label``, ``value`` in the metric's unit.

        Second by second, as `analyze samples` has them: :meth:`member_samples`.

        Raises:
            ArgumentError: There is no such column, or no such rows.
            UnreadableRunError: The file is damaged or gone.
        """
        return self._recorded("samples", columns, rows)

    def final_state(self) -> Table:
        """One row for each key that was there at the end of the run; older recordings have none.

        Raises:
            UnreadableRunError: There is none.
        """
        return self._recorded("final_state", None, None)

    def _recorded(self, table: str, columns: Iterable[str] | None, rows: slice | None) -> Table:
        start, stop = _bounds(rows)
        rows_of = _core.Rows(self._asked.place, self.path, table, _chosen("columns", columns), start, stop)
        return Table(table, rows_of)

    def __repr__(self) -> str:
        return f"<laggard.Run {self.name}>"

    def _repr_html_(self) -> str:
        return self.list()._repr_html_()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)


def _run_again(asked: _Asked, name: str) -> Run:
    """The same run in another process."""
    found, _ = _core.Selection(asked.folder, {name}, [], None, asked.include_failed).find()
    if not found:
        raise NoRunsError(f"{asked.path}: the run {name} is not there any more")
    return Run(found[0], asked)


def _bounds(rows: slice | None) -> tuple[int, int | None]:
    """The first row, and the one after the last."""
    most = 2**63
    wrong = ArgumentError(f"rows={rows!r}: takes a slice of rows from the front, without a step, as slice(0, 1_000_000)")
    if rows is None:
        return 0, None
    if not isinstance(rows, slice) or rows.step not in (None, 1):
        raise wrong
    try:
        start = 0 if rows.start is None else operator.index(rows.start)
        stop = None if rows.stop is None else operator.index(rows.stop)
    except TypeError as no_number:
        raise wrong from no_number
    if start < 0 or (stop is not None and stop < start):
        raise wrong
    return min(start, most), None if stop is None else min(stop, most)


class Runs(_Tables, Sequence["Run"]):
    """Recorded runs, oldest first.

    ``runs[0]`` is a run, ``runs[:3]`` are runs, ``runs["loss20_mid"]`` is the run with this label or name. ``left_out`` says what
    was left out when they were opened, and why.
    """

    __slots__ = ("_asked", "_patterns", "_runs", "left_out")

    def __init__(
        self, asked: _Asked, runs: Sequence[Run], patterns: Iterable[str] = (), left_out: Iterable[str] = ()
    ) -> None:
        self._asked = asked
        self._runs = tuple(runs)
        # They say which these are, as long as they are all that match.
        self._patterns = tuple(patterns)
        self.left_out: tuple[str, ...] = tuple(left_out)

    def _selected(self) -> _core.Selection:
        if not self._runs:
            raise NoRunsError("there are no runs among these to make a table of")
        asked = self._asked
        return _core.Selection(asked.folder, {run.name for run in self}, list(self._patterns), None, asked.include_failed)

    def _name(self) -> str:
        if self._patterns:
            return f"labels {', '.join(self._patterns)}"
        return f"{len(self)} runs of {self._asked.path}"

    def _of(self, runs: Sequence[Run]) -> Runs:
        """Some of these runs."""
        return Runs(self._asked, runs)

    @property
    def folder(self) -> Path:
        """The results folder; of a bundle, where it is unpacked as long as these runs are there."""
        return self._asked.folder

    @property
    def labels(self) -> builtins.list[str]:
        """The labels, each once, in alphabetical order."""
        return sorted({run.label for run in self._runs})

    def __len__(self) -> int:
        return len(self._runs)

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    @overload
    def __getitem__(self, index: int | str) -> Run: ...
    @overload
    def __getitem__(self, index: slice) -> Runs: ...
    def __getitem__(self, index: int | str | slice) -> Run | Runs:
        """The run at a place, or with a label or name; or the runs of a slice.

        Raises:
            IndexError: There are not so many runs.
            NoRunsError: No run has this label; the message has the nearest ones.
            AmbiguousLabelError: Several have it, as repeats do.
        """
        if isinstance(index, slice):
            return self._of(self._runs[index])
        if not isinstance(index, str):
            return self._runs[index]
        found = [run for run in self._runs if index in (run.label, run.name)]
        if len(found) == 1:
            return found[0]
        if found:
            raise AmbiguousLabelError(
                f"{len(found)} runs have the label {index}; take all with runs.filter(label={index!r}), or one by its name, as "
                f"runs[{found[0].name!r}]"
            )
        near = difflib.get_close_matches(index, self.labels, n=3, cutoff=0.3) or self.labels[:3] or ["none"]
        raise NoRunsError(f"no run has the label or the name {index!r}; the nearest labels are {', '.join(near)}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Runs) and self._runs == other._runs

    def __hash__(self) -> int:
        return hash(self._runs)

    def filter(
        self,
        condition: Callable[[Run], object] | Mapping[str, object] | None = None,
        /,
        **fields: object,
    ) -> Runs:
        """The runs for which something holds.

        Args:
            condition: A function of a run, or fields of the manifest with what they must be, as
                ``{"spec.fault.target": "leader"}``. What a field must be is a value, several of them in a list, tuple or set, or a
                function of it.
            fields: The same with ``__`` for the dots, as ``spec__fault__target="leader"``; ``label`` takes globs, as :func:`open` does.

        Raises:
            UnknownFieldError: No run has such a field; the message has the nearest ones.
            PatternError: No label can match.
            NoRunsError: It holds for no run.
        """
        wanted: dict[str, object] = {name.replace("__", "."): value for name, value in fields.items()}
        chosen: Sequence[Run] = self._runs
        if isinstance(condition, Mapping):
            wanted.update(condition)
        elif condition is not None:
            chosen = [run for run in chosen if condition(run)]
        known = {field for run in self._runs for field in _fields(run._fields())}
        for field in wanted:
            if field not in ("label", "name") and field not in known:
                near = difflib.get_close_matches(field, sorted(known), n=4, cutoff=0.4)
                raise UnknownFieldError(
                    f"no manifest has a field {field}" + (f"; the nearest are {', '.join(near)}" if near else "")
                )
        conditions = {field: self._condition(field, value) for field, value in wanted.items()}
        found = [run for run in chosen if all(holds(_field(run, field)) for field, holds in conditions.items())]
        if not found:
            raise NoRunsError(f"that holds for none of the {len(self)} runs; their labels are {', '.join(self.labels)}")
        return self._of(found)

    def _condition(self, field: str, wanted: object) -> Callable[[object], bool]:
        """What a field must be, as a function of it."""
        if callable(wanted):
            return lambda value: bool(wanted(value))
        if isinstance(wanted, (list, tuple, set, frozenset)):
            any_of = [self._condition(field, one) for one in wanted]
            return lambda value: any(holds(value) for holds in any_of)
        if field == "label" and isinstance(wanted, str):
            matching = set(_core.matching(wanted, self.labels))
            return lambda value: value in matching
        return lambda value: bool(value == wanted)

    def report(self, path: _StrPath) -> Path:
        """Writes everything about these runs into one HTML file; see :func:`laggard.report`."""
        return write_report(self, path)

    def __repr__(self) -> str:
        runs = "1 run" if len(self) == 1 else f"{len(self)} runs"
        return f"<laggard.Runs: {runs} of {self._asked.path}, labels {', '.join(self.labels)}>"

    def _repr_html_(self) -> str:
        left_out = "".join(f"<li>{escape(message)}</li>" for message in self.left_out)
        return self.list()._repr_html_() + (f"<p>Left out:</p><ul>{left_out}</ul>" if left_out else "")


def _fields(manifest: Mapping[str, Any], before: str = "") -> Iterator[str]:
    """The dotted names of a manifest's fields, also of those that hold others."""
    for name, value in manifest.items():
        yield f"{before}{name}"
        if isinstance(value, Mapping):
            yield from _fields(value, f"{before}{name}.")


def _field(run: Run, field: str) -> Any:
    """A field of a run; one that it does not have is None."""
    if field == "label":
        return run.label
    if field == "name":
        return run.name
    value: Any = run._fields()
    for part in field.split("."):
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def write_report(runs: Run | Runs, path: _StrPath) -> Path:
    """Writes a report; a warning of it is about the line that called who calls this."""
    page, _, unreadable = _core.report(runs._selected())
    for message in unreadable:
        warnings.warn(message, LaggardWarning, stacklevel=3)
    return write_text(path, page)
