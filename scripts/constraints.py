"""Write or check constraints.txt: one exact version of each distribution that the extras of pyproject.toml install.

    python scripts/constraints.py                     add what is missing, drop what is not needed, keep the rest
    python scripts/constraints.py --upgrade           take the newest allowed version of everything
    python scripts/constraints.py --upgrade pyspark   take the newest allowed version of this one
    python scripts/constraints.py --check             compare the file with the environment; needs no package index

Writing needs only the standard library, so it works even if the current pins cannot be installed.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import tomllib
import venv
from collections.abc import Iterable, Mapping
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
HEADER = """\
# One exact version for each distribution that the extras of pyproject.toml install.
# Written by `make constraints` with Python {python} on {platform}. Do not edit: change pyproject.toml and run it again.
"""


def canonicalize(name: str) -> str:
    """Return a distribution's normalized name, which is the same for every spelling."""
    return re.sub(r"[-_.]+", "-", name).lower()


def requirements(project: Mapping[str, Any]) -> list[str]:
    """Return the requirements of a `[project]` table and all its extras, without references to its own extras."""
    extras = project.get("optional-dependencies", {}).values()
    own = re.compile(rf"{re.escape(project['name'])}\s*(\[|$)")
    every = [*project.get("dependencies", ()), *(wanted for extra in extras for wanted in extra)]
    return sorted({wanted for wanted in every if not own.match(wanted)})


def read_pins(text: str) -> dict[str, str]:
    """Return the versions that a constraints file pins, by canonical name."""
    lines = [line.strip() for line in text.splitlines()]
    pairs = [line.split("==") for line in lines if line and not line.startswith("#")]
    return {canonicalize(name): version for name, version in pairs}


def render(versions: Mapping[str, str]) -> str:
    """Return the text of a constraints file, sorted by name."""
    header = HEADER.format(python=".".join(map(str, sys.version_info[:2])), platform=sys.platform)
    return header + "".join(f"{name}=={versions[name]}\n" for name in sorted(versions, key=canonicalize))


def resolve(wanted: Iterable[str], pins: Mapping[str, str]) -> dict[str, str]:
    """Return the versions that pip would install into an empty environment, by the distribution's own name."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        venv.create(folder / "venv", with_pip=True)
        (folder / "pins.txt").write_text("".join(f"{name}=={version}\n" for name, version in pins.items()))
        report = folder / "report.json"
        pip = [str(folder / "venv/bin/python"), "-m", "pip", "--disable-pip-version-check"]
        options = ["--dry-run", "--ignore-installed", "--report", str(report), "--constraint", f"{folder}/pins.txt"]
        subprocess.run([*pip, "install", "--quiet", *options, *wanted], check=True)
        installed = json.loads(report.read_text())["install"]
    return {each["metadata"]["name"]: each["metadata"]["version"] for each in installed}


def installed_closure(wanted: Iterable[str]) -> dict[str, str]:
    """Return the installed versions of the requirements and of all their dependencies.

    A distribution that is required but not installed has an empty version.
    """
    from packaging.requirements import Requirement  # not in the standard library; pytest installs it

    closure: dict[str, str] = {}
    seen: set[tuple[str, str]] = set()
    waiting = [(Requirement(each), "") for each in wanted]
    while waiting:
        requirement, parent_extra = waiting.pop()
        if requirement.marker and not requirement.marker.evaluate({"extra": parent_extra}):
            continue
        name = canonicalize(requirement.name)
        try:
            installed = distribution(name)
        except PackageNotFoundError:
            closure[name] = ""
            continue
        closure[name] = installed.version
        for extra in {"", *requirement.extras}:
            if (name, extra) not in seen:
                seen.add((name, extra))
                waiting.extend((Requirement(each), extra) for each in installed.requires or ())
    return closure


def differences(pins: Mapping[str, str], installed: Mapping[str, str]) -> list[str]:
    """Return one line for each distribution whose pin differs from what is installed."""
    lines = [f"{name}: pinned ({pins[name]}), but nothing requires it" for name in pins.keys() - installed.keys()]
    lines += [f"{name}: required, but not pinned" for name in installed.keys() - pins.keys()]
    lines += [
        f"{name}: pinned to {pins[name]}, but {installed[name] or 'nothing'} is installed"
        for name in pins.keys() & installed.keys()
        if pins[name] != installed[name]
    ]
    return sorted(lines)


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare with what is installed")
    parser.add_argument("--upgrade", nargs="*", metavar="NAME", help="distributions to upgrade; without names, all")
    options = parser.parse_args()

    file = ROOT / "constraints.txt"
    wanted = requirements(tomllib.loads((ROOT / "pyproject.toml").read_text())["project"])
    pins = read_pins(file.read_text())
    if options.check:
        lines = differences(pins, installed_closure(wanted))
        if lines:
            print(
                "constraints.txt differs from what is installed.",
                *lines,
                "Fix: run `make constraints`, then install.",
                sep="\n",
            )
        return int(bool(lines))
    if options.upgrade is not None:
        names = {canonicalize(name) for name in options.upgrade} or pins.keys()
        pins = {name: version for name, version in pins.items() if name not in names}
    file.write_text(render(resolve(wanted, pins)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
