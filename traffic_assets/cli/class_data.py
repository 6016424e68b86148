"""The command `class-data`, and the preparation that `demo` and `train` share with it."""

from collections.abc import Callable

from traffic_assets.cli.console import Profile, Progress, exit_on_user_error, out, print_notice
from traffic_assets.messages import cli as messages
from traffic_assets.settings import Settings, load_settings


def class_data(profile: Profile = None) -> None:
    """Create the class data archive that starts local Spark sessions faster; `demo` and `train` create it too."""
    from traffic_assets.dagster_hdfs.class_data import spark_archive

    with exit_on_user_error():
        settings = load_settings(profile)
        prepare_spark(settings, Progress())
        archive = spark_archive() if settings.spark.class_data_archive else None
        path = archive.path if archive is not None else None
        if path is None:
            print_notice(messages.NO_CLASS_DATA())
        else:
            out.print(str(path), soft_wrap=True)


def prepare_spark(settings: Settings, notify: Callable[[str], None]) -> None:
    """Create the class data archive before a local session starts, unless it exists or the settings turn it off.

    Raises:
        JavaError: If Spark could not use the Java that would create the archive.
    """
    from traffic_assets.dagster_hdfs.class_data import create, jvm_runs, spark_archive
    from traffic_assets.dagster_hdfs.java import require_java

    local = (settings.spark.master or "").startswith("local")
    if settings.spark.class_data_archive and local and not jvm_runs():
        require_java()
        create(spark_archive(), notify)
