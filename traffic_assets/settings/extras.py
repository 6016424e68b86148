"""Extras of this project: optional packages that some algorithms and searches need."""

from pathlib import Path
from shlex import quote

_ABOVE_THE_PACKAGE = Path(__file__).parents[2]


def install_command(extra: str, folder: Path = _ABOVE_THE_PACKAGE) -> str:
    """Return the command that installs an extra: from the clone that is running, or by name for an installed wheel.

    Args:
        extra: Name of the extra in pyproject.toml.
        folder: Folder that contains the package; in a clone, pyproject.toml is there.
    """
    if (folder / "pyproject.toml").is_file():
        return f"pip install -e {quote(f'{folder}[{extra}]')}"
    return f"pip install {quote(f'traffic-assets[{extra}]')}"
