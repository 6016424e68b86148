"""A real PostgreSQL server on loopback, with its data in a temporary folder."""

import os
import pwd
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from traffic_assets_tests.cluster.minihdfs import free_port
from traffic_assets_tests.processes import Processes

DEBIAN = Path("/usr/lib/postgresql")
SECONDS = 120
USER = "traffic"


def find_programs() -> Path | None:
    """Return the folder of the newest PostgreSQL server's programs, or None if none is installed."""
    folders = [Path(program).resolve().parent for program in [shutil.which("initdb")] if program]
    folders += sorted(DEBIAN.glob("*/bin"), key=lambda folder: float(folder.parent.name), reverse=True)
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


@contextmanager
def running_postgres(processes: Processes, programs: Path) -> Iterator[str]:
    """Run a server and yield the URL of its database; the server and its data are removed at the end of the block.

    Args:
        processes: Fixture that starts the programs.
        programs: Folder of the server's programs.
    """
    with tempfile.TemporaryDirectory() as temporary:
        folder, port = Path(temporary), free_port()
        data, log = folder / "data", folder / "log"
        owner = _owner(folder)

        def run(*command: str | Path, **options: Any) -> int:
            with log.open("a") as output, processes.start(command, stdout=output, stderr=output, **options) as process:
                return process.wait(SECONDS)

        initialize = (programs / "initdb", "-D", data, "--auth=trust", f"--username={USER}", "--no-sync")
        assert run(*initialize, cwd=folder, **owner) == 0, log.read_text()
        serve: list[str | Path] = [programs / "postgres", "-D", data, "-k", folder, "-p", str(port)]
        serve += ["-c", "listen_addresses=127.0.0.1", "-c", "fsync=off"]
        with (
            log.open("a") as output,
            processes.start(serve, cwd=folder, stdout=output, stderr=output, **owner) as server,
        ):
            address = ("--host=127.0.0.1", f"--port={port}", f"--username={USER}")
            wait = (programs / "pg_isready", *address, "--dbname=postgres")
            while run(*wait, cwd=folder):  # including while the server still refuses connections
                assert server.poll() is None, log.read_text()
            try:
                yield f"postgresql://{USER}@127.0.0.1:{port}/postgres"
            finally:
                server.send_signal(signal.SIGINT)  # ends it without waiting for its clients
                server.wait(SECONDS)


def _owner(folder: Path) -> dict[str, Any]:
    """Return the options that run a program as the folder's owner, because PostgreSQL refuses to run as root."""
    if os.geteuid():
        return {}
    account = pwd.getpwnam("postgres")
    os.chown(folder, account.pw_uid, account.pw_gid)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
