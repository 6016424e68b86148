"""The results of checks: a description if the check passes, otherwise a message with its code."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from traffic_assets.dagster_hdfs.message import CodedText, code_metadata


def check_result(
    passed: str, failed: CodedText | None, metadata: Mapping[str, Any], warn: bool = False
) -> dg.AssetCheckResult:
    """Return the result of a check.

    Args:
        passed: Description if the check passes.
        failed: Message if the check fails; None if it passes. Its code is in the metadata.
        metadata: Measured and expected values.
        warn: True if a failure only warns.
    """
    severity = dg.AssetCheckSeverity.WARN if warn else dg.AssetCheckSeverity.ERROR
    shown = {k: dg.MetadataValue.json(v) if isinstance(v, dict | list) else v for k, v in metadata.items()}
    if failed is None:
        return dg.AssetCheckResult(passed=True, severity=severity, description=passed, metadata=shown)
    shown |= code_metadata(failed)
    return dg.AssetCheckResult(passed=False, severity=severity, description=failed, metadata=shown)
