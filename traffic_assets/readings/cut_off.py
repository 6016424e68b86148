"""Text files that end within a row, because a delivery was interrupted.

Spark reports a Parquet or gzip file that was cut off, but reads a CSV or JSON file silently. Not here: empty files
(`readers.py`).
"""

import csv
import json

END_BYTES = 64 * 1024
"""Bytes at the end, and at the start, of a file that are inspected; a longer row is not evaluated."""
PACKED = (".gz", ".bz2", ".deflate", ".lz4", ".snappy", ".xz", ".zst")
"""Extensions of compressed files, whose end Spark checks."""


def is_cut_off(start: bytes, end: bytes, kind: str) -> bool:
    r"""Return whether a file ends within a row.

    A file whose last row is whole may lack the line break at its end.

    Args:
        start: First bytes of the file, with the header of a CSV file.
        end: Last bytes of the file.
        kind: `csv` or `json`.

    >>> is_cut_off(b"sensor_id,timestamp,speed\n", b"7,2026-01-05T08:00:00Z,66\n7,2026-01-05T0", "csv")
    True
    >>> is_cut_off(b"sensor_id,timestamp,speed\n", b"7,2026-01-05T08:00:00Z,66", "csv")
    False
    """
    lines = end.split(b"\n")
    last = lines[-1].strip()
    if not last or b"\x00" in end or (len(lines) == 1 and len(end) >= END_BYTES):
        return False  # complete, in an encoding of two bytes, or too long to evaluate
    if kind == "csv":
        return _count_fields(last) < _count_fields(start.split(b"\n")[0])
    try:
        json.loads(last)
    except ValueError:
        return True
    return False


def _count_fields(line: bytes) -> int:
    return len(next(csv.reader([line.decode(errors="replace").strip()]), []))
