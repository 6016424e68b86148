"""Servers of the test HDFS: a failed download, and the start with class data archives."""

import os
from pathlib import Path

import pytest

from traffic_assets_tests.cluster import minihdfs


@pytest.mark.usefixtures("processes")
def test_a_failed_download_reports_its_fix_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache, home = tmp_path / "cache", tmp_path / "home"
    killed, under_way = cache / "part-killed", cache / "part-under-way"
    for folder in (killed, under_way, home / "bin", tmp_path / "empty"):
        folder.mkdir(parents=True)
    os.utime(killed, (1, 1))
    java = home / "bin" / "java"
    java.write_text("#!/bin/sh\nexit 7\n")
    java.chmod(0o755)
    monkeypatch.setattr(minihdfs, "CACHE", cache)
    monkeypatch.setenv("JAVA_HOME", str(home))
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))  # neither mvn nor another java
    with pytest.raises(RuntimeError, match=rf"by {java}: .*exit status 7.*Maven.*network is needed.*MINIHDFS_CACHE"):
        minihdfs.server_classpath()
    assert list(cache.iterdir()) == [under_way]


@pytest.mark.usefixtures("processes")
def test_the_servers_start_from_their_class_data_archives(tmp_path: Path) -> None:
    archives = minihdfs.class_data()
    options = {
        main: [*archive.options, f"-Xlog:class+load:file={tmp_path / main}"]
        for main, archive in archives.items()
        if archive is not None
    }
    with minihdfs.MiniHdfs(options=options):
        pass
    for main in (minihdfs.NAMENODE, minihdfs.DATANODE):
        assert (tmp_path / main).read_text().count("shared objects file (top)") > 1000
