"""What can go wrong. Every exception is a :class:`LaggardError`, and its message says what to do next."""

from __future__ import annotations

__all__ = [
    "AmbiguousLabelError",
    "ArgumentError",
    "BundleError",
    "FailedRunError",
    "FolderNotFoundError",
    "ForkedProcessError",
    "InternalError",
    "LaggardError",
    "LaggardWarning",
    "MissingDependencyError",
    "NewerFormatError",
    "NoRunsError",
    "OutputError",
    "PatternError",
    "UnfinishedRunError",
    "UnknownFieldError",
    "UnreadableRunError",
]


class LaggardError(Exception):
    """Any failure of this package."""


class FolderNotFoundError(LaggardError, FileNotFoundError):
    """There is no such results folder, run folder or bundle."""

    def __str__(self) -> str:
        # An OSError with a number shows that and not its message.
        return str(self.args[0]) if self.args else ""


class ForkedProcessError(LaggardError, RuntimeError):
    """The process was forked from one that had imported laggard, as multiprocessing does by default on some systems."""


class NoRunsError(LaggardError, LookupError):
    """No run matches, or none of those that match can be used."""


class AmbiguousLabelError(LaggardError, LookupError):
    """Several runs have the label: repeats share one."""


class PatternError(LaggardError, ValueError):
    """A pattern that no label can match."""


class ArgumentError(LaggardError, ValueError):
    """An argument that cannot be meant."""


class UnknownFieldError(LaggardError, KeyError):
    """A field that no manifest has."""

    def __str__(self) -> str:
        # A KeyError shows its message quoted, as if it were a key.
        return str(self.args[0]) if self.args else ""


class UnfinishedRunError(LaggardError):
    """The run is under way, or its recorder was killed."""


class FailedRunError(LaggardError):
    """The run failed; its recording is not to be trusted."""


class NewerFormatError(LaggardError):
    """The run was written by a newer Laggard."""


class UnreadableRunError(LaggardError, OSError):
    """A file of the run is missing or damaged."""


class BundleError(LaggardError, OSError):
    """A bundle cannot be opened: it is none, or not whole."""


class OutputError(LaggardError, OSError):
    """A result cannot be written."""


class MissingDependencyError(LaggardError, ImportError):
    """A package that was asked for is not installed."""


class InternalError(LaggardError, RuntimeError):
    """A bug."""


class LaggardWarning(UserWarning):
    """What a table leaves out, and why."""
