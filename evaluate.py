"""Read the results of a dataset and say what they mean: tables, significance, errors, figures.

    python evaluate.py
    python evaluate.py --results results/quick

Reads the run folders of train_models.py and the methods' folders of baselines.py in a results
folder, prints a table with a sentence on each column, and writes beside them

    table.md, table.csv, table.tex   misclassified spectra per network over all seeds, as in Table 2
                                     of the paper; published numbers stand beside ours for the
                                     datasets of the papers
    agreement.md                     whether ours and single published runs can be alike
    significance.md, .csv            which differences between networks are real
    misclassified.csv                every misclassified spectrum, with the reason
    misclassified.md                 the reasons per network, and the classes most runs get wrong
    figures/                         NAME.png and NAME.pdf of every figure

The paper is Schuetzke, Szymanski and Reischl, "A universal synthetic dataset for machine learning
on spectroscopic data" (2022).
"""

import hashlib
import io
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from benchmark import class_figures, figures, tables
from benchmark.baseline_folder import RECORD as BASELINE_RECORD
from benchmark.baseline_folder import read_baselines
from benchmark.class_file import ClassFile
from benchmark.command_line import InputError, run_script
from benchmark.dataset_folder import Variation, read_classes
from benchmark.figure_style import save
from benchmark.files import open_array, replace_file
from benchmark.misclassifications import (
    Misclassification,
    explain,
    list_misclassifications,
    summarise,
)
from benchmark.published_results import PUBLISHED, Published, published_of
from benchmark.report import files_text, in_lines, next_step, report_text
from benchmark.run_folder import (
    CHECKPOINT,
    FAILURE,
    HISTORY,
    RECORD,
    predictions_name,
    read_predictions,
    read_run,
)
from benchmark.run_sharing import LOCK
from benchmark.significance import FEWEST_SEEDS, Comparison, agreement, compare_networks, groups
from benchmark.table_formats import as_csv, one_line
from benchmark.variants import variants_of
from spectra_from_config import Split, labels_of, splits_of

# Files
RESULTS: Annotated[str, "Folder with the run folders of one dataset."] = "results/dataset500"
DATASET: Annotated[
    str | None, "Dataset folder for the labels of your own arrays; by default the one in datasets/."
] = None
CONFIG: Annotated[
    str | None, "Class file of the dataset; by default the one of its name in dataset_configs/."
] = None

# Output
FIGURES: Annotated[bool, "Draw the figures."] = True


class Evaluation(NamedTuple):
    """All that the tables and figures show."""

    runs: list  # of Run, ordered by network and seed
    baselines: list  # of Baseline
    shown: str  # the split that figures and groups in the table are about
    rows: list  # of tables.Row
    comparisons: dict  # split -> list of Comparison
    letters: dict  # split -> network -> letters of its groups
    misclassified: list  # of Misclassification
    published: Published | None  # of this dataset
    agreements: list  # of Agreement
    class_file: ClassFile | None  # None for arrays of one's own
    variation: Variation | None


def main(settings):
    folder = Path(settings.results)
    evaluation = evaluate(folder, settings.dataset, settings.config)
    texts = {
        "table.md": tables.markdown_tables(evaluation.rows, evaluation.published)
        + tables.distance_from_ideal(evaluation.rows)
        + tables.times_text(evaluation.runs),
        "table.csv": tables.csv_table(evaluation.rows),
        "table.tex": tables.latex_tables(evaluation.rows, evaluation.published),
        "significance.md": significance_text(evaluation),
        "significance.csv": significance_csv(evaluation),
        "misclassified.csv": misclassified_csv(evaluation),
        "misclassified.md": summarise(evaluation.misclassified, evaluation.runs),
    }
    if evaluation.agreements:
        texts["agreement.md"] = tables.agreement_text(evaluation.agreements, evaluation.published)
    drawn = draw(evaluation) if settings.figures else {}
    for name, text in texts.items():
        with replace_file(folder / name) as file:
            file.write(text.encode())
    if not evaluation.agreements:  # of an earlier evaluation with more runs
        (folder / "agreement.md").unlink(missing_ok=True)
    if settings.figures:
        save_figures(folder / "figures", drawn)
    print_report(folder, evaluation, settings.figures)
    if not settings.figures and (folder / "figures").exists():
        print(f"warning: {folder}/figures are those of an earlier evaluation", file=sys.stderr)


def print_report(folder, evaluation, drawn):
    """Print what fits on a screen; drawn: whether the figures are those of this evaluation."""
    e = evaluation
    dataset = e.runs[0].dataset.name
    print(report_text(dataset, e.rows, e.shown, e.published, e.class_file, e.variation))
    print(in_lines(groups_text(e, e.shown)))
    print(files_text(folder, drawn))
    print(next_step(e.rows, e.class_file), end="")


