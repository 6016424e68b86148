"""The reference pages of the documentation site, rendered from the code.

`mkdocs.yml` lists this file as a hook. The reference pages are rendered while the site is built and are never stored,
so they cannot differ from the code. `docs/troubleshooting.md` is stored, because people also read it without the site.
A test compares it with the messages. Prose pages are in `docs/`.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import dagster as dg
import typer
import typer.main
from typer.cli import get_docs_for_click

from traffic_assets.build import build_defs
from traffic_assets.catalogue.column import Column
from traffic_assets.catalogue.extension import Feature
from traffic_assets.catalogue.features import CATEGORICAL_FEATURES, FEATURES, NUMERIC_FEATURES
from traffic_assets.catalogue.readings import READING_COLUMNS
from traffic_assets.catalogue.sensors import SENSOR_COLUMNS
from traffic_assets.catalogue.stored import STORED_COLUMNS
from traffic_assets.catalogue.targets import TARGETS
from traffic_assets.cli.app import app
from traffic_assets.dagster_hdfs.backends import filesystem_for
from traffic_assets.dagster_hdfs.errors import StorageError
from traffic_assets.dagster_hdfs.filesystem import FileStatus, FileSystem
from traffic_assets.dagster_hdfs.message import Message
from traffic_assets.dagster_hdfs.reading import read_current
from traffic_assets.messages.catalogue import catalogue
from traffic_assets.messages.simulation import OUT_OF_RANGE
from traffic_assets.ml.algorithm import Algorithm, algorithm_named
from traffic_assets.ml.capabilities import EarlyStopping, OwnThreads, Requirements, SharedFit
from traffic_assets.ml.metrics.spec import Metric
from traffic_assets.registry import ModelRegistry
from traffic_assets.registry.metadata import VersionMetadata
from traffic_assets.registry.store import LoadedModel
from traffic_assets.registry.versions import RegistryError
from traffic_assets.settings import load_settings, profile_names
from traffic_assets.settings.data import ALIASES
from traffic_assets.settings.gate import GateThresholds
from traffic_assets.settings.loading import SettingsError
from traffic_assets.settings.models.base import Hyperparameters, ModelSettings, Range
from traffic_assets.settings.schema import Settings

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

Schema = Mapping[str, Any]

API = (
    ("Code location", (build_defs,)),
    ("Settings", (load_settings, SettingsError)),
    ("Stored tables", (filesystem_for, read_current, StorageError)),
    ("Model registry", (ModelRegistry, LoadedModel, VersionMetadata, RegistryError)),
    (
        "Extension points",
        (
            *(Algorithm, Requirements, EarlyStopping, SharedFit, OwnThreads),
            *(ModelSettings, Hyperparameters, Range, GateThresholds),
            *(Metric, Column, Feature, FileSystem, FileStatus),
        ),
    ),
)
"""The public Python API: what a notebook or a plugin imports."""

ROOT = Path(__file__).parents[1]
BOUNDS = {"minimum": "≥ {}", "exclusiveMinimum": "> {}", "maximum": "≤ {}", "exclusiveMaximum": "< {}"}
FORMATS = {"date": "date (YYYY-MM-DD)"}


@dataclass(frozen=True)
class Setting:
    """One value of the settings.

    Attributes:
        path: Dotted path, such as `training.folds`.
        type: Type or allowed values, as Markdown.
        bounds: Range or pattern, as Markdown.
        default: Default value, as Markdown.
        description: Description for users.
    """

    path: str
    type: str
    bounds: str
    default: str
    description: str


def table(header: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Render a Markdown table.

    >>> print(table(["name", "unit"], [["speed", "mph"]]))
    | name | unit |
    |---|---|
    | speed | mph |
    """
    head = list(header)
    lines = ["| " + " | ".join(cells) + " |" for cells in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def code(value: object) -> str:
    """Render a value as inline code: text as it is, other values as JSON.

    A vertical bar would end a table cell, even inside backticks.

    >>> code({"low": 0.7})
    '`{"low": 0.7}`'
    >>> code("a|b")
    '<code>a&#124;b</code>'
    """
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    if "|" not in text:
        return f"`{text}`"
    return "<code>" + "".join(c if c.isalnum() else f"&#{ord(c)};" for c in text) + "</code>"


class SettingsSchema:
    """The JSON schema of the settings, walked section by section."""

    def __init__(self, schema: Schema) -> None:
        self._root = schema

    def section(self, schema: Schema) -> Schema | None:
        """Return the schema of the section that a property contains, or None if it contains a value.

        An object without a single default, such as a range, is a value.
        """
        target = self._resolve(schema)
        properties = target.get("properties", {})
        return target if any("default" in p or "$ref" in p for p in properties.values()) else None

    def members(self, schema: Schema) -> Schema | None:
        """Return the schema that all members of a section share (such as every model's thresholds), or None."""
        references = {value.get("$ref") for value in schema["properties"].values()}
        return self.section({"$ref": references.pop()}) if len(references) == 1 and None not in references else None

    def walk(self, schema: Schema, path: str = "", defaults: Any = None) -> Iterator[tuple[str, Schema, Any]]:
        """Yield path, schema and defaults of a section and of every section below it."""
        yield path, schema, defaults
        if self.members(schema) is not None:
            return
        for name, value in schema["properties"].items():
            if (below := self.section(value)) is not None:
                inner = defaults.get(name) if isinstance(defaults, Mapping) else value.get("default")
                yield from self.walk(below, f"{path}.{name}" if path else name, inner)

    def settings(self, path: str, schema: Schema, defaults: Any = None) -> list[Setting]:
        """Return the settings of one section, without those of its subsections."""
        return [
            Setting(
                path=f"{path}.{name}" if path else name,
                type=self.type(value),
                bounds=self.bounds(value),
                default=self._default(name, value, defaults, name in schema.get("required", ())),
                description=value.get("description", ""),
            )
            for name, value in schema["properties"].items()
            if self.section(value) is None
        ]

    def type(self, schema: Schema) -> str:
        """Render the type of a value, or its allowed values."""
        target = self._resolve(schema)
        if options := target.get("anyOf") or target.get("oneOf"):
            return " or ".join(dict.fromkeys(self.type(option) for option in options))
        if values := target.get("enum") or ([target["const"]] if "const" in target else None):
            return ", ".join(code(value) for value in values)
        if target.get("type") == "array":
            if parts := target.get("prefixItems"):
                return "[" + ", ".join(self.type(part) for part in parts) + "]"
            item = self.type(target.get("items", {}))
            return "list" if item == "any" else f"list of {item}"
        if target.get("type") == "object":
            if names := target.get("properties"):
                return "object with " + ", ".join(code(name) for name in names)
            inside = target.get("additionalProperties")
            return f"object of {self.type(inside)}" if isinstance(inside, Mapping) else "object"
        return FORMATS.get(target.get("format", "")) or str(target.get("type", "any"))

    def bounds(self, schema: Schema) -> str:
        """Render the range or the pattern of a value."""
        target = self._resolve(schema)
        limits = [text.format(f"{target[key]:,}") for key, text in BOUNDS.items() if key in target]
        if "pattern" in target:
            limits.append(code(target["pattern"]))
        for option in (*target.get("anyOf", ()), *target.get("oneOf", ())):
            limits += filter(None, [self.bounds(option)])
        return ", ".join(dict.fromkeys(limits))

    def _resolve(self, schema: Schema) -> Schema:
        if "$ref" in schema:
            return self._root["$defs"][schema["$ref"].rpartition("/")[2]]
        return schema

    def _default(self, name: str, schema: Schema, defaults: Any, required: bool) -> str:
        if required:
            return "required"
        if isinstance(defaults, Mapping) and name in defaults:
            return code(defaults[name])
        return code(schema["default"]) if "default" in schema else code([] if schema.get("type") == "array" else {})


def settings_page() -> str:
    """Render every setting with type, default, range and description."""
    root = Settings.model_json_schema()
    schema = SettingsSchema(root)
    lines = [
        "# Settings",
        "",
        "A settings file is JSON with the sections below. `traffic-assets settings FILE` checks a file, and "
        "`traffic-assets settings --schema` prints the JSON schema. The environment variable "
        "`TRAFFIC_<SECTION>__<KEY>` overrides one value. See [Configure a deployment](../how-to/configure.md).",
    ]
    for path, section, defaults in schema.walk(root):
        level = "#" * min(2 + path.count("."), 4)
        about = section.get("description", "").split("\n\nAttributes:")[0]
        lines += ["", f"{level} `{path}`" if path else "## Top level", "", about]
        if (shared := schema.members(section)) is not None:
            names = list(shared["properties"])
            lines += ["", f"Each of {', '.join(code(name) for name in section['properties'])} has these settings:"]
            lines += ["", _settings_table(schema.settings(path, shared, dict.fromkeys(names)))]
            cells = [
                [code(member), *(code(value["default"].get(name)) for name in names)]
                for member, value in section["properties"].items()
            ]
            lines += ["", "Defaults:", "", table(["", *map(code, names)], cells)]
        elif rows := schema.settings(path, section, defaults):
            lines += ["", _settings_table(rows)]
    lines += ["", "## Profiles", "", "A profile overrides the defaults above. The package contains these profiles:"]
    folder = package_files("traffic_assets.settings") / "profiles"
    for name in profile_names():
        lines += ["", f"### `{name}`", "", "```json", (folder / f"{name}.json").read_text("utf-8").rstrip(), "```"]
    return "\n".join(lines) + "\n"


def _settings_table(settings: Iterable[Setting]) -> str:
    cells = [[code(s.path.rpartition(".")[2]), s.type, s.default, s.bounds, s.description] for s in settings]
    return table(["setting", "type", "default", "range", "description"], cells)


def columns_page() -> str:
    """Render the catalogue of columns."""
    aliases: dict[str, list[str]] = {}
    for alias, name in ALIASES.items():
        aliases.setdefault(name, []).append(alias)
    lines = [
        "# Columns",
        "",
        "The catalogue of columns defines names, types, units and ranges of every table that the project stores. "
        "`available` shows when a value is available, relative to the time at which the target is observed. A feature "
        "that is available *with the target* contains it at horizon 0; see [Leakage](../evaluation.md#leakage).",
        "",
        "## Readings",
        "",
        "One row per sensor and interval.",
        "",
        _column_table(READING_COLUMNS, aliases),
        "",
        "## Sensors",
        "",
        "One row per sensor.",
        "",
        _column_table(SENSOR_COLUMNS, aliases),
        "",
        "## Features",
        "",
        f"{len(FEATURES)} features: {len(NUMERIC_FEATURES)} numeric and {len(CATEGORICAL_FEATURES)} categorical.",
        "",
        "### Numeric",
        "",
        _column_table(NUMERIC_FEATURES),
        "",
        "### Categorical",
        "",
        _column_table(CATEGORICAL_FEATURES),
        "",
        "## Targets",
        "",
        "`training.targets` selects the targets to predict.",
        "",
        _column_table(TARGETS.values()),
        "",
        "## Other columns of stored tables",
        "",
        _column_table(STORED_COLUMNS),
    ]
    return "\n".join(lines) + "\n"


def _column_table(columns: Iterable[Column], aliases: Mapping[str, list[str]] | None = None) -> str:
    """Render columns with their aliases in the input or, for features and targets, with their availability."""
    last = "available" if aliases is None else "aliases"
    rows = [
        [
            code(column.name),
            column.spark_type,
            column.unit,
            _range(column),
            column.description,
            column.available_at if aliases is None else ", ".join(map(code, aliases.get(column.name, ()))),
        ]
        for column in columns
    ]
    return table(["column", "type", "unit", "range", "description", last], rows)


def _range(column: Column) -> str:
    low, high = column.low, column.high
    if low is not None and high is not None:
        return f"{low:,g} to {high:,g}"
    if low is not None:
        return f"≥ {low:,g}"
    return "" if high is None else f"≤ {high:,g}"


def commands_page() -> str:
    """Render the command line's help."""
    command = typer.main.get_command(app)
    context = typer.Context(command, info_name="traffic-assets")
    page = get_docs_for_click(obj=command, ctx=context, name="traffic-assets", title="Command line").rstrip() + "\n"
    # the generator cuts the summaries of commands at 45 characters
    summaries = {name: (below.help or "").strip().split("\n\n")[0] for name, below in _subcommands(command)}
    lines = [
        f"* `{name}`: {' '.join(summaries[name].split())}" if (name := _listed_name(line)) in summaries else line
        for line in page.splitlines()
    ]
    return "\n".join(lines) + "\n"


def _listed_name(line: str) -> str:
    """Return the name in a line of a list of commands; empty if it is another line."""
    listed = re.match(r"\* `([a-z -]+)`: ", line)
    return listed[1] if listed else ""


def _subcommands(command: Any) -> Iterator[tuple[str, Any]]:
    for name, below in getattr(command, "commands", {}).items():
        yield name, below
        yield from _subcommands(below)


def definitions_page() -> str:
    """Render the Dagster definitions of the default profile; one model's assets represent those of all models."""
    settings = load_settings("local", environ={})
    defs = build_defs(settings)
    models = list(settings.enabled_models)
    shown = models[0]

    def is_shown(key: str) -> bool:
        return not any(key.startswith(f"{model}_") for model in models if model != shown)

    def general(text: str) -> str:
        """Replace the names of models with `<model>` and their titles with `Model`."""
        for model in models:
            text = text.replace(f"{model}_", "<model>_").replace(algorithm_named(model).title, "Model")
        return text

    assets = [asset for asset in defs.assets or () if isinstance(asset, dg.AssetsDefinition)]
    specs = [spec for asset in assets for spec in asset.specs if is_shown(spec.key.to_user_string())]
    lines = [
        "# Dagster definitions",
        "",
        f"These are the definitions of the profile `local`. `<model>` is one of "
        f"{', '.join(code(model) for model in models)}. For another target, such as `flow`, the target's assets exist "
        "again with the prefix `flow/`.",
        "",
        "## Assets",
    ]
    for group in dict.fromkeys(spec.group_name for spec in specs):
        rows = [
            [
                code(general(spec.key.to_user_string())),
                _partitions(spec.partitions_def),
                general(" ".join((spec.description or "").split())),
                ", ".join(dict.fromkeys(code(general(dep.asset_key.to_user_string())) for dep in spec.deps)),
            ]
            for spec in specs
            if spec.group_name == group
        ]
        lines += ["", f"### Group `{group}`", "", table(["asset", "partition", "description", "depends on"], rows)]
    checks = [
        spec
        for check in defs.asset_checks or ()
        if isinstance(check, dg.AssetChecksDefinition)
        for spec in check.check_specs
    ]
    jobs = [[code(job.name), job.description or ""] for job in defs.jobs or () if hasattr(job, "description")]
    sensors = [
        [code(sensor.name), f"{sensor.minimum_interval_seconds} s", sensor.description or ""]
        for sensor in defs.sensors or ()
        if isinstance(sensor, dg.SensorDefinition)
    ]
    resources = [[code(name), _summary(resource)] for name, resource in (defs.resources or {}).items()]
    lines += [
        "",
        "## Asset checks",
        "",
        "A blocking check that fails stops everything downstream of its asset in the same run.",
        "",
        table(
            ["check", "asset", "blocking", "description"],
            dict.fromkeys(
                (
                    code(spec.name),
                    code(general(spec.asset_key.to_user_string())),
                    "yes" if spec.blocking else "no",
                    general(spec.description or ""),
                )
                for spec in checks
            ),
        ),
        "",
        "## Jobs",
        "",
        table(["job", "description"], jobs),
        "",
        "## Sensors",
        "",
        table(["sensor", "interval", "description"], sensors),
        "",
        "## Resources",
        "",
        table(["resource", "description"], resources),
    ]
    return "\n".join(lines) + "\n"


def _partitions(definition: dg.PartitionsDefinition | None) -> str:
    if isinstance(definition, dg.TimeWindowPartitionsDefinition):
        return "week" if definition.cron_schedule.endswith("1") else "day"
    return "none"


def _summary(resource: object) -> str:
    """Return the first paragraph of a resource's description."""
    text = getattr(resource, "description", None) or type(resource).__doc__ or ""
    return " ".join(text.strip().split("\n\n")[0].split())


def api_page() -> str:
    """Render the public Python API; mkdocstrings fills in the docstrings."""
    lines = ["# Python API", "", "The imports on this page stay compatible between minor versions."]
    for title, members in API:
        lines += ["", f"## {title}"]
        for member in members:
            lines += ["", f"::: {member.__module__}.{member.__qualname__}"]
    return "\n".join(lines) + "\n"


def troubleshooting_page() -> str:
    """Render every message by area and code, with the values of its example."""
    areas: dict[str, list[Message]] = {}
    for message in catalogue().values():
        areas.setdefault(message.code.partition(".")[0], []).append(message)
    parts = [
        "# Troubleshooting",
        "",
        "Every error, warning and failed check has a stable code. The command line, logs, warnings and Python's "
        "tracebacks show it before the text:",
        "",
        "```",
        "$ traffic-assets sample --sensors 0",
        str(OUT_OF_RANGE(**OUT_OF_RANGE.example)),
        "```",
        "",
        "The metadata of failed runs and checks contain the text in one entry and its `code` in another. If a message "
        "quotes another one, both codes are shown. Search this page for the code. The values in the messages are "
        "examples.",
    ]
    for area, messages in areas.items():
        parts += ["", f"## {area}"]
        for message in messages:
            text = message(**message.example)
            problem, *fix = re.split(r"\sFix: ", text, maxsplit=1)
            parts += ["", f"### {message.code}", "", _escape(problem).replace("\n  ", "\n\n- ")]
            if fix:
                parts += ["", f"**Fix:** {_escape(fix[0])}"]
    return "\n".join(parts) + "\n"


def _escape(text: str) -> str:
    """Escape a text for Markdown and HTML."""
    return re.sub(r"([\\`*_{}\[\]<>#|])", r"\\\1", text)


PAGES: dict[str, Callable[[], str]] = {
    "reference/settings.md": settings_page,
    "reference/columns.md": columns_page,
    "reference/commands.md": commands_page,
    "reference/definitions.md": definitions_page,
    "reference/api.md": api_page,
}


def contributing_page() -> str:
    """Render CONTRIBUTING.md with its links relative to `docs/`."""
    return (ROOT / "CONTRIBUTING.md").read_text("utf-8").replace("](docs/", "](")


def on_files(files: "Files", config: "MkDocsConfig") -> "Files":
    """Add the reference pages and CONTRIBUTING.md to the site (mkdocs hook)."""
    from mkdocs.structure.files import File

    for path, render in {**PAGES, "contributing.md": contributing_page}.items():
        files.append(File.generated(config, path, content=render()))
    return files


def main() -> None:
    """Write the pages to the folder in the first argument, to view them without a build."""
    for path, render in PAGES.items():
        target = Path(sys.argv[1], path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(render(), encoding="utf-8")


if __name__ == "__main__":
    main()
