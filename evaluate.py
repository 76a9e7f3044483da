"""Read the results of a dataset and say what they mean: tables, significance, errors, figures.

    python evaluate.py
    python evaluate.py --results results/quick

Reads the run folders of train_models.py and the methods' folders of baselines.py in a results
folder, puts runs that come with the project beside them where they are of the same dataset, prints
a table with a sentence on each column, and writes into the results folder

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

import sys
from functools import partial
from pathlib import Path
from typing import Annotated, NamedTuple

import numpy as np

from benchmark import class_figures, comparison_tables, figures, table_notes, tables
from benchmark.artefacts import names_of_those_on
from benchmark.baseline_folder import read_baselines
from benchmark.class_file import ClassFile
from benchmark.command_line import require, require_folder, run_script, warn
from benchmark.data_card import main_split
from benchmark.dataset_folder import class_path, read_classes
from benchmark.figure_style import save
from benchmark.files import replace_file
from benchmark.misclassifications import (
    Misclassification,
    explain,
    list_misclassifications,
    summarise,
)
from benchmark.published_results import (
    Published,
    array_rendered_otherwise,
    published_beside,
    published_of,
)
from benchmark.report import files_text, next_step, report_text, wrapped
from benchmark.results_folder import add_shipped, by_network, read_results
from benchmark.run_folder import differing_constants, read_predictions
from benchmark.significance import (
    FEWEST_SEEDS,
    Comparison,
    agreement,
    compare_networks,
    detectable_differences,
    groups,
)
from benchmark.table_formats import as_csv
from benchmark.true_classes import read_true_classes, warn_of_other_labels
from benchmark.variants import variants_of
from benchmark.variation import Variation
from spectra_from_config import labels_of, splits_of

# Files
RESULTS: Annotated[str, "Folder with the run folders of one dataset."] = "results/dataset500"
DATASET: Annotated[
    str | None, "Dataset folder for the labels of your own arrays; by default the one in datasets/."
] = None
CONFIG: Annotated[
    str | None, "Class file of the dataset; by default the one of its name in dataset_configs/."
] = None
SHIPPED: Annotated[
    tuple[str, ...],
    "Results folders that come with the project; their runs on the same dataset are shown as rows "
    "of their own.",
] = ("results/shipped/dataset500", "results/challenge", "results/followup")

# Output
FIGURES: Annotated[bool, "Draw the figures."] = True


class Evaluation(NamedTuple):
    """All that the tables and figures show."""

    runs: list  # of Run, ordered by network and seed, shipped ones among them
    own: list  # those that are the user's: the rest of this is about them
    baselines: list  # of Baseline
    shown: str  # the split that figures and groups in the table are about
    rows: list  # of tables.Row
    comparisons: dict  # split -> list of Comparison
    letters: dict  # split -> network -> letters of its groups
    detectable: dict  # split -> `significance.detectable_differences`
    misclassified: list  # of Misclassification
    published: Published | None  # of this dataset
    agreements: list  # of Agreement
    class_file: ClassFile | None  # None for arrays of one's own
    variation: Variation | None
    class_names: list | None  # in the order of the class indices


def main(settings):
    folder = Path(settings.results)
    require_folder("The place for figures", folder / "figures")
    for shipped in settings.shipped:  # the default ones are there in the project's folder
        require(shipped in SHIPPED or Path(shipped).is_dir(), "SHIPPED", shipped, "results folders")
    evaluation = evaluate(folder, settings.dataset, settings.config, settings.shipped)
    texts = {
        "table.md": tables.markdown_tables(evaluation.rows, evaluation.published)
        + table_notes.group_text(evaluation.rows, evaluation.shown)
        + table_notes.distance_from_ideal(evaluation.rows)
        + notes_text(evaluation)
        + table_notes.times_text(evaluation.runs),
        "table.csv": tables.csv_table(evaluation.rows, tables.origin_of(evaluation.own[0])),
        "table.tex": tables.latex_tables(evaluation.rows, evaluation.published),
        "significance.md": significance_text(evaluation),
        "significance.csv": significance_csv(evaluation),
        "misclassified.csv": misclassified_csv(evaluation),
        "misclassified.md": summarise(
            evaluation.misclassified, evaluation.own, evaluation.class_names
        )
        + artefacts_text(evaluation.variation),
    }
    if evaluation.agreements:
        texts["agreement.md"] = comparison_tables.agreement_text(
            evaluation.agreements, evaluation.published
        )
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
        warn(f"{folder}/figures are those of an earlier evaluation")


def notes_text(evaluation):
    """Say in Markdown what has to be known of the runs to read their table."""
    e = evaluation
    return (
        table_notes.origin_text(e.own[0])
        + table_notes.methods_text(e.baselines)
        + table_notes.seeds_text(e.own)
        + table_notes.cut_off_text(e.runs)
        + table_notes.shipped_text(e.runs, SHIPPED)
        + table_notes.versions_text(e.runs)
    )


def print_report(folder, evaluation, drawn):
    """Print what fits on a screen; drawn: whether the figures are those of this evaluation."""
    e = evaluation
    dataset = e.runs[0].dataset.name
    print(report_text(dataset, e.rows, e.shown, e.published, e.class_file, e.variation))
    print(wrapped(notes_text(e).replace("\n\n", "\n").strip()), end="\n\n")
    print(wrapped(groups_text(e, e.shown)))
    print(files_text(folder, drawn))
    print(next_step(e.rows, e.class_file), end="")


def evaluate(folder, dataset_folder=None, config=None, shipped=()):
    """Read a results folder; returns its Evaluation.

    shipped: results folders whose runs stand beside it if they are of the same dataset.
    """
    own = read_results(folder)
    runs = add_shipped(own, shipped)
    dataset = own[0].dataset
    baselines = read_baselines(folder, own[0])
    class_file, variation = classes_of(dataset, config)
    if class_file and dataset.class_names:  # which class_names.json may give
        class_file = class_file._replace(names=dataset.class_names)
    splits = splits_of(class_file, variation) if class_file else {}
    labels = {
        split: read_true_classes(
            dataset,
            split,
            count.spectra,
            rendered=labels_of(splits[split]) if split in splits else None,
            folder=dataset_folder,
        )
        for split, count in runs[0].misclassified.items()
    }
    predictions = read_own_predictions(own, labels)
    wrong = wrong_predictions(own, predictions, labels)  # shipped runs may be copies of own ones
    warn_of_other_labels(predictions, labels, dataset.classes)
    comparisons = {split: compare_networks(wrong[split]) for split in labels}
    letters = {split: groups(wrong[split], comparisons[split]) for split in labels}
    detectable = {
        split: detectable_differences(wrong[split], comparisons[split]) for split in labels
    }
    published = published_beside(own[0])
    tell_other_protocol(own[0])
    # What is held against the published results, if it is there.
    shown = published.split if published and published.split in labels else main_split(labels)
    misclassified = list_misclassifications(own, labels)
    if class_file:
        misclassified = explain(misclassified, class_file, variation)
    return Evaluation(
        runs=runs,
        own=own,
        baselines=baselines,
        shown=shown,
        rows=tables.table(runs, baselines, labels, letters[shown], published),
        comparisons=comparisons,
        letters=letters,
        detectable=detectable,
        misclassified=misclassified,
        published=published,
        agreements=agree(runs, published),
        class_file=class_file,
        variation=variation,
        class_names=dataset.class_names,
    )


def classes_of(dataset, config):
    """Return ClassFile and Variation of a DatasetRecord; None and None where there are none."""
    recorded = dataset._asdict()
    if config is None and dataset.class_file:
        path = class_path(recorded)
        if not path.exists():
            warn(
                f"{path} does not exist, so misclassifications are not explained; CONFIG names the "
                f"dataset's class file"
            )
            return None, None
    return read_classes(recorded, config)


def artefacts_text(variation):
    """Say in Markdown what the reasons do not take into account; "" if that is nothing."""
    if variation is None or not variation.artefacts:
        return ""
    names = ", ".join(names_of_those_on(variation.artefacts))
    return (
        f"\nThe reasons take into account how positions and heights of peaks vary, not the "
        f"artefacts of the training spectra: {names}.\n"
    )


def tell_other_protocol(run):
    """Say why published results of a Run's dataset are not shown, if its protocol is another."""
    published = published_of(run.dataset)
    if published is None or published_beside(run):
        return
    if name := array_rendered_otherwise(run.dataset, published):
        warn(
            f"published results are not shown beside these runs, whose {name} is not what class "
            f"file, variation and seed give (SHA-256 differs)"
        )
        return
    constants = differing_constants(run.protocol, published.protocol)
    names = [f"{name} {own}, not {theirs}" for name, own, theirs in constants]
    print(
        f"published results are not shown beside these runs, which were trained with "
        f"{', '.join(names)}",
        file=sys.stderr,
    )


