"""The contract of a file system, tested on the local disk and on a real HDFS."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import FileSystem, LocalFileSystem
from traffic_assets.dagster_hdfs.hadoop import HadoopFileSystem
from traffic_assets.dagster_hdfs.message import find_coded_text
from traffic_assets_tests.codes import get_code, get_values
from traffic_assets_tests.processes import Processes

Storage = tuple[FileSystem, str]


class _Mount(NamedTuple):
    """A mounted file system, as `os.statvfs` describes it."""

    f_flag: int


def _tree(fs: FileSystem, uri: str) -> None:
    fs.write_bytes(f"{uri}/part-0", b"zero")
    fs.write_bytes(f"{uri}/deep/part-1", b"one")


def test_files_are_written_read_and_replaced(storage: Storage) -> None:
    fs, base = storage
    data = bytes(range(256)) * 1000
    fs.write_bytes(f"{base}/new/folder/file", data)
    assert fs.read_bytes(f"{base}/new/folder/file") == data
    assert fs.read_range(f"{base}/new/folder/file", 255_990, 100) == data[-10:]
    assert fs.read_range(f"{base}/new/folder/file", 1000, 5) == data[1000:1005]
    fs.write_bytes(f"{base}/new/folder/file", b"")
    assert fs.read_bytes(f"{base}/new/folder/file") == b""
    assert fs.read_range(f"{base}/new/folder/file", 0, 5) == b""
    assert [entry.name for entry in fs.list(f"{base}/new/folder")] == ["file"]


def test_a_new_file_never_overwrites(storage: Storage) -> None:
    fs, base = storage
    fs.write_new(f"{base}/file", b"first")
    with pytest.raises(FileExistsError, match=r"/file"):
        fs.write_new(f"{base}/file", b"second")
    assert fs.read_bytes(f"{base}/file") == b"first"


def test_missing_things_are_file_not_found(storage: Storage) -> None:
    fs, base = storage
    missing = f"{base}/nothing/here"
    assert not fs.exists(missing)
    for call in (fs.read_bytes, fs.list, fs.size):
        with pytest.raises(FileNotFoundError, match="nothing"):
            call(missing)
    with pytest.raises(FileNotFoundError):
        fs.copy(missing, f"{base}/copy")
    with pytest.raises(FileNotFoundError):
        fs.replace(missing, f"{base}/file")
    fs.delete(missing)
    assert fs.list(base) == []


def test_listing_is_sorted_with_sizes_and_times(storage: Storage) -> None:
    fs, base = storage
    fs.mkdirs(f"{base}/b/c")
    fs.mkdirs(f"{base}/b/c")
    fs.write_bytes(f"{base}/c", b"123")
    fs.write_bytes(f"{base}/a", b"1")
    fs.write_new(f"{base}/.d.0123456789abcdef.aside", b"left by a killed writer")
    entries = fs.list(base)
    assert [(entry.name, entry.is_dir, entry.size) for entry in entries] == [
        ("a", False, 1),
        ("b", True, 0),
        ("c", False, 3),
    ]
    assert [entry.uri for entry in entries] == [f"{base}/a", f"{base}/b", f"{base}/c"]
    assert all(abs(datetime.now(UTC) - entry.modified) < timedelta(minutes=10) for entry in entries)
    assert all(fs.exists(entry.uri) for entry in entries)
    assert [entry.uri for entry in fs.list_aside(base)] == [f"{base}/.d.0123456789abcdef.aside"]


def test_a_file_is_not_a_folder(storage: Storage) -> None:
    fs, base = storage
    fs.write_bytes(f"{base}/file", b"data")
    assert not fs.exists(f"{base}/file/below")
    with pytest.raises(NotADirectoryError, match=r"/file") as caught:
        fs.list(f"{base}/file")
    if isinstance(fs, HadoopFileSystem):  # on the local disk it is the operating system's error
        assert get_code(caught.value) == "storage.list-of-file"
    for path in ("file", "file/below"):
        with pytest.raises((NotADirectoryError, FileExistsError), match=r"/file"):
            fs.mkdirs(f"{base}/{path}")


def test_rename_moves_files_and_folders(storage: Storage) -> None:
    fs, base = storage
    _tree(fs, f"{base}/tree")
    fs.write_bytes(f"{base}/file", b"data")
    fs.rename(f"{base}/tree", f"{base}/moved")
    fs.rename(f"{base}/file", f"{base}/moved/file")
    assert fs.read_bytes(f"{base}/moved/deep/part-1") == b"one"
    assert [entry.name for entry in fs.list(base)] == ["moved"]


@pytest.mark.parametrize("source", ["file", "tree"])
@pytest.mark.parametrize("target", ["file", "tree", "empty"])
def test_rename_never_nests_and_never_overwrites(storage: Storage, source: str, target: str) -> None:
    fs, base = storage
    for side in ("from", "to"):
        fs.write_bytes(f"{base}/{side}/file", side.encode())
        _tree(fs, f"{base}/{side}/tree")
        fs.mkdirs(f"{base}/{side}/empty")
    with pytest.raises(FileExistsError, match=target):
        fs.rename(f"{base}/from/{source}", f"{base}/to/{target}")
    assert [entry.name for entry in fs.list(f"{base}/from")] == ["empty", "file", "tree"]
    assert fs.read_bytes(f"{base}/to/file") == b"to"
    assert fs.list(f"{base}/to/empty") == []
    assert len(fs.list(f"{base}/to/tree")) == 2


def test_rename_needs_a_source_and_a_folder(storage: Storage) -> None:
    fs, base = storage
    fs.write_bytes(f"{base}/file", b"data")
    _tree(fs, f"{base}/tree")
    with pytest.raises(FileNotFoundError):
        fs.rename(f"{base}/nothing", f"{base}/target")
    for source in ("file", "tree"):
        with pytest.raises(FileNotFoundError):
            fs.rename(f"{base}/{source}", f"{base}/no/folder")
        assert fs.exists(f"{base}/{source}")


def test_replace_is_for_files_only(storage: Storage) -> None:
    fs, base = storage
    fs.write_bytes(f"{base}/old", b"old")
    fs.write_bytes(f"{base}/new", b"new")
    fs.replace(f"{base}/new", f"{base}/old")
    assert fs.read_bytes(f"{base}/old") == b"new"
    assert not fs.exists(f"{base}/new")
    fs.replace(f"{base}/old", f"{base}/free")
    fs.mkdirs(f"{base}/folder")
    for source, target in (("folder", "free"), ("free", "folder")):
        with pytest.raises(IsADirectoryError) as caught:
            fs.replace(f"{base}/{source}", f"{base}/{target}")
        if isinstance(fs, HadoopFileSystem) or source == "folder":  # otherwise it is the operating system's error
            assert get_code(caught.value) == "storage.replace-with-folder"
            assert get_values(caught.value) == {"uri": f"{base}/folder"}
        else:
            assert "folder" in str(caught.value)
    assert fs.read_bytes(f"{base}/free") == b"new"


def test_readers_never_miss_a_file_that_is_replaced(storage: Storage) -> None:
    fs, base = storage
    fs.write_bytes(f"{base}/file", b"0" * 1000)
    done = threading.Event()

    def read() -> int:
        count = 0
        while not done.is_set() or count < 20:
            assert len(set(fs.read_bytes(f"{base}/file"))) == 1
            count += 1
        return count

    with ThreadPoolExecutor(1) as pool:
        reader = pool.submit(read)
        try:
            for number in range(100):
                fs.write_bytes(f"{base}/file", str(number % 10).encode() * 1000)
        finally:
            done.set()
        assert reader.result() >= 20


def test_delete_removes_everything_and_ignores_what_is_missing(storage: Storage) -> None:
    fs, base = storage
    _tree(fs, f"{base}/tree")
    fs.write_bytes(f"{base}/file", b"data")
    for _ in range(2):
        fs.delete(f"{base}/tree")
        fs.delete(f"{base}/file")
    assert fs.list(base) == []


def test_copy_of_files_and_trees(storage: Storage) -> None:
    fs, base = storage
    _tree(fs, f"{base}/tree")
    fs.copy(f"{base}/tree", f"{base}/new/copy")
    fs.copy(f"{base}/tree/part-0", f"{base}/new/file")
    assert fs.read_bytes(f"{base}/new/copy/deep/part-1") == b"one"
    assert fs.read_bytes(f"{base}/new/file") == b"zero"
    assert fs.size(f"{base}/new/copy") == fs.size(f"{base}/tree") == 7
    for target in ("new/copy", "new/file"):
        with pytest.raises(FileExistsError) as exists:
            fs.copy(f"{base}/tree", f"{base}/{target}")
        assert get_code(exists.value) == "storage.copy-target-exists"
        assert get_values(exists.value) == {"uri": f"{base}/{target}"}
    with pytest.raises(ValueError) as caught:
        fs.copy(f"{base}/tree", f"{base}/tree/deep/copy")
    assert get_code(caught.value) == "storage.copy-into-itself"
    assert get_values(caught.value) == {"source": f"{base}/tree", "target": f"{base}/tree/deep/copy"}


def test_size_of_files_and_trees(storage: Storage) -> None:
    fs, base = storage
    _tree(fs, f"{base}/tree")
    assert fs.size(f"{base}/tree") == 7
    assert fs.size(f"{base}/tree/part-0") == 4
    fs.mkdirs(f"{base}/empty")
    assert fs.size(f"{base}/empty") == 0


def test_sizes_of_the_files_of_a_tree(storage: Storage) -> None:
    fs, base = storage
    folder = f"{base}/a ß 100%20 folder"
    _tree(fs, f"{folder}/tree")
    fs.write_bytes(f"{folder}/tree/split=train/_files/empty", b"")
    fs.mkdirs(f"{folder}/tree/nothing")
    assert fs.file_sizes(f"{folder}/tree") == {"part-0": 4, "deep/part-1": 3, "split=train/_files/empty": 0}
    assert fs.file_sizes(f"{folder}/tree/nothing") == {}
    with pytest.raises(FileNotFoundError):
        fs.file_sizes(f"{folder}/absent")
    with pytest.raises(NotADirectoryError):
        fs.file_sizes(f"{folder}/tree/part-0")


def test_exclusive_create_has_one_winner_among_threads(storage: Storage) -> None:
    fs, base = storage
    barrier = threading.Barrier(20)

    def claim(number: int) -> bool:
        barrier.wait()
        return fs.create_exclusive(f"{base}/claims/v1.0.0", f"{number}".encode() * 100)

    with ThreadPoolExecutor(20) as pool:
        won = list(pool.map(claim, range(20)))
    assert won.count(True) == 1
    assert fs.read_bytes(f"{base}/claims/v1.0.0") == f"{won.index(True)}".encode() * 100
    assert fs.size(f"{base}/claims") == fs.size(f"{base}/claims/v1.0.0"), "the losers left nothing behind"
    assert not fs.create_exclusive(f"{base}/claims/v1.0.0", b"too late")


def test_exclusive_create_has_one_winner_among_processes(processes: Processes, tmp_path: Path) -> None:
    script = (
        "import sys; from traffic_assets.dagster_hdfs.filesystem import LocalFileSystem as Fs\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(Fs().create_exclusive(sys.argv[1], sys.argv[2].encode()))"
    )
    pipes: dict[str, Any] = {"text": True, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with ExitStack() as stack:
        claimants = [
            stack.enter_context(
                processes.start([sys.executable, "-c", script, f"file://{tmp_path}/claim", str(number)], **pipes)
            )
            for number in range(20)
        ]
        for process in claimants:
            assert process.stdout and process.stdout.readline() == "ready\n"
        for process in claimants:
            assert process.stdin
            process.stdin.write("go\n")
            process.stdin.flush()
        won = [process.communicate(timeout=60)[0].strip() for process in claimants]
    assert sorted(won) == ["False"] * 19 + ["True"]
    assert (tmp_path / "claim").read_text() == str(won.index("True"))


def test_the_local_disk_is_never_deleted_whole() -> None:
    with pytest.raises(ValueError) as caught:
        LocalFileSystem().delete("file:///")
    assert get_code(caught.value) == "storage.delete-of-disk"
    assert get_values(caught.value) == {"uri": "file:///"}


def test_local_files_start_no_jvm(processes: Processes, tmp_path: Path) -> None:
    script = (
        "import sys; from traffic_assets.dagster_hdfs.backends import filesystem_for\n"
        "fs = filesystem_for(sys.argv[1]); fs.write_bytes(sys.argv[1] + '/file', b'data')\n"
        "assert not {'pyspark', 'py4j', 'dagster'} & set(sys.modules)"
    )
    processes.python("-c", script, tmp_path, check=True)


def test_the_scheme_chooses_the_file_system() -> None:
    def no_session() -> None:
        raise AssertionError("the session starts with the first operation")

    assert isinstance(filesystem_for("/data"), LocalFileSystem)
    assert isinstance(filesystem_for("file:///data", no_session), LocalFileSystem)  # type: ignore[arg-type]
    for uri in ("hdfs://namenode:9000/data", "viewfs://cluster/data", "s3a://bucket/data"):
        assert isinstance(filesystem_for(uri, no_session), HadoopFileSystem)  # type: ignore[arg-type]
    with pytest.raises(ValueError) as caught:
        filesystem_for("hdfs://namenode:9000/data")
    assert get_code(caught.value) == "storage.no-session"
    assert get_values(caught.value) == {"uri": "hdfs://namenode:9000/data"}
    with pytest.raises(ValueError) as caught:
        filesystem_for("data")
    assert get_code(caught.value) == "storage.not-local"
    assert get_values(caught.value) == {"path": "data"}


@pytest.mark.skipif(sys.platform != "linux", reason="needs a folder that root cannot write to either")
def test_a_local_folder_without_write_access_is_a_storage_error() -> None:
    with pytest.raises(StorageError) as caught:
        LocalFileSystem().mkdirs("file:///sys/traffic")
    assert caught.value.kind in ("read_only", "local_permission"), "by how the machine mounts it"
    assert get_values(caught.value)["paths"] == ["file:///sys/traffic"]
    assert not caught.value.retryable


@pytest.mark.parametrize(
    ("number", "read_only", "kind", "first"),
    [
        (errno.EROFS, False, "read_only", "Read-only file system"),
        (errno.EACCES, True, "read_only", "Read-only file system"),
        (errno.EACCES, False, "local_permission", "No write permission"),
        (errno.EPERM, False, "local_permission", "No write permission"),
    ],
)
def test_a_read_only_mount_and_a_missing_permission_are_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, read_only: bool, kind: str, first: str
) -> None:
    def mkdir(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    statvfs = os.statvfs
    monkeypatch.setattr(Path, "mkdir", mkdir)  # no test machine can mount a file system, and root may write anywhere
    monkeypatch.setattr(os, "statvfs", lambda path: _Mount(os.ST_RDONLY) if read_only else statvfs(path))
    uri = f"file://{tmp_path}/processed"
    with pytest.raises(StorageError) as caught:
        LocalFileSystem().mkdirs(uri)
    text = find_coded_text(caught.value)
    assert text is not None
    assert (caught.value.kind, text.code) == (kind, f"storage.{kind.replace('_', '-')}")
    assert text.plain.startswith(f"{first} ({uri}")
    assert "hdfs dfs" not in text.plain
    assert not caught.value.retryable


@pytest.mark.parametrize("number", [errno.EPERM, errno.EOPNOTSUPP])
def test_a_disk_without_hard_links_is_named_as_the_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def link(source: Path, target: Path) -> None:
        raise OSError(number, os.strerror(number), str(source))

    monkeypatch.setattr(os, "link", link)  # no test machine has such a disk
    with pytest.raises(StorageError) as caught:
        LocalFileSystem().create_exclusive(f"file://{tmp_path}/claim.json", b"{}")
    assert caught.value.kind == "no_links"
    assert get_code(caught.value) == "storage.no-links"
    assert get_values(caught.value)["paths"] == [f"file://{tmp_path}/claim.json"]
    assert os.strerror(number) in get_values(caught.value)["cause"]
    assert list(tmp_path.iterdir()) == []
