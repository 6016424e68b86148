"""The README: its Python lines run on a trained deployment."""

import re
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from traffic_assets_tests.deployment import Deployment

README = Path(__file__).parents[1] / "README.md"


def _python_lines() -> str:
    (lines,) = re.findall(r"^```python\n(.*?)^```", README.read_text(), re.MULTILINE | re.DOTALL)
    return str(lines)


def test_the_python_lines_load_a_registered_model_and_predict(
    trained: Deployment,
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "traffic-data").symlink_to(trained.base)
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {}
    exec(compile(_python_lines(), str(README), "exec"), names)
    predictions = names["predictions"]
    assert predictions.count() == names["features"].count() > 0
    assert predictions.where("prediction IS NULL OR isnan(prediction)").count() == 0
    assert "prediction" in capsys.readouterr().out


def test_the_guide_shows_the_same_lines() -> None:
    guide = README.parent / "docs" / "how-to" / "use-models.md"
    assert _python_lines() in guide.read_text()