def evaluate(folder, dataset_folder=None, config=None):
    """Read a results folder; returns its Evaluation."""
    runs = read_results(folder)
    dataset = runs[0].dataset
    baselines = read_baselines(folder, runs[0])
    class_file, variation = read_classes(dataset._asdict(), config)
    rendered = splits_of(class_file, variation) if class_file else {}
    labels = {
        split: read_labels(dataset, split, count.spectra, rendered.get(split), dataset_folder)
        for split, count in runs[0].misclassified.items()
    }
    wrong = wrong_predictions(runs, labels)
    comparisons = {split: compare_networks(wrong[split]) for split in labels}
    letters = {split: groups(wrong[split], comparisons[split]) for split in labels}
    published = published_of(dataset)
    # What is held against the published results, if it is there.
    shown = "test_wide" if "test_wide" in labels else list(labels)[-1]
    if published and published.split in labels:
        shown = published.split
    misclassified = list_misclassifications(runs, labels)
    if class_file:
        misclassified = explain(misclassified, class_file, variation)
    return Evaluation(
        runs=runs,
        baselines=baselines,
        shown=shown,
        rows=tables.table(runs, baselines, labels, letters[shown]),
        comparisons=comparisons,
        letters=letters,
        misclassified=misclassified,
        published=published,
        agreements=agree(runs, published),
        class_file=class_file,
        variation=variation,
    )


def agree(runs, published):
    """Return an Agreement for each network with single published runs and enough of ours."""
    agreements = []
    for name, network in (published.networks if published else {}).items():
        seeds = [run for run in runs if run.model == name]
        judged = seeds and published.split in seeds[0].misclassified
        if network.runs and judged and len(seeds) >= FEWEST_SEEDS:
            ours = [run.misclassified[published.split].misclassified for run in seeds]
            agreements.append(agreement(name, ours, network.runs))
    return agreements


def read_results(folder):
    """Read all finished runs below a results folder, ordered by network and seed.

    Returns a list of Run. Raises InputError if there is none, or if runs differ in dataset or
    protocol: their numbers do not belong into one table. Names the runs and methods that are not
    finished.
    """
    if not folder.is_dir():
        raise InputError(f"results folder {folder} does not exist; train_models.py writes one")
    folders = folders_with(folder, RECORD)
    if not folders:
        raise InputError(f"{folder} holds no finished run (MODEL-seedN/{RECORD})")
    finished = {*folders, *folders_with(folder, BASELINE_RECORD)}
    begun = folders_with(folder, HISTORY, FAILURE, CHECKPOINT, LOCK, predictions_name("*"))
    unfinished = [one_line(path.name) for path in begun if path not in finished]
    if unfinished:
        print(f"left out, as they are not finished: {', '.join(unfinished)}", file=sys.stderr)
    runs = [read_run(path) for path in folders]
    for run in runs:
        check_comparable(run, runs[0])
    check_seeds(runs)
    order = list(PUBLISHED["paper"].networks)

    def rank(run):
        name = run.model.partition(":")[0]
        return order.index(name) if name in order else len(order), run.model, run.seed

    return sorted(runs, key=rank)


def folders_with(results, *names):
    """Return the folders in a results folder that hold a file of one of the names, sorted."""
    return sorted({path.parent for name in names for path in results.glob(f"*/{name}")})


def check_comparable(run, other):
    """Raise InputError if two runs differ in protocol, dataset or splits, or one has no spectra."""
    paths = f"{run.folder} and {other.folder}"
    if run.protocol != other.protocol:
        raise InputError(f"{paths} were trained under different protocols")
    hashes, other_hashes = run.dataset.sha256, other.dataset.sha256
    for name in sorted(hashes.keys() | other_hashes.keys()):
        if hashes.get(name) != other_hashes.get(name):
            raise InputError(f"{paths} differ in the dataset file {name}")
    if run.misclassified.keys() != other.misclassified.keys():
        raise InputError(f"{paths} were judged on different splits")
    for split, count in run.misclassified.items():
        expected = other.misclassified[split].spectra
        if count.spectra != expected:
            raise InputError(
                f"{paths} were judged on {count.spectra} and {expected} spectra of {split}"
            )
        if count.spectra == 0:
            raise InputError(
                f"{run.folder} was judged on 0 spectra of {split}, accepted: 1 or more"
            )