def agree(runs, published):
    """Return an Agreement for each network with single published runs and enough of ours."""
    agreements = []
    seeds_of = by_network(runs)
    for name, network in (published.networks if published else {}).items():
        seeds = seeds_of.get(name, [])
        judged = seeds and published.split in seeds[0].misclassified
        if network.runs and judged and len(seeds) >= FEWEST_SEEDS:
            ours = [run.misclassified[published.split].misclassified for run in seeds]
            agreements.append(agreement(name, ours, network.runs))
    return agreements


def read_own_predictions(runs, labels):
    """Return split -> the classes that each run predicted, int64 (runs, spectra)."""

    def predicted(run, split, y):
        count = run.misclassified[split]
        found = read_predictions(run.folder, split, y, run.dataset.classes, count)
        return np.array(found, np.int64)  # a copy, or the files of all runs would stay open

    return {
        split: np.stack([predicted(run, split, y) for run in runs]) for split, y in labels.items()
    }


def wrong_predictions(runs, predictions, labels):
    """Return split -> network -> bool array (seeds, spectra), true where misclassified."""
    rows = {}
    for row, run in enumerate(runs):
        rows.setdefault(run.model, []).append(row)
    return {
        split: {network: predictions[split][seeds] != y for network, seeds in rows.items()}
        for split, y in labels.items()
    }


