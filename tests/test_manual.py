"""The pages that users read name what there is: files, headings, flags, and the version."""

import ast
import csv
import importlib
import re
import shlex
import subprocess

import numpy as np
import pytest
from conftest import PROJECT

from benchmark import VERSION
from benchmark.baseline_folder import read_baselines
from benchmark.command_line import parse_flags
from benchmark.peak_tables import read_peak_tables
from benchmark.results_folder import read_results
from results.challenge import kinds
from results.challenge.draws import compare as draws
from results.robustness import compare as trainings
from results.rruff.peaks import compare

MANUAL = sorted((PROJECT / "docs").glob("*.md"))
PAGES = [
    *sorted(PROJECT.glob("*.md")),
    *MANUAL,
    PROJECT / "model_implementations" / "README.md",
    *sorted(PROJECT.glob("results/*/README.md")),
]
NAMES = [str(path.relative_to(PROJECT)) for path in PAGES]


def targets(page):
    """Yield the path and the heading, perhaps "", of every link to a file of the project."""
    for target in re.findall(r"\]\(([^)]+)\)", page.read_text()):
        if not target.startswith("https://"):
            name, _, heading = target.partition("#")
            yield (page.parent / name).resolve() if name else page, heading


def anchors(path):
    """Return the names that headings have as targets of links."""
    headings = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def shared_imports(path):
    """Yield the names of the files of benchmark/ that a Python file imports from."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "benchmark":
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module.startswith("benchmark."):
            yield node.module.removeprefix("benchmark.")


def test_the_map_of_benchmark_names_every_file_once_and_imports_go_up_in_it():
    page = (PROJECT / "CONTRIBUTING.md").read_text()
    rows = page.partition("| subject | files |")[2].partition("\n\n")[0].splitlines()
    row_of = {name: i for i, row in enumerate(rows) for name in re.findall("`(.+?)`", row)}
    named = [name for row in rows for name in re.findall("`(.+?)`", row)]
    files = {path.stem: path for path in (PROJECT / "benchmark").glob("[!_]*.py")}
    assert sorted(named) == sorted(files)
    for name, path in files.items():
        below = [n for n in shared_imports(path) if n in files and row_of[n] > row_of[name]]
        assert not below, f"{name} imports {below}"


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_to_a_file_and_a_heading(page):
    for path, heading in targets(page):
        assert path.exists(), path
        assert not heading or heading in anchors(path), f"{path}#{heading}"


def test_no_link_leads_to_a_file_that_git_ignores():
    linked = [str(path) for page in PAGES for path, _ in targets(page)]
    command = ["git", "check-ignore", "--", *linked]
    ignored = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert ignored.stdout == ""


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_command_has_flags_that_its_script_takes(page):
    text = page.read_text().replace("\\\n", " ")
    blocks = re.findall(r"```(?:shell|console)\n(.*?)```", text, re.DOTALL)
    commands = re.findall(r"python (\w+)\.py(.*)", "\n".join(blocks))
    commands += re.findall(r"`python (\w+)\.py([^`]*)`", " ".join(text.split()))
    for name, flags in commands:
        assert (PROJECT / f"{name}.py").exists(), name
        flags = flags.replace("$SLURM_ARRAY_TASK_ID", "0")
        parse_flags(importlib.import_module(name), shlex.split(flags, comments=True))


def test_the_readme_is_short_and_leads_to_every_page():
    readme = (PROJECT / "README.md").read_text()
    assert readme.count("\n") <= 250
    for page in MANUAL:
        assert f"](docs/{page.name}" in readme, page.name


def test_the_version_is_one_number_everywhere():
    citation = (PROJECT / "CITATION.cff").read_text()
    assert re.search(r'^version: "(.*)"$', citation, re.MULTILINE)[1] == VERSION
    changes = (PROJECT / "CHANGELOG.md").read_text()
    assert re.search(r"^## (.*)$", changes, re.MULTILINE)[1] == VERSION


def test_the_peaks_of_powder_patterns_in_the_manual_are_read_and_are_those_of_their_d(tmp_path):
    page = (PROJECT / "docs/measured_data.md").read_text()
    (lines,) = re.findall(r"```text\n(class,position,height.*?)```", page, re.DOTALL)
    (tmp_path / "peaks.csv").write_text(lines)
    tables = read_peak_tables([tmp_path / "peaks.csv"])
    (two_theta,) = re.findall(r"`(np\.degrees\(.*?)`", page)
    d = np.array([row["d"] for row in csv.DictReader(lines.splitlines())], float)
    positions = eval(two_theta, {"np": np, "wavelength": 1.5406, "d": d})
    named = np.concatenate([tables[name].x for name in ("Quartz", "Halite")])
    np.testing.assert_allclose(positions, named, rtol=0, atol=0.005)


def printed_and_drawn(script, capsys, monkeypatch, tables=2):
    """Return the first tables that a page's script prints, and the figures it draws."""
    drawn = []
    monkeypatch.setattr(script, "save", lambda figure, *_: drawn.append(figure) or [])
    script.main()
    return capsys.readouterr().out.split("\n\n")[:tables], drawn


