"""The command `sync`: reports of published partitions to a Dagster instance that does not know them."""

import importlib
import os
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from traffic_assets.cli.class_data import prepare_spark
from traffic_assets.cli.console import (
    Profile,
    Progress,
    exit_on_user_error,
    new_table,
    out,
    print_notice,
    print_warning,
)
from traffic_assets.messages import history as messages
from traffic_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    import dagster as dg

    from traffic_assets.sync import AssetPlan


def sync(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be reported.")] = False,
    module: Annotated[
        str | None,
        typer.Option(
            "--module",
            "-m",
            help="Python module whose `defs` are the code location, as for `dagster`. Needed for assets of your own. "
            "Default: the built-in assets.",
        ),
    ] = None,
    profile: Profile = None,
) -> None:
    """Report published partitions to Dagster that it does not know, without computing them again.

    Use it if DAGSTER_HOME is new, if `persistence.base_uri` has moved, or after `deployment` was set. Partitions that
    Dagster knows and storage lacks are listed and stay as they are. Running it twice reports nothing new.
    """
    with exit_on_user_error():
        if not os.environ.get("DAGSTER_HOME"):
            raise ValueError(messages.NO_INSTANCE())
        report_published(load_settings(profile), Progress(), dry_run, module)


def report_published(settings: Settings, notify: Progress, dry_run: bool, module: str | None = None) -> None:
    """Compare storage with Dagster, print the differences, and report what Dagster does not know.

    Args:
        settings: Settings of the deployment.
        notify: Callback for progress messages.
        dry_run: True to report nothing.
        module: Python module of the code location; None for the built-in assets.
    """
    import dagster as dg

    from traffic_assets.build import build_defs
    from traffic_assets.dagster_hdfs.uris import is_local, redact
    from traffic_assets.liveness.dead_runs import end_dead_runs
    from traffic_assets.sync import plan_sync, report

    defs = load_location(module, settings) if module else build_defs(settings)
    hdfs, instance = (defs.resources or {})["hdfs"], dg.DagsterInstance.get()
    if not is_local(hdfs.base_uri):
        prepare_spark(settings, notify)
    plans = plan_sync(defs, settings, instance, hdfs, notify)
    show_plans(plans)
    for plan in plans:
        if text := plan.describe_lost():
            print_warning(text)
    if not any(plan.unreported for plan in plans):
        print_notice(messages.IN_SYNC(count=sum(len(plan.published) for plan in plans), base=redact(hdfs.base_uri)))
    elif not dry_run:
        # a killed run would count as running
        end_dead_runs(instance, timedelta(minutes=settings.runs.heartbeat_timeout_minutes), {})
        notify(f"{report(plans, settings, instance, hdfs, notify)} partitions reported to Dagster")


def load_location(module: str, settings: Settings) -> "dg.Definitions":
    """Return the code location of a module, which is found as `dagster -m` finds it.

    Raises:
        ValueError: If there is no such module, it has no code location, or it is that of another profile.
    """
    import dagster as dg

    from traffic_assets.dagster_hdfs.resources import HdfsResource
    from traffic_assets.dagster_hdfs.uris import absolute_uri, redact

    if (folder := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, folder)
    try:
        defs = getattr(importlib.import_module(module), "defs", None)
    except ModuleNotFoundError as error:
        raise ValueError(messages.NO_LOCATION(module=module, cause=error.msg)) from error
    hdfs = (defs.resources or {}).get("hdfs") if isinstance(defs, dg.Definitions) else None
    if not isinstance(defs, dg.Definitions) or not isinstance(hdfs, HdfsResource):
        raise ValueError(messages.NO_LOCATION(module=module, cause="no `defs` with our resource hdfs"))
    other, base = (absolute_uri(uri).rstrip("/") for uri in (hdfs.base_uri, settings.persistence.base_uri))
    if (other, hdfs.key_prefix) != (base, settings.deployment):
        raise ValueError(
            messages.OTHER_PROFILE(
                module=module,
                other=redact(other),
                other_deployment=hdfs.key_prefix,
                profile=settings.profile,
                base=redact(base),
                deployment=settings.deployment,
            )
        )
    return defs


def show_plans(plans: "list[AssetPlan]") -> None:
    """Print a table of the assets with partitions that Dagster and storage do not both know."""
    table = new_table("asset", "stored", "to report", "partitions", "lost", named="asset")
    for plan in plans:
        if plan.unreported or plan.lost:
            ends = sorted({min(plan.unreported), max(plan.unreported)}) if plan.unreported else []
            counts = (str(len(plan.published)), str(len(plan.unreported)))
            table.add_row(plan.key.to_user_string(), *counts, " to ".join(ends), str(len(plan.lost) or ""))
    if table.row_count:
        out.print(table)
