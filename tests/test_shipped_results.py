"""The tables and figures that come with the project are what evaluate.py makes of its results."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from conftest import PROJECT
from matplotlib.image import imread

import spectra_from_config
import train_models

SHIPPED = PROJECT / "results" / "dataset500"
TABLES = [path.name for path in sorted(SHIPPED.iterdir()) if path.is_file()]
FIGURES = [path.name for path in sorted((SHIPPED / "figures").glob("*.png"))]


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Evaluate a copy of the shipped runs and baselines; returns its folder."""
    folder = tmp_path_factory.mktemp("shipped") / "dataset500"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("figures", *TABLES))
    command = [sys.executable, "evaluate.py", "--results", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", TABLES)
def test_shipped_tables_are_what_evaluate_makes(evaluated, name):
    assert (evaluated / name).read_text() == (SHIPPED / name).read_text()


@pytest.mark.parametrize("name", FIGURES)
def test_shipped_figures_are_what_evaluate_draws(evaluated, name):
    shipped, drawn = imread(SHIPPED / "figures" / name), imread(evaluated / "figures" / name)
    assert shipped.shape == drawn.shape
    assert np.abs(shipped - drawn).mean() < 1e-4  # processors round differently


def test_shipped_runs_were_trained_on_the_papers_dataset_under_its_protocol():
    runs = [json.loads(path.read_text()) for path in SHIPPED.glob("*/run.json")]
    assert runs
    defaults = spectra_from_config.Parameters()._asdict()
    protocol = {name: getattr(train_models, name.upper()) for name in train_models.PROTOCOL}
    for run in runs:
        parameters = {
            k: tuple(v) if isinstance(v, list) else v
            for k, v in run["dataset"]["parameters"].items()
        }
        assert parameters == defaults
        assert run["protocol"] == protocol
