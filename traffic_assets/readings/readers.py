"""Reading the users' files: raw readings, sensor metadata and ready-made feature tables.

Parquet, CSV (with a header) or JSON lines, detected by the files' endings, on any Hadoop URI. A folder of
`date=YYYY-MM-DD` folders (local days) is pruned to the days asked for; any other layout is filtered by time.
Columns come out under our names and as the file has them; types and ranges are `validation.py`'s business.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.message import coded_text_of
from traffic_assets.messages import readings as messages
from traffic_assets.settings.data import ALIASES

FORMATS = {
    ".parquet": "parquet",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".json": "json",
    ".jsonl": "json",
    ".json.gz": "json",
}
_DAY_PREFIX = "date="


class InputError(ValueError):
    """The input cannot be read as asked; the message names the file or day, and what to do."""


@dataclass(frozen=True)
class Part:
    """Files that are read in one go: all have the same columns.

    Attributes:
        paths: files or folders.
        days: the local days they hold, or None where the layout does not say.
    """

    paths: tuple[str, ...]
    days: tuple[str, ...] | None

    @property
    def place(self) -> str:
        """Where the files are, for messages."""
        return self.paths[0] if len(self.paths) == 1 else f"{self.paths[0]} (and {len(self.paths) - 1} more)"


@dataclass(frozen=True)
class Source:
    """A place with the users' files, and how they are to be read."""

    uri: str
    filesystem: FileSystem
    format: str = "auto"
    aliases: Mapping[str, str] = field(default_factory=dict)

    def entries(self) -> list[FileStatus]:
        """The visible files and folders of the source.

        Raises:
            InputError: where there is nothing to read.
        """
        try:
            entries = [e for e in self.filesystem.list(self.uri) if not e.name.startswith(("_", "."))]
        except (FileNotFoundError, NotADirectoryError):
            if self.filesystem.exists(self.uri):
                return []  # a single file
            raise InputError(messages.NO_INPUT(uri=self.uri)) from None
        if not entries:
            raise InputError(messages.EMPTY_FOLDER(uri=self.uri))
        return entries

    def day_folders(self) -> dict[str, FileStatus]:
        """The `date=` folders by day, empty where the source is laid out otherwise."""
        return {
            e.name.removeprefix(_DAY_PREFIX): e for e in self.entries() if e.is_dir and e.name.startswith(_DAY_PREFIX)
        }

    def fingerprints(self) -> dict[str, str]:
        """By day, what tells whether its folder holds other files than before: a hash of name, size and time of each.

        A folder's own time would not do: it stays when a file in it is rewritten.
        """
        found = {}
        for day, folder in self.day_folders().items():
            try:
                content = self._files_below(folder.uri)
            except StorageError as error:
                if error.retryable:
                    raise
                content = ["unreadable"]  # whoever reads the day is told why
            found[day] = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]
        return found

    def _files_below(self, uri: str, prefix: str = "") -> list[Any]:
        """Name, size and time of the files that Spark would read."""
        files: list[Any] = []
        for entry in self.filesystem.list(uri):
            if entry.name.startswith(("_", ".")):
                continue
            name = f"{prefix}{entry.name}"
            if entry.is_dir:
                files += self._files_below(entry.uri, f"{name}/")
            else:
                files.append([name, entry.size, entry.modified.timestamp()])
        return files

    def parts(self, days: Sequence[str] | None = None) -> list[Part]:
        """What to read for the days, or everything: one part a day folder, else one for the whole source."""
        folders = self.day_folders()
        if not folders:
            return [Part((self.uri,), None)]
        chosen = folders if days is None else [day for day in days if day in folders]
        return [Part((folders[day].uri,), (day,)) for day in chosen]

    def read(self, spark: SparkSession, part: Part) -> DataFrame:
        """The part's rows under our column names.

        Raises:
            InputError: where a name is claimed by two columns, the format cannot be told, or Spark lacks a type.
            StorageError: where a file cannot be read; the message names it.
        """
        kind = self._format_of(part.paths[0])
        reader = spark.read.option("recursiveFileLookup", "true")
        options = {
            "parquet": {},
            "csv": {"header": "true", "mode": "PERMISSIVE", "enforceSchema": "false"},  # else read by position
            "json": {"primitivesAsString": "true"},
        }[kind]
        try:
            with storage_errors(part.paths[0]):
                frame = reader.options(**options).format(kind).load(list(part.paths))
        except PySparkException as error:
            nanoseconds = "TIMESTAMP(NANOS" in str(error)
            message = messages.NANOSECOND_TIMESTAMPS if nanoseconds else messages.UNREADABLE_FILES
            raise InputError(message(path=part.paths[0], format=kind, cause=first_line(error))) from error
        return self._renamed(frame, part)

    def read_all(
        self, spark: SparkSession, parts: Sequence[Part]
    ) -> tuple[list[tuple[Part, DataFrame]], dict[str, str]]:
        """The parts, those of the same columns read together, and why some days cannot be read.

        Returns:
            (part, rows) pairs, and by day the reason for refusing it.
        """
        by_schema: dict[tuple[str, str], list[Part]] = defaultdict(list)
        refused: dict[str, str] = {}
        for part in parts:
            try:
                schema = self.read(spark, part).schema.json()
                by_schema[self._format_of(part.paths[0]), schema].append(part)
            except (InputError, StorageError) as error:
                if part.days is None or (isinstance(error, StorageError) and error.retryable):
                    raise
                refused |= {day: problem_text(error) for day in part.days}
        groups = [
            Part(
                tuple(path for p in same for path in p.paths),
                None if same[0].days is None else tuple(day for p in same for day in p.days or ()),
            )
            for same in by_schema.values()
        ]
        return [(group, self.read(spark, group)) for group in groups], refused

    def _renamed(self, frame: DataFrame, part: Part) -> DataFrame:
        names: dict[str, tuple[str, str]] = {}
        known = ALIASES | dict(self.aliases)
        # a name that somebody gave says which column is meant, also where another has our name
        asked = {
            ours
            for given, ours in self.aliases.items()
            if given in frame.columns and given.lower() != ours.lower()  # as Spark compares names
        }
        frame = frame.drop(*(ours for ours in asked if known.get(ours, ours) == ours))
        for given in frame.columns:
            ours = known.get(given, given)
            if ours != given and ours in frame.columns:
                continue  # a column that has our name already wins over an alias that comes along
            if ours.lower() in names:  # as Spark compares names
                raise InputError(
                    messages.AMBIGUOUS_COLUMN(columns=[names[ours.lower()][0], given], path=part.paths[0], name=ours)
                )
            names[ours.lower()] = (given, ours)
        return frame.withColumnsRenamed(dict(names.values()))

    def _format_of(self, path: str) -> str:
        if self.format != "auto":
            return self.format
        name = self._first_file(path)
        for ending, kind in FORMATS.items():
            if name.lower().endswith(ending):
                return kind
        raise InputError(messages.UNKNOWN_FORMAT(file=name, endings=list(FORMATS)))

    def _first_file(self, uri: str) -> str:
        try:
            entries = self.filesystem.list(uri)
        except NotADirectoryError:
            return uri
        for entry in entries:
            if entry.name.startswith(("_", ".")):
                continue
            if not entry.is_dir:
                return entry.uri
            if found := self._first_file_or_none(entry.uri):
                return found
        raise InputError(messages.NO_FILES(uri=uri))

    def _first_file_or_none(self, uri: str) -> str | None:
        try:
            return self._first_file(uri)
        except InputError:
            return None


def parts_named(parts: Sequence[Part], error: StorageError) -> list[Part]:
    """The day folders whose path an error names, which can be left out; none where waiting may mend it."""
    if error.retryable:
        return []
    text = f"{error} {error.__cause__}"
    return [part for part in parts if part.days and any(path.rstrip("/") + "/" in text for path in part.paths)]


def problem_text(error: BaseException) -> str:
    """Return the text of an error with its code if it has one, otherwise the first line."""
    return coded_text_of(error) or first_line(error)


def first_line(error: BaseException) -> str:
    """The part of an error's text that a person needs."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
