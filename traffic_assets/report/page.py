"""The report as one HTML page that contains its styles and figures, has no scripts and loads nothing else."""

import base64
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from traffic_assets.ml.evaluation.slices import Slice, select_worst_slices
from traffic_assets.ml.metrics.metrics import known_metrics, make_sort_key
from traffic_assets.ml.model_selection.trials import Search, Trial
from traffic_assets.report import findings
from traffic_assets.report.contents import Report

TEMPLATE = "report.html.j2"
_TRIALS_SHOWN = 50


def render(report: Report) -> str:
    """Return the page as HTML; names from the data (sensors, highways) are escaped.

    Args:
        report: Contents of the page.
    """
    # the template is next to this file in the package; jinja2 escapes every value
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "number": findings.number,
        "image": _image,
        "size": _size,
        "duration": _duration,
        "percent": lambda share, digits=1: "–" if share is None else f"{share:.{digits}%}",
    }
    return environment.get_template(TEMPLATE).render(
        report=report,
        words=findings,
        metrics=known_metrics(),
        list_trials=_list_trials,
        select_worst_slices=lambda slices: select_worst_slices(slices, 10),
        group_slices=_group_slices,
    )


def _image(content: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(content).decode()}"


def _size(number: float | None) -> str:
    if number is None:
        return "–"
    for unit in ("B", "kB", "MB"):
        if abs(number) < 1000:
            return f"{number:.3g} {unit}"
        number /= 1000
    return f"{number:,.3g} GB"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "–"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def _list_trials(search: Search) -> list[tuple[int, Trial]]:
    """Return the trials with their numbers, the best first, up to `_TRIALS_SHOWN`."""
    numbered = list(enumerate(search.trials, 1))
    order = sorted(numbered, key=lambda pair: (pair[0] - 1 != search.chosen, _rank(search, pair[1]), pair[0]))
    return order[:_TRIALS_SHOWN]


def _rank(search: Search, trial: Trial) -> float:
    return make_sort_key(search.primary_metric, trial.over_folds(search.primary_metric).mean)


def _group_slices(slices: list[Slice]) -> dict[str, list[Slice]]:
    groups: dict[str, list[Slice]] = {}
    for each in slices:
        groups.setdefault(each.dimension, []).append(each)
    return groups