def test_the_minerals_page_shows_what_its_script_makes_of_the_runs(capsys, monkeypatch):
    (printed, differences), drawn = printed_and_drawn(compare, capsys, monkeypatch)
    page = (PROJECT / "results/rruff/README.md").read_text()
    assert printed in page
    assert differences in page
    settings, judges = drawn
    titles = [panel.get_title(loc="left") for panel in judges.axes]
    assert titles == ["rank correlation 0.05", "rank correlation 0.67"]
    panels = settings.axes[::2]  # the left ones
    texts = [label.get_text() for panel in panels for label in panel.get_yticklabels()]
    assert [row.split(" | ")[1] for row in printed.splitlines()[2:]] == texts


@pytest.mark.parametrize("seeds", [3, 20])
def test_the_interval_of_the_minerals_page_knows_how_seeds_spread(seeds):
    counts = np.random.default_rng(0).normal(100, 10, (2, 3, seeds, 1))  # of a single mineral
    low, high = compare.interval(*counts)
    error = np.sqrt(counts.var(axis=2, ddof=1).sum() / seeds)
    assert high - low == pytest.approx(2 * 1.96 * error, rel=0.05)


def test_the_challenge_page_shows_what_its_script_makes_of_the_runs(capsys, monkeypatch):
    (table, pairs), drawn = printed_and_drawn(kinds, capsys, monkeypatch)
    page = (PROJECT / "results/challenge/README.md").read_text()
    assert table in page
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    names = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()]
    assert [row[0] for row in rows] == [name.replace("\n", "") for name in names]
    strokes = [
        line.get_xdata()[0] for line in drawn[0].axes[1].get_lines() if line.get_marker() == "None"
    ]
    assert [f"{mean:.3g}" for mean in strokes] == [row[2] for row in rows[: len(strokes)]]
    assert "| cnn2 − vgg | minor peak | +15.2 | +9.5 to +20.9 | 0.024 |" in pairs
    text = " ".join(page.split())
    assert "(15.2 spectra fewer, 95 % interval 9.5 to 20.9, p = 0.024" in text
    assert "| cnn2 − vgg | undecided | -9.4 | -14.3 to -4.5 | 0.18 |" in pairs
    assert "(41.4 instead of 32.0, p = 0.18)" in text
    learned = [row for row in rows[: len(strokes)] if "cnn_bn" not in row[0] or "=False" in row[0]]
    assert not any(float(row[2]) for row in learned)
    relu, linear = (row[1:5] for row in learned if row[0].startswith("cnn6"))
    assert not any(map(float, [*relu[:3], *linear[:3]]))
    assert f"{linear[3]} with linear hidden layers and {relu[3]} with ReLU (one run each)" in text
    others = [row[1:4] for row in learned if not row[0].startswith("cnn6")]
    minor, _, height = np.array(others, float).T
    shares = min(minor / 54), max(minor / 54), max(height / 18)
    few, many, most = (f"{100 * share:.0f}" for share in shares)
    assert f"0 to 6 (up to {most} %), of 54 minor peaks 4 to 24 ({few} to {many} %)" in text
    tested = [row for row in pairs.splitlines()[2:] if row.split("|")[5].strip()]
    assert f"corrected for the {len(tested)} tests made" in text