def check_seeds(runs):
    """Raise InputError if what counts as the seeds of one network is not that.

    Copies of a run would pass for seeds that all agree.
    """
    seeds, networks = {}, {}
    for run in runs:
        twin = seeds.setdefault((run.model, run.seed), run)
        if twin is not run:
            raise InputError(
                f"{twin.folder} and {run.folder} both hold {run.model} with seed {run.seed}, "
                f"accepted: one of them"
            )
        other = networks.setdefault(run.model, run)
        if other.weights != run.weights:
            raise InputError(
                f"{other.folder} and {run.folder} are not the same network: they have "
                f"{other.weights} and {run.weights} weights"
            )


def read_labels(dataset, split, spectra, rendered=None, folder=None):
    """Return the true classes of a split, int64 (spectra,), those that the runs were judged by.

    dataset: DatasetRecord; rendered: Split of a rendered dataset, whose labels need no file, and
    neither do equally many spectra of each class in their order. Those of other arrays are read
    from the dataset folder. Raises InputError if the runs were judged by others.
    """
    name = f"y_{split}.npy"
    recorded = dataset.sha256.get(name)
    if rendered or spectra % dataset.classes == 0:
        per_class = [spectra // dataset.classes] * dataset.classes
        ordered = labels_of(rendered or Split(per_class, vary=None))
        content = io.BytesIO()
        np.save(content, ordered)
        if hashlib.sha256(content.getvalue()).hexdigest() == recorded:
            return ordered
    path = Path(folder or Path("datasets", dataset.name), name)
    try:
        content = path.read_bytes()
    except (
        FileNotFoundError,
        ValueError,
    ):  # a damaged run.json may hold a name that no file can have
        raise InputError(
            f"{path} does not exist, but the labels of {split} are needed; DATASET names its folder"
        ) from None
    if hashlib.sha256(content).hexdigest() != recorded:
        raise InputError(f"{path} is not the file that the runs were judged by (SHA-256 differs)")
    return np.array(open_array(path), np.int64)


def wrong_predictions(runs, labels):
    """Return split -> network -> bool array (seeds, spectra), true where misclassified."""
    wrong = {}
    for split, y in labels.items():
        seeds = {}
        for run in runs:
            count = run.misclassified[split]
            predictions = read_predictions(run.folder, split, y, run.dataset.classes, count)
            seeds.setdefault(run.model, []).append(predictions != y)
        wrong[split] = {model: np.stack(rows) for model, rows in seeds.items()}
    return wrong


def significance_text(evaluation):
    return "\n".join(
        groups_text(evaluation, split) + tables.comparisons_text(comparisons)
        for split, comparisons in evaluation.comparisons.items()
    )


def groups_text(evaluation, split):
    return tables.groups_text(split, evaluation.letters[split], evaluation.comparisons[split])


def significance_csv(evaluation):
    lines = [
        {"split": split} | comparison._asdict()
        for split, comparisons in evaluation.comparisons.items()
        for comparison in comparisons
    ]
    return as_csv(["split", *Comparison._fields], lines)


def misclassified_csv(evaluation):
    lines = [misclassified._asdict() for misclassified in evaluation.misclassified]
    return as_csv(Misclassification._fields, lines)


def draw(evaluation):
    """Draw all figures; returns name -> figure, None for one that these results do not allow."""
    runs, shown = evaluation.runs, evaluation.shown
    published = evaluation.published
    if published and published.split != shown:
        published = None
    drawn = {
        "class_variation": None,
        "misclassifications": figures.misclassifications(
            runs, evaluation.baselines, shown, published
        ),
        "learning_curves": figures.learning_curves(runs),
        "confused_classes": None,
        "cost": figures.cost(runs, shown, comparable=not tables.times_text(runs)),
    }
    if evaluation.class_file:
        classes = evaluation.class_file, evaluation.variation
        vary = partial(vary_class, *classes)
        label = class_figures.most_telling_class(evaluation.class_file)
        drawn["class_variation"] = class_figures.class_variation(*classes, label, vary)
        tests = variants_of(*classes)
        confusions = [m for m in evaluation.misclassified if m.split in tests]
        if confusions:
            drawn["confused_classes"] = class_figures.confused_classes(confusions, *classes, vary)
    return drawn


def vary_class(class_file, variation, split, label):
    """Return positions, heights and widths of a class's spectra in a split of the dataset."""
    split = splits_of(class_file, variation)[split]
    pattern = class_file.positions[label], class_file.heights[label]
    return split.vary(*pattern, label=label, spectra=range(split.per_class[label]))


def save_figures(folder, drawn):
    """Write the figures of `draw` into a folder; what an earlier evaluation drew instead goes."""
    for name, figure in drawn.items():
        if figure:
            save(figure, folder, name)
        else:
            for kind in "png", "pdf":
                Path(folder, f"{name}.{kind}").unlink(missing_ok=True)


if __name__ == "__main__":
    run_script(sys.modules[__name__], main)