def significance_text(evaluation):
    return "\n".join(
        groups_text(evaluation, split) + comparison_tables.comparisons_text(comparisons)
        for split, comparisons in evaluation.comparisons.items()
    )


def groups_text(evaluation, split):
    e = evaluation
    return comparison_tables.groups_text(
        split, e.letters[split], e.comparisons[split], e.detectable[split]
    )


def significance_csv(evaluation):
    lines = [
        {"split": split} | comparison._asdict()
        for split, comparisons in evaluation.comparisons.items()
        for comparison in comparisons
    ]
    return as_csv(["split", *Comparison._fields], lines)


def misclassified_csv(evaluation):
    lines = [misclassified._asdict() for misclassified in evaluation.misclassified]
    names = evaluation.class_names
    if not names:
        return as_csv(Misclassification._fields, lines)
    for line in lines:
        line["true_name"] = names[line["true_class"]]
        line["predicted_name"] = names[line["predicted_class"]]
    return as_csv([*Misclassification._fields, "true_name", "predicted_name"], lines)


def draw(evaluation):
    """Draw all figures; returns name -> figure, None for one that these results do not allow."""
    runs, shown = evaluation.runs, evaluation.shown
    published = evaluation.published
    if published and published.split != shown:
        published = None
    drawn = {
        "class_variation": None,
        "class_artefacts": None,
        "misclassifications": figures.misclassifications(
            runs, evaluation.baselines, shown, published
        ),
        "learning_curves": figures.learning_curves(runs),
        "confused_classes": None,
        "cost": figures.cost(runs, shown, comparable=not table_notes.times_text(runs)),
    }
    if evaluation.class_file:
        classes = evaluation.class_file, evaluation.variation
        vary = partial(vary_class, *classes)
        label = class_figures.most_telling_class(evaluation.class_file)
        drawn["class_variation"] = class_figures.class_variation(*classes, label, vary)
        if evaluation.variation.artefacts:
            panels = class_figures.artefacts_to_show(evaluation.variation.artefacts)
            drawn["class_artefacts"] = class_figures.class_artefacts(*classes, label, panels)
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
