"""Warnings of the command line about differences between Dagster's history and storage."""

import os
from collections.abc import Iterable
from contextlib import suppress
from typing import TYPE_CHECKING

from traffic_assets.cli.console import print_warning
from traffic_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg


def warn_of_differences(settings: Settings, instance: "dg.DagsterInstance") -> None:
    """Print what Dagster and storage do not both know; nothing for an instance in memory."""
    from traffic_assets.differences import describe_model_differences, list_differences
    from traffic_assets.resources import build_resources

    if instance.is_ephemeral:
        return
    with suppress(OSError):  # the run that follows reports that storage cannot be read
        hdfs = build_resources(settings)["hdfs"]
        for text in list_differences(instance, settings, hdfs):
            print_warning(text)
        if models := describe_model_differences(instance, settings, hdfs):
            print_warning(models)


def warn_of_lost(settings: Settings, assets: Iterable[str], root: str) -> None:
    """Print which partitions of weekly assets Dagster knows, because storage contains none of them.

    Args:
        settings: Settings of the deployment.
        assets: Asset keys without the prefix of the deployment.
        root: URI of the folder that contains none.
    """
    import dagster as dg

    from traffic_assets.dagster_hdfs.uris import redact
    from traffic_assets.history import count_partitions, latest_ids
    from traffic_assets.messages import history as messages
    from traffic_assets.naming import add_key_prefix

    if not os.environ.get("DAGSTER_HOME"):
        return
    with suppress(dg.DagsterError), dg.DagsterInstance.get() as instance:
        for asset in assets:
            key = add_key_prefix(asset, settings.deployment)
            if known := sorted(latest_ids(instance, key)):
                text = messages.NOT_STORED(asset=key.to_user_string(), root=redact(root), **count_partitions(known))
                print_warning(text)