def test_the_robustness_page_shows_what_its_script_makes_of_the_runs(capsys, monkeypatch):
    (ladder, clean), drawn = printed_and_drawn(trainings, capsys, monkeypatch)
    page = (PROJECT / "results/robustness/README.md").read_text()
    assert ladder in page
    assert clean in page
    rows = [row.split(" | ") for row in ladder.splitlines()[2:]]
    titles = [panel.get_title(loc="left") for panel in drawn[0].axes]
    assert list(filter(None, titles)) == list(dict.fromkeys(row[0].strip("| ") for row in rows))
    noise = trainings.ARTEFACTS.index("noise")
    place = [label.get_text() for label in drawn[0].axes[0].get_yticklabels()].index("noise")
    points = [line.get_xdata()[place] for panel in drawn[0].axes for line in panel.get_lines()]
    assert [f"{point:.3f}" for point in points] == [row[4 + noise].strip("| ") for row in rows]


def test_the_means_of_the_robustness_page_are_those_of_its_csv_files():
    for folder, training in trainings.TRAININGS.items():
        with open(trainings.HERE / folder / "robustness.csv", newline="") as file:
            accuracies = [
                float(line["accuracy"])
                for line in csv.DictReader(file)
                if line["network"] == "vgg" and line["artefact"] != "none"
            ]
        (row,) = (r for r in trainings.read_rows() if r[:2] == ("vgg", training))
        assert row.mean_accuracy == pytest.approx(np.mean(accuracies), abs=1e-6)


def test_weak_baselines_and_noise_cost_networks_as_little_as_the_robustness_page_says():
    accuracies = {}
    with open(trainings.HERE / "ladder100" / "robustness.csv", newline="") as file:
        for line in csv.DictReader(file):
            key = line["network"], line["artefact"], float(line["severity"])
            accuracies.setdefault(key, []).append(float(line["accuracy"]))
    losses = [
        np.mean(accuracies[network, "none", 0]) - np.mean(accuracies[network, *weak])
        for network in ("cnn2", "cnn3", "inc3", "vgg")
        for weak in (("background", 0.1), ("hump", 0.1), ("noise", 0.01))
    ]
    page = " ".join((PROJECT / "results/robustness/README.md").read_text().split())
    assert f"without batch normalisation {max(losses):.3f} at most" in page


def test_undecided_spectra_of_the_challenge_page_are_those_of_the_ideal_observer():
    runs = read_results(kinds.HERE)
    groups = kinds.groups_of(runs[0].dataset)
    (observer,) = (
        one for one in read_baselines(kinds.HERE, runs[0]) if one.method == "ideal_observer"
    )
    for split, count in observer.misclassified.items():
        assert np.count_nonzero(groups[split] == 3) == count.tied
    assert np.bincount(groups["test"]).tolist() == [54, 18, 18, 72]


def test_the_challenge_page_shows_what_other_draws_give(capsys, monkeypatch):
    (table, comparisons, parts), drawn = printed_and_drawn(draws, capsys, monkeypatch, tables=3)
    page = (PROJECT / "results/challenge/README.md").read_text()
    for printed in table, comparisons, parts:
        assert printed in page
    rows = [[cell.strip() for cell in row.split("|")[1:-1]] for row in table.splitlines()[2:]]
    (panel,) = drawn[0].axes
    points = [line for line in panel.get_lines() if line.get_marker() == "D"]
    for row, line in zip(rows, points, strict=True):
        assert sorted(map(int, row[2].split())) == sorted(line.get_xdata())
    assert [label.get_text() for label in panel.get_yticklabels()] == [row[0] for row in rows]
    linear, relu, *_ = draws.read_rows("val")
    assert (linear.one_draw, relu.one_draw) == ([67, 74, 73, 67, 72], [59, 61, 55, 55, 59])
    effect = draws.effect_of_relu(linear, relu)
    assert "| a draw for each run | +5.6 | +0.0 to +11.2 | 0.05 |" in effect
    assert "spares 5.6 on `val` (0.0 to 11.2, p = 0.05)" in page
