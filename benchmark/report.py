"""What evaluate.py prints: the table, a sentence on each column, the files, what to do next."""

from textwrap import fill

from benchmark.data_card import BESIDE_SPLITS
from benchmark.results_folder import SHIPPED_MARK
from benchmark.significance import FEWEST_SEEDS
from benchmark.table_formats import as_plain_text, one_line
from benchmark.tables import as_text, misclassified_text, published_columns
from benchmark.variants import variants_of

LINE_WIDTH = 100  # characters of a line, unless the table is wider

FILES = (
    ("figures/", "the table, learning curves, classes and costs, as PNG and PDF"),
    ("table.md", "also accuracy, macro-F1, size, epochs and time; table.tex for LaTeX"),
    ("significance.md", "which differences between networks are real"),
    ("misclassified.md", "why spectra are misclassified, and which classes most often"),
    ("agreement.md", "whether ours and the published runs can be alike"),
)


def report_text(dataset, rows, shown, published, class_file, variation):
    """Return the table of misclassified spectra with a sentence on each column.

    dataset: its name; rows: list of tables.Row; shown: the split that groups are about; published,
    class_file, variation: as in evaluate.Evaluation.
    """
    scored = rows[0].scores
    held = published if published_columns(rows) else None
    header = ["network", "group", "seeds", *(f"{s} of {scored[s].spectra}" for s in scored)]
    lines = [
        [row.network, row.group, row.seeds]
        + [misclassified_text(row.scores[split]) for split in scored]
        for row in rows
    ]
    meanings = {
        "network": "a network, or a method of baselines.py",
        "group": f"networks with a common letter were not shown to differ on {shown}",
        "seeds": "trainings with different random numbers; mean ± deviation (range) of several",
    }
    meanings |= {split: meaning_of(split, class_file, variation) for split in scored}
    if held:
        header.append("published")
        for line, row in zip(lines, rows, strict=True):
            line.append(row.published.text())
        meanings["published"] = f"results that the authors publish, to be held against {held.split}"
    if any(score.unanswered for row in rows for score in row.scores.values()):
        meanings["answered"] = (
            "spectra that the method has an answer for; the others are not counted"
        )
    sentences = (f"{one_line(name)}: {meaning}." for name, meaning in meanings.items())
    title = one_line(f"Misclassified spectra of {dataset}")
    table = as_plain_text(header, as_text(lines))
    return "\n".join([title, "", table, wrapped("\n".join(sentences)), ""])


def wrapped(text):
    """Break the lines of a text that are longer than LINE_WIDTH, the rest of each indented."""
    whole = {"break_long_words": False, "break_on_hyphens": False}  # paths
    lines = (one_line(line) for line in text.split("\n"))
    return "\n".join(fill(line, LINE_WIDTH, subsequent_indent="  ", **whole) for line in lines)


def meaning_of(split, class_file, variation):
    """Say how the spectra of a split vary and what they are for."""
    if split == "val" and class_file is None:
        return "validation spectra; they decide when training stops"
    if split == "val":
        return "spectra that vary as training spectra do; they decide when training stops"
    if split == BESIDE_SPLITS["test"]:
        return (
            "measured spectra; networks see them only at the end, and no setting is chosen by them"
        )
    if split == BESIDE_SPLITS["val"]:
        return "measured spectra; settings may be chosen by them, so they test nothing"
    # Where no test_wide was rendered, one that is there is the user's own.
    if class_file is None or split not in variants_of(class_file, variation):
        return "a test split; networks see it only at the end"
    if split == "test" and class_file.test_variants:
        return "test spectra, varied as the class file says; networks see them only at the end"
    change = variation.test_height_change
    if split == "test_wide":
        change = variation.wide_test_height_change
    return (
        f"test spectra; all peaks shift together by up to {variation.test_shift} datapoints, all "
        f"but the highest change by up to {change:g} in height"
    )


def files_text(folder, drawn):
    """Say which files of a results folder hold what; drawn: whether figures were drawn."""
    present = [
        (one_line(f"{folder}/{name}"), content)
        for name, content in FILES
        if (folder / name).exists() and (drawn or name != "figures/")
    ]
    width = max(len(path) for path, _ in present)
    return "\n".join(f"{path:{width}}  {content}" for path, content in present) + "\n"


def next_step(rows, class_file):
    """Say what to do next with these results; rows: list of tables.Row."""
    networks = [row for row in rows if row.seeds]
    if class_file and len(networks) == len(rows):
        return "Next: baselines.py adds methods without a network, to compare networks with.\n"
    own = [row for row in networks if not row.network.endswith(SHIPPED_MARK)]
    if min(row.seeds for row in own) < FEWEST_SEEDS:
        seeds = " ".join(map(str, range(FEWEST_SEEDS)))
        return (
            f"Next: train with the same command and --seeds {seeds}; differences between networks "
            f"can be\ntested from {FEWEST_SEEDS} seeds on. README.md shows how to use materials "
            f"and networks of your own.\n"
        )
    return "Next: README.md shows how to use materials and networks of your own.\n"
