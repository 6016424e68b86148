"""The extras of this project: packages that some algorithms and searches need, and that are not always installed."""

from pathlib import Path
from shlex import quote

_ABOVE_THE_PACKAGE = Path(__file__).parents[2]


def installing(extra: str, folder: Path = _ABOVE_THE_PACKAGE) -> str:
    """The command that installs an extra: from the clone that runs here, by name where the package came as a wheel.

    Args:
        extra: its name in pyproject.toml.
        folder: what the package lies in; a clone has its pyproject.toml there.
    """
    if (folder / "pyproject.toml").is_file():
        return f"pip install -e {quote(f'{folder}[{extra}]')}"
    return f"pip install {quote(f'traffic-assets[{extra}]')}"
