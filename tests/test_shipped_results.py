"""The tables and figures that come with the project are what evaluate.py makes of its results."""

import csv
import shutil
import subprocess
import sys

import pytest
from conftest import PROJECT
from matplotlib.image import imread

import train_models
from benchmark.command_line import parse_flags
from benchmark.published_results import PUBLISHED, published_of
from benchmark.run_folder import Protocol, read_run

SHIPPED = PROJECT / "results" / "shipped" / "dataset500"
TABLES = (
    *("table.md", "table.csv", "table.tex", "significance.md", "significance.csv"),
    *("misclassified.md", "misclassified.csv"),
)
FIGURES = "class_variation", "misclassifications", "learning_curves", "confused_classes", "cost"


@pytest.fixture(scope="module", autouse=True)
def unchanged():
    """Skip where somebody's own runs have joined the shipped ones, which they may."""
    command = ["git", "status", "--porcelain", "--untracked-files=all", str(SHIPPED)]
    status = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    if "run.json" in status.stdout:
        pytest.skip("results/shipped/dataset500 holds runs that are not the project's")


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory):
    """Evaluate a copy of the shipped runs and baselines; returns its folder."""
    folder = tmp_path_factory.mktemp("shipped") / "dataset500"
    shutil.copytree(SHIPPED, folder, ignore=shutil.ignore_patterns("figures", *TABLES))
    command = [sys.executable, "evaluate.py", "--results", str(folder)]
    command += ["--shipped", str(folder)]
    subprocess.run(command, cwd=PROJECT, check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("name", TABLES)
def test_shipped_tables_are_what_evaluate_makes(evaluated, name):
    assert (evaluated / name).read_text() == (SHIPPED / name).read_text()


@pytest.mark.parametrize("name", FIGURES)
def test_shipped_figures_are_of_the_kind_that_evaluate_draws(evaluated, name):
    shipped, drawn = (imread(root / "figures" / f"{name}.png") for root in (SHIPPED, evaluated))
    assert shipped.shape == drawn.shape  # rows of runs and methods make the height


def test_the_readme_shows_the_shipped_numbers():
    _, _, rest = (PROJECT / "README.md").read_text().partition("## Results so far")
    rows = [
        [cell.strip(" `") for cell in line.strip("|").split("|")]
        for line in rest.partition("\n## ")[0].splitlines()
        if line.startswith("| `")
    ]
    with open(SHIPPED / "table.csv") as file:
        table = list(csv.DictReader(file))
    assert [row[0] for row in rows] == [row["network"] for row in table]
    for (_, seeds, *counts, paper), row in zip(rows, table, strict=True):
        assert seeds == row["seeds"]
        assert paper == row["published_misclassified"]
        for split, count in zip(("val", "test", "test_wide"), counts, strict=True):
            assert float(count.split()[0]) == pytest.approx(float(row[f"{split}_mean"]), abs=0.05)


def test_the_readme_says_of_how_many_classes_the_test_errors_of_the_networks_are():
    with open(SHIPPED / "misclassified.csv") as file:
        errors = [row for row in csv.DictReader(file) if row["split"] == "test"]
    assert len({row["true_class"] for row in errors}) == 4
    assert "all errors of the networks are spectra of four" in (PROJECT / "README.md").read_text()


def test_shipped_runs_were_trained_on_the_papers_dataset_under_its_protocol():
    runs = [read_run(path.parent) for path in SHIPPED.glob("*/run.json")]
    assert runs
    settings = vars(parse_flags(train_models, []))
    protocol = Protocol(**{name: settings[name] for name in Protocol._fields})
    for run in runs:
        assert published_of(run.dataset) == PUBLISHED["paper"]
        assert run.protocol == protocol
