"""Readers of files that users provide: raw readings, sensor metadata and ready-made feature tables.

Files are Parquet, CSV with a header, or JSON lines, on any Hadoop URI; their extension determines the format. In a
folder of `date=YYYY-MM-DD` folders (local days) only the requested days are read. Any other layout is filtered by time.
Columns get their names in the catalogue and keep their types. Not here: types and ranges (`validation.py`).
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession

from traffic_assets.catalogue.fingerprint import short_hash
from traffic_assets.dagster_hdfs.errors import StorageError, storage_errors
from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.message import CodedText, find_coded_text
from traffic_assets.messages import readings as messages
from traffic_assets.readings.cut_off import END_BYTES, PACKED, is_cut_off
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
    """Input that cannot be used; the message names the file or day, and the fix."""


@dataclass(frozen=True)
class Part:
    """Files with the same columns, which are read together.

    Attributes:
        paths: Files or folders.
        days: Local days of the files; None if the layout does not name them.
        format: Format of the files, once they were read.
    """

    paths: tuple[str, ...]
    days: tuple[str, ...] | None
    format: str | None = None

    @property
    def place(self) -> str:
        """Location of the files for messages."""
        return self.paths[0] if len(self.paths) == 1 else f"{self.paths[0]} (and {len(self.paths) - 1} more)"


@dataclass(frozen=True)
class Source:
    """A file or folder that a user provides, and how to read it.

    Attributes:
        uri: Hadoop URI of the file or folder.
        filesystem: File system of the URI.
        format: `parquet`, `csv` or `json`; `auto` detects it from the files' extension.
        aliases: Column of the catalogue by the input's name for it, in addition to `settings.data.ALIASES`.
    """

    uri: str
    filesystem: FileSystem
    format: str = "auto"
    aliases: Mapping[str, str] = field(default_factory=dict)

    def entries(self) -> list[FileStatus]:
        """Return the visible files and folders of the source; none for a single file.

        Raises:
            InputError: If the source is empty or does not exist.
        """
        try:
            entries = [e for e in self.filesystem.list(self.uri) if not e.name.startswith(("_", "."))]
        except (FileNotFoundError, NotADirectoryError):
            if self.filesystem.exists(self.uri):
                return []
            raise InputError(messages.NO_INPUT(uri=self.uri)) from None
        if not entries:
            raise InputError(messages.EMPTY_FOLDER(uri=self.uri))
        return entries

    def day_folders(self) -> dict[str, FileStatus]:
        """Return the `date=` folders by day; none for another layout."""
        return {
            e.name.removeprefix(_DAY_PREFIX): e for e in self.entries() if e.is_dir and e.name.startswith(_DAY_PREFIX)
        }

    def fingerprints(self) -> dict[str, str]:
        """Return, for each day folder, a hash of the names, sizes and modification times of its files.

        The folder's own modification time is not enough: it does not change when a file in it is rewritten.
        """
        fingerprints = {}
        for day, folder in self.day_folders().items():
            try:
                content = self._files_below(folder.uri)
            except StorageError as error:
                if error.retryable:
                    raise
                content = ["unreadable"]  # reading the day raises the reason
            fingerprints[day] = short_hash(content)
        return fingerprints

    def _files_below(self, uri: str, prefix: str = "") -> list[Any]:
        """Return name, size and modification time of each file that Spark would read."""
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
        """Return one part for each day folder, or one for the whole source in another layout.

        Args:
            days: Local days to read; None for all.
        """
        folders = self.day_folders()
        if not folders:
            return [Part((self.uri,), None)]
        available = folders if days is None else [day for day in days if day in folders]
        return [Part((folders[day].uri,), (day,)) for day in available]

    def read(self, spark: SparkSession, part: Part) -> DataFrame:
        """Return the rows of a part, with columns named as in the catalogue.

        Raises:
            InputError: If two columns have the same meaning, the format is unknown, or Spark does not support a type.
            StorageError: If a file cannot be read.
        """
        kind = self._detect_format(part.paths[0])
        reader = spark.read.option("recursiveFileLookup", "true")
        options = {
            "parquet": {},
            "csv": {"header": "true", "mode": "PERMISSIVE", "enforceSchema": "false"},  # columns by name
            "json": {"primitivesAsString": "true"},
        }[kind]
        try:
            with storage_errors(part.paths[0]):
                frame = reader.options(**options).format(kind).load(list(part.paths))
        except PySparkException as error:
            nanoseconds = "TIMESTAMP(NANOS" in str(error)
            message = messages.NANOSECOND_TIMESTAMPS if nanoseconds else messages.UNREADABLE_FILES
            raise InputError(message(path=part.paths[0], format=kind, cause=first_line(error))) from error
        return self._rename_columns(frame, part)

    def read_all(
        self, spark: SparkSession, parts: Sequence[Part]
    ) -> tuple[list[tuple[Part, DataFrame]], dict[str, str]]:
        """Read the parts, those with the same columns together, and refuse days that cannot be read.

        Returns:
            Pairs of part (with its format) and rows, and the reason for each refused day.

        Raises:
            InputError: If a part without days cannot be read.
            StorageError: If a part without days cannot be read because of storage, or a retry may succeed.
        """
        by_schema: dict[tuple[str, str], list[Part]] = defaultdict(list)
        refused: dict[str, str] = {}
        for part in parts:
            try:
                self._require_content(part)
                schema = self.read(spark, part).schema.json()
                by_schema[self._detect_format(part.paths[0]), schema].append(part)
            except (InputError, StorageError) as error:
                if part.days is None or (isinstance(error, StorageError) and error.retryable):
                    raise
                refused |= {day: problem_text(error) for day in part.days}
        groups = [
            Part(
                tuple(path for p in same for path in p.paths),
                None if same[0].days is None else tuple(day for p in same for day in p.days or ()),
                kind,
            )
            for (kind, _), same in by_schema.items()
        ]
        return [(group, self.read(spark, group)) for group in groups], refused

    def _require_content(self, part: Part) -> None:
        """Raise if a file has 0 bytes; Spark would ignore it silently.

        If the format is detected, a file without an extension of a format, such as a marker of a finished upload, may
        be empty.

        Raises:
            InputError: If a file is empty.
        """
        endings = tuple(FORMATS) if self.format == "auto" else ""
        if empty := [file for file, size in self._sizes(part) if not size and file.lower().endswith(endings)]:
            raise InputError(messages.EMPTY_FILES(files=empty))

    def find_cut_off(self, part: Part) -> list[str]:
        """Return the text files of a part that end within a row.

        Raises:
            StorageError: If a retry may succeed; a file that cannot be read is reported when Spark reads it.
        """
        kind = self._detect_format(part.paths[0])
        if kind == "parquet":
            return []
        return [
            file
            for file, size in self._sizes(part)
            if not file.lower().endswith(PACKED) and self._is_cut_off(file, size, kind)
        ]

    def _is_cut_off(self, file: str, size: int, kind: str) -> bool:
        try:
            end = self.filesystem.read_range(file, max(0, size - END_BYTES), END_BYTES)
            return not end.endswith(b"\n") and is_cut_off(self.filesystem.read_range(file, 0, END_BYTES), end, kind)
        except OSError as error:
            if isinstance(error, StorageError) and error.retryable:
                raise
            return False

    def _sizes(self, part: Part) -> list[tuple[str, int]]:
        """Return the files of a part with their sizes in bytes."""
        sizes: list[tuple[str, int]] = []
        for path in part.paths:
            try:
                sizes += [(f"{path.rstrip('/')}/{name}", size) for name, size, _ in self._files_below(path)]
            except NotADirectoryError:
                sizes.append((path, self.filesystem.size(path)))
        return sizes

    def _rename_columns(self, frame: DataFrame, part: Part) -> DataFrame:
        """Rename the columns to their names in the catalogue. Names are compared without case, as in Spark."""
        aliases = ALIASES | dict(self.aliases)
        # An alias from the settings wins over a column that has the catalogue's name.
        replaced = {
            name
            for alias, name in self.aliases.items()
            if alias in frame.columns and alias.lower() != name.lower() and aliases.get(name, name) == name
        }
        frame = frame.drop(*replaced)
        renamed: dict[str, tuple[str, str]] = {}
        for column in frame.columns:
            name = aliases.get(column, column)
            if name != column and name in frame.columns:
                continue  # a column with the catalogue's name wins over a built-in alias
            if name.lower() in renamed:
                both = [renamed[name.lower()][0], column]
                raise InputError(messages.AMBIGUOUS_COLUMN(columns=both, path=part.paths[0], name=name))
            renamed[name.lower()] = (column, name)
        return frame.withColumnsRenamed(dict(renamed.values()))

    def _detect_format(self, path: str) -> str:
        if self.format != "auto":
            return self.format
        name = self._first_file(path)
        for extension, kind in FORMATS.items():
            if name.lower().endswith(extension):
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
            if file := self._first_file_or_none(entry.uri):
                return file
        raise InputError(messages.NO_FILES(uri=uri))

    def _first_file_or_none(self, uri: str) -> str | None:
        try:
            return self._first_file(uri)
        except InputError:
            return None


def require_same_types(error: StorageError) -> None:
    """Raise if a storage error comes from raw files whose columns differ in type; its own remedy is for tables.

    Raises:
        InputError: If the error is about the type of a column.
    """
    if error.kind == "schema_mismatch":
        raise InputError(_different_types(error)) from error


def _different_types(error: StorageError) -> CodedText:
    text = find_coded_text(error)
    values = text.values if text else {"paths": [], "cause": first_line(error)}
    return messages.DIFFERENT_TYPES(path=(values["paths"] or [""])[-1], cause=values["cause"])


def find_broken_parts(parts: Sequence[Part], error: StorageError) -> list[Part]:
    """Return the day folders whose path an error contains; none if a retry may succeed."""
    if error.retryable:
        return []
    text = f"{error} {error.__cause__}"
    return [part for part in parts if part.days and any(path.rstrip("/") + "/" in text for path in part.paths)]


def problem_text(error: BaseException) -> str:
    """Return the text of an error about raw input with its code if it has one, otherwise the first line."""
    if isinstance(error, StorageError) and error.kind == "schema_mismatch":
        return _different_types(error)
    return find_coded_text(error) or first_line(error)


def first_line(error: BaseException) -> str:
    """Return the first line of an error's text, or its class if the text is empty."""
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
