"""The installation of this project, a clone or a wheel, and its extras: optional packages of some algorithms."""

from pathlib import Path
from shlex import quote

_ABOVE_THE_PACKAGE = Path(__file__).parents[2]


def is_clone(folder: Path = _ABOVE_THE_PACKAGE) -> bool:
    """Return True if the package is run from a clone; False if it is an installed wheel.

    Args:
        folder: Folder that contains the package; in a clone, pyproject.toml is there.
    """
    return (folder / "pyproject.toml").is_file()


def install_command(extra: str, folder: Path = _ABOVE_THE_PACKAGE) -> str:
    """Return the command that installs an extra: from the clone that is running, or by name for an installed wheel.

    Args:
        extra: Name of the extra in pyproject.toml.
        folder: Folder that contains the package; in a clone, pyproject.toml is there.
    """
    if is_clone(folder):
        return f"pip install -e {quote(f'{folder}[{extra}]')}"
    return f"pip install {quote(f'traffic-assets[{extra}]')}"
