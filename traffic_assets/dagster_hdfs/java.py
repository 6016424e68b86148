"""The Java that Spark starts, found as Spark finds it, and refused before Spark starts if Spark cannot use it.

`scripts/require-java.sh` checks the same for `make`, before Python has its packages. This module imports neither
dagster nor pyspark.
"""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from traffic_assets.dagster_hdfs import messages

SUPPORTED = (17, 21)
"""Versions of Java that Spark 4 supports."""

SECONDS = 60.0
"""Time after which a program that does not answer is not Java; no performance limit."""

_VERSION = re.compile(r'version "(?:1\.)?(\d+)')


class JavaError(RuntimeError):
    """Error for a Java that is missing or that Spark cannot use."""


def java_program() -> str:
    """Return the Java that Spark uses: that of JAVA_HOME, otherwise the first on the PATH."""
    home = os.environ.get("JAVA_HOME")
    return str(Path(home, "bin", "java")) if home else "java"


def java_version(program: str) -> int | None:
    """Return the major version that a Java program prints; None if it prints none.

    Args:
        program: Path or name of the program.
    """
    try:
        done = subprocess.run([program, "-version"], capture_output=True, text=True, timeout=SECONDS, check=False)
    except (OSError, subprocess.SubprocessError):
        return None
    version = _VERSION.search(done.stderr + done.stdout)
    return int(version[1]) if version else None


def require_java() -> None:
    """Raise if Spark would find no Java, or one that it cannot use.

    Raises:
        JavaError: With the version, the path and the way to get another one.
    """
    program, home = java_program(), os.environ.get("JAVA_HOME")
    path = shutil.which(program)
    version = java_version(path) if path else None
    if version in SUPPORTED:
        return
    facts = {"supported": " or ".join(map(str, SUPPORTED)), "install": _install_command()}
    if home and (other := shutil.which("java")) and java_version(other) in SUPPORTED:
        raise JavaError(messages.JAVA_HOME_HIDES_JAVA(home=home, java=other, **facts))
    if path is None and home:
        raise JavaError(messages.NO_JAVA_IN_HOME(home=home, **facts))
    if path is None:
        raise JavaError(messages.NO_JAVA(**facts))
    if version is None:
        raise JavaError(messages.NOT_JAVA(path=path, **facts))
    raise JavaError(messages.UNSUPPORTED_JAVA(version=version, path=path, **facts))


def _install_command() -> str:
    """Return how to install a Java that Spark can use on this machine."""
    if sys.platform == "darwin":
        return "run `brew install openjdk@17` and set JAVA_HOME to $(brew --prefix openjdk@17)"
    managers = {
        "apt-get": "sudo apt-get install openjdk-17-jre-headless",
        "dnf": "sudo dnf install java-17-openjdk-headless",
        "pacman": "sudo pacman -S jre17-openjdk-headless",
    }
    command = next((command for manager, command in managers.items() if shutil.which(manager)), None)
    where = "set JAVA_HOME to its folder"
    return f"run `{command}`, and {where} if another Java comes first" if command else f"install one, and {where}"
