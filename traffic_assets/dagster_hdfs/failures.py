"""Failures that carry the code of their message: the one place where an error becomes what Dagster records.

An error whose message has a code ends its step as a `dagster.Failure` with the metadata `code` and `values`. Errors
without a code pass unchanged. Not here: retries (`retries.py`).
"""

import functools
import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

import dagster as dg

from traffic_assets.dagster_hdfs.message import CodedText, code_metadata, find_coded_text

VALUES = "values"
"""Metadata of a failure: the values of its message, as JSON."""
ITEMS_KEPT = 100
"""Items of a collection that an event keeps; Dagster keeps every event forever."""
MORE = "and more"
"""Key of the number of items of a mapping that were left out."""

P = ParamSpec("P")
R = TypeVar("R")


def failure_metadata(text: CodedText) -> dict[str, Any]:
    """Return the metadata of a failure: code and values of its message."""
    values = json.loads(json.dumps(text.values, default=str))
    return {**code_metadata(text), VALUES: dg.MetadataValue.json({key: shorten(v) for key, v in values.items()})}


def shorten(value: Any) -> Any:
    """Return a collection with its first `ITEMS_KEPT` items and the number of those left out; other values as they are.

    >>> shorten({"2026-01-05": "120 of 1000 rows are bad"})
    {'2026-01-05': '120 of 1000 rows are bad'}
    """
    if not isinstance(value, Mapping | list) or len(value) <= ITEMS_KEPT:
        return value
    hidden = len(value) - ITEMS_KEPT
    if isinstance(value, list):
        return [*value[:ITEMS_KEPT], f"{MORE}: {hidden}"]
    return {**dict(itertools.islice(value.items(), ITEMS_KEPT)), MORE: hidden}


@contextmanager
def coded_failures() -> Iterator[None]:
    """Raise an error whose message has a code as a failure with that code in its metadata.

    Raises:
        dagster.Failure: If the message of the error has a code; the error is its cause.
    """
    try:
        yield
    except dg.RetryRequested:
        raise
    except dg.Failure as failure:
        if text := find_coded_text(failure):
            failure.metadata = {**dg.Failure(metadata=failure_metadata(text)).metadata, **failure.metadata}
        raise
    except Exception as error:
        if text := find_coded_text(error):
            raise dg.Failure(text, metadata=failure_metadata(text)) from error
        raise


def fails_with_code(compute: Callable[P, R]) -> Callable[P, R]:
    """Decorate an asset's function whose first argument is `context`: its failures carry the code of their message.

    The last attempt of a step that was retried ends with the error that caused the retries.
    """

    @functools.wraps(compute)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with coded_failures():
            try:
                return compute(*args, **kwargs)
            except dg.RetryRequested as retry:
                context: Any = kwargs.get("context", args[0] if args else None)
                if retry.__cause__ is None or _attempts(context) < retry.max_retries:
                    raise
                last = retry.__cause__
            raise last

    return run


def _attempts(context: dg.AssetExecutionContext) -> int:
    try:
        return context.retry_number
    except AttributeError:  # the asset was called as a function
        return 0
