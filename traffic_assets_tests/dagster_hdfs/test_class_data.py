"""The class data archive: the Java that it belongs to, its atomic creation, and its use by Java."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyspark.sql import SparkSession

from traffic_assets.dagster_hdfs import class_data, class_data_jobs
from traffic_assets.dagster_hdfs.class_data import Archive, archive_for, spark_archive, use_archive
from traffic_assets.dagster_hdfs.java import java_program
from traffic_assets_tests.cluster import minispark
from traffic_assets_tests.processes import Processes

FROM_ARCHIVE = "shared objects file (top)"
OPTIONS = ("SPARK_SUBMIT_OPTS", "JAVA_TOOL_OPTIONS", "JDK_JAVA_OPTIONS")


@pytest.fixture(autouse=True)
def no_options(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in OPTIONS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "cache", "spark-4-java-17-abc")


@pytest.fixture
def made(archive: Archive) -> Archive:
    """An archive that exists; only its size is checked."""
    write(archive)
    return archive


def write(archive: Archive, content: str = "classes") -> bool:
    """Create an archive, and return whether it was missing."""
    with class_data.write_archive(archive) as part:
        if part is not None:
            part.write_text(content)
    return part is not None


def files(archive: Archive) -> list[str]:
    """Return the names of all files in the cache folder except locks."""
    return sorted(path.name for path in archive.folder.iterdir() if path.suffix != ".lock")


class TestWriting:
    def test_an_archive_is_written_once(self, archive: Archive) -> None:
        assert (archive.path, archive.options) == (None, [])
        assert write(archive)
        assert archive.path == archive.folder / "spark-4-java-17-abc.7.jsa"
        assert f"-XX:SharedArchiveFile={archive.path}" in archive.options
        assert not write(archive)
        assert files(archive) == ["spark-4-java-17-abc.7.jsa"]

    def test_a_file_that_was_cut_short_is_not_used_and_replaced(self, made: Archive) -> None:
        assert made.path is not None
        made.path.write_text("cla")
        assert made.options == []
        assert write(made)
        assert made.path.read_text() == "classes"

    def test_a_folder_that_java_would_take_for_two_paths_is_not_used(self, tmp_path: Path) -> None:
        archive = Archive(tmp_path / "a:b", "x")
        write(archive)
        assert archive.path is not None
        assert archive.options == []

    def test_only_one_process_writes_an_archive(self, archive: Archive) -> None:
        with class_data.write_archive(archive) as part:
            assert part is not None
            assert not write(archive)
            assert archive.path is None, "not published before it is complete"
            part.write_text("classes")
        assert archive.path is not None

    def test_a_creator_that_is_interrupted_leaves_nothing(self, archive: Archive) -> None:
        with pytest.raises(KeyboardInterrupt), class_data.write_archive(archive) as part:
            assert part is not None
            part.write_text("cla")
            raise KeyboardInterrupt
        assert files(archive) == []
        assert write(archive)

    def test_a_creator_that_is_killed_leaves_nothing_that_is_used(self, archive: Archive, processes: Processes) -> None:
        program = (
            "import sys; from pathlib import Path\n"
            "from traffic_assets.dagster_hdfs.class_data import Archive, write_archive\n"
            "with write_archive(Archive(Path(sys.argv[1]), sys.argv[2])) as part:\n"
            "    part.write_text('cla'); print(part, flush=True); sys.stdin.read()\n"
        )
        command: list[str | Path] = [sys.executable, "-c", program, archive.folder, archive.name]
        with processes.start(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as creator:
            assert creator.stdout is not None
            left = Path(creator.stdout.readline().strip())
            assert not write(archive), "another process writes"
        assert left.is_file(), "it was killed"
        assert archive.path is None
        assert write(archive)
        assert not left.exists(), "the next one cleans up"

    def test_a_failure_is_not_repeated_for_a_day(self, archive: Archive) -> None:
        with class_data.write_archive(archive):
            pass  # nothing was written
        (failed,) = archive.folder.glob("*.failed")
        assert not write(archive)
        os.utime(failed, (1, 1))
        assert write(archive)

    def test_archives_that_nobody_uses_are_deleted(self, archive: Archive) -> None:
        old, used = Archive(archive.folder, "old"), Archive(archive.folder, "used")
        for other in (old, used):
            write(other)
            assert other.path is not None
            os.utime(other.path, (1, 1))
        assert used.options, "its use is recorded"
        write(archive)
        assert old.path is None
        assert used.path is not None

    def test_nothing_is_written_without_free_space(self, archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=class_data.NEEDED_BYTES - 1))
        assert not write(archive)
        assert files(archive) == []

    def test_nothing_is_written_if_no_folder_can_be_created(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        archive = Archive(tmp_path / "file" / "cache", "x")
        assert not write(archive)
        assert archive.options == []


class TestCreating:
    @pytest.fixture
    def commands(self, monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], Mapping[str, str]]]:
        """The commands that would write an archive, with their environments."""
        run = []

        def run_writer(part: Path, command: list[str], environ: Mapping[str, str]) -> None:
            run.append((command, environ))
            part.write_text("classes")

        monkeypatch.setattr(class_data, "run_writer", run_writer)
        return run

    def test_a_session_of_its_own_writes_it_with_one_message(
        self, archive: Archive, commands: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        for name in (*OPTIONS, "HADOOP_CONF_DIR", "PYSPARK_SUBMIT_ARGS"):
            monkeypatch.setenv(name, "mine")
        messages: list[str] = []
        for _ in range(2):
            class_data.create(archive, messages.append)
        ((_, environ),) = commands
        assert "-XX:ArchiveClassesAtExit=" in environ["SPARK_SUBMIT_OPTS"]
        assert "mine" not in environ.values(), "variables that change the class path or Java's options are left out"
        assert len(messages) == 1
        assert str(archive.folder) in messages[0]
        assert archive.path is not None

    def test_without_an_archive_there_is_nothing_to_create(self, commands: list[Any]) -> None:
        class_data.create(None)
        assert commands == []


class TestUse:
    def test_the_options_are_there_while_a_driver_starts(self, made: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
        with use_archive(made):
            assert os.environ["SPARK_SUBMIT_OPTS"] == " ".join(made.options)
        assert "SPARK_SUBMIT_OPTS" not in os.environ
        monkeypatch.setenv("SPARK_SUBMIT_OPTS", "-Dmine=1")
        with use_archive(made):
            assert os.environ["SPARK_SUBMIT_OPTS"].endswith(" -Dmine=1")
        assert os.environ["SPARK_SUBMIT_OPTS"] == "-Dmine=1"

    @pytest.mark.parametrize("name", OPTIONS)
    def test_options_of_the_user_for_an_archive_are_kept(
        self, made: Archive, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.setenv(name, "-XX:SharedArchiveFile=/mine.jsa")
        with use_archive(made):
            assert os.environ.get("SPARK_SUBMIT_OPTS", "") in ("", "-XX:SharedArchiveFile=/mine.jsa")

    def test_options_of_the_settings_for_an_archive_are_kept(self, made: Archive) -> None:
        with use_archive(made, users_options="-Xshare:off"):
            assert "SPARK_SUBMIT_OPTS" not in os.environ

    @pytest.mark.parametrize("cache", ["", "relative"])
    def test_the_cache_folder_is_the_users(self, monkeypatch: pytest.MonkeyPatch, cache: str, tmp_path: Path) -> None:
        monkeypatch.setenv("XDG_CACHE_HOME", cache)
        assert class_data.cache_folder() == Path.home() / ".cache/traffic_assets/class-data"
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert class_data.cache_folder() == tmp_path / "traffic_assets/class-data"

    def test_a_spark_with_a_configuration_folder_has_none(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("SPARK_HOME", str(tmp_path))
        assert spark_archive() is None, "no Spark is installed there"
        for file in ("jars/spark-core_2.13-4.0.0.jar", "conf/spark-defaults.conf"):
            (tmp_path / file).parent.mkdir()
            (tmp_path / file).touch()
        assert spark_archive() is None


class TestName:
    @pytest.fixture
    def java(self, processes: Processes, tmp_path: Path) -> Path:
        """A fake Java that prints the content of a file."""
        java = tmp_path / "java"
        java.write_text(f'#!/bin/sh\ncat "{tmp_path}/says" >&2\n')
        java.chmod(0o755)
        self.says(java, "17.0.1", "17.0.1+2")
        return java

    @staticmethod
    def says(java: Path, version: str, build: str, vm: str = "OpenJDK 64-Bit Server VM") -> None:
        properties = {"java.version": version, "java.vm.version": build, "java.vm.name": vm}
        java.with_name("says").write_text("".join(f"    {key} = {value}\n" for key, value in properties.items()))

    def test_java_build_and_class_path(self, java: Path, tmp_path: Path) -> None:
        jars = tmp_path / "jars"
        jars.mkdir()
        (jars / "a.jar").write_text("a")
        names = []

        def name(*more: Path) -> str:
            archive = archive_for("spark-4", str(java), [jars, *more])
            assert archive is not None
            names.append(archive.name)
            return archive.name

        assert name().startswith("spark-4-java-17.0.1-")
        assert name() == names.pop()
        (jars / "a.jar").write_text("ab")
        name()
        os.utime(jars / "a.jar", (1, 1))
        name()
        (jars / "b.jar").touch()
        name()
        name(tmp_path / "conf")
        self.says(java, "17.0.1", "17.0.1+3")
        name()
        assert len(set(names)) == len(names) == 6

    @pytest.mark.parametrize(
        ("version", "vm"), [("11.0.2", "OpenJDK 64-Bit Server VM"), ("17.0.1", "Eclipse OpenJ9 VM"), ("?", "OpenJDK")]
    )
    def test_unsupported_javas_have_no_archive(self, java: Path, version: str, vm: str) -> None:
        self.says(java, version, "1", vm)
        assert archive_for("spark-4", str(java), []) is None

    def test_a_program_that_is_not_java_has_no_archive(self, java: Path, tmp_path: Path) -> None:
        java.write_text("#!/bin/sh\nexit 1\n")
        assert archive_for("spark-4", str(java), []) is None
        assert archive_for("spark-4", str(tmp_path / "absent"), []) is None


class TestJava:
    """Archives with the Java and the Spark of this machine."""

    JARS = minispark.SPARK_HOME / "jars"
    ENVIRON: Mapping[str, str] = {
        **os.environ,
        "SPARK_HOME": str(minispark.SPARK_HOME),
        "SPARK_SCALA_VERSION": "2.13",
    }
    """Environment for Spark's launcher, as `spark-class` sets it."""

    @pytest.fixture
    def small(self, processes: Processes, tmp_path: Path) -> Archive:
        """An archive of a short program."""
        archive = Archive(tmp_path / "a folder", "small")
        with class_data.write_archive(archive) as part:
            assert part is not None
            class_data.run_writer(part, self.command(class_data.get_creation_options(part)), self.ENVIRON)
        return archive

    def command(self, options: list[str], class_path: str = "") -> list[str]:
        main = ("org.apache.spark.launcher.Main", "org.apache.spark.deploy.SparkSubmit", "--version")
        return [java_program(), *options, "-cp", f"{class_path}{self.JARS}/*", *main]

    def test_an_archive_is_used(self, small: Archive, processes: Processes, tmp_path: Path) -> None:
        log = tmp_path / "loaded"
        processes.run(self.command([*small.options, f"-Xlog:class+load:file={log}"]), check=True, env=self.ENVIRON)
        assert FROM_ARCHIVE in log.read_text()

    @pytest.mark.parametrize("fault", ["corrupt", "another class path", "empty", "deleted"])
    def test_an_archive_that_does_not_match_is_ignored(
        self, small: Archive, processes: Processes, tmp_path: Path, fault: str
    ) -> None:
        assert small.path is not None
        options, log = small.options, tmp_path / "loaded"
        if fault == "deleted":
            small.path.unlink()
        elif fault != "another class path":
            size = small.path.stat().st_size
            small.path.chmod(0o600)
            small.path.write_bytes(b"x" * size if fault == "corrupt" else b"")
        before = f"{tmp_path}:" if fault == "another class path" else ""
        plain = processes.run(self.command([], before), check=True, env=self.ENVIRON)
        command = self.command([*options, f"-Xlog:class+load:file={log}"], before)
        done = processes.run(command, check=True, env=self.ENVIRON)
        assert FROM_ARCHIVE not in log.read_text()
        assert (done.stdout, done.stderr) == (plain.stdout, plain.stderr)

    @pytest.mark.parametrize("on", [True, False])
    def test_a_session_uses_it_unless_the_setting_is_off(self, processes: Processes, tmp_path: Path, on: bool) -> None:
        archive, log = minispark.class_data(), tmp_path / "loaded"
        if archive is None or archive.path is None:
            pytest.fail("the tests' own archive could not be created")
        program = (
            "import json, sys\n"
            "from traffic_assets.dagster_hdfs.resources import SparkResource\n"
            "spark = SparkResource(**json.loads(sys.argv[1])).session\n"
            "options = spark.sparkContext._jvm.java.lang.management.ManagementFactory.getRuntimeMXBean()\n"
            "print('RESULT', spark.range(3).count(), *options.getInputArguments())\n"
        )
        fields = {
            "master": "local[1]",
            "driver_memory": "512m",
            "class_data_archive": on,
            "config": {"spark.driver.extraJavaOptions": f"-Dmine=1 -Xlog:class+load:file={log}"},
        }
        env = {key: value for key, value in os.environ.items() if key not in OPTIONS}
        done = processes.python("-c", program, json.dumps(fields), env=env)
        (result,) = [line for line in done.stdout.splitlines() if line.startswith("RESULT")]
        assert result.startswith("RESULT 3")
        assert "-Dmine=1" in result, "the user's own options are kept"
        assert (f"-XX:SharedArchiveFile={archive.path}" in result) == on
        assert (log.read_text().count(FROM_ARCHIVE) > 5000) == on


def test_the_typical_jobs_run(spark: SparkSession, tmp_path: Path) -> None:
    rows = class_data_jobs.run_queries(spark, tmp_path.as_uri())
    assert rows.count() == 200
    class_data_jobs.fit_models(rows, tmp_path.as_uri())
    rows.unpersist()
    assert (tmp_path / "GBTRegressor").is_dir()


def test_a_process_that_has_a_jvm_needs_no_options(spark: SparkSession) -> None:
    assert class_data.jvm_runs()
