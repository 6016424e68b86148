"""The command `sync`: reports of published partitions to a Dagster instance that does not know them."""

import os
from datetime import timedelta
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
    from traffic_assets.sync import AssetPlan


def sync(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be reported.")] = False,
    profile: Profile = None,
) -> None:
    """Report published partitions to Dagster that it does not know, without computing them again.

    Use it if DAGSTER_HOME is new, if `persistence.base_uri` has moved, or after `deployment` was set. Partitions that
    Dagster knows and storage lacks are listed and stay as they are. Running it twice reports nothing new.
    """
    with exit_on_user_error():
        if not os.environ.get("DAGSTER_HOME"):
            raise ValueError(messages.NO_INSTANCE())
        report_published(load_settings(profile), Progress(), dry_run)


def report_published(settings: Settings, notify: Progress, dry_run: bool) -> None:
    """Compare storage with Dagster, print the differences, and report what Dagster does not know."""
    import dagster as dg

    from traffic_assets.build import build_defs
    from traffic_assets.dagster_hdfs.uris import is_local, redact
    from traffic_assets.liveness.dead_runs import end_dead_runs
    from traffic_assets.resources import build_resources
    from traffic_assets.sync import plan_sync, report

    base = settings.persistence.base_uri
    if not is_local(base):
        prepare_spark(settings, notify)
    hdfs, instance = build_resources(settings)["hdfs"], dg.DagsterInstance.get()
    plans = plan_sync(build_defs(settings), settings, instance, hdfs, notify)
    show_plans(plans)
    for plan in plans:
        if text := plan.describe_lost():
            print_warning(text)
    if not any(plan.unreported for plan in plans):
        print_notice(messages.IN_SYNC(count=sum(len(plan.published) for plan in plans), base=redact(base)))
    elif not dry_run:
        # a killed run would count as running
        end_dead_runs(instance, timedelta(minutes=settings.runs.heartbeat_timeout_minutes), {})
        notify(f"{report(plans, settings, instance, hdfs, notify)} partitions reported to Dagster")


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
