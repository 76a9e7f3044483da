"""Tables of comparisons: of networks with each other, and of ours with published runs."""

from math import comb

from benchmark.significance import ALPHA, LETTERS, POWER, holm
from benchmark.table_formats import (
    as_markdown,
    difference_cells,
    markdown_text,
    mean_text,
    names_text,
)


def groups_text(split, letters, comparisons, detectable=None):
    """Say in Markdown which networks are not shown to differ.

    letters: `significance.groups` of comparisons, a list of `significance.Comparison`; detectable:
    `significance.detectable_differences` of them.
    """
    lines = [f"## Which differences are real: {markdown_text(split)}", ""]
    compared = {name for c in comparisons for name in (c.a, c.b)}
    alone = [name for name in letters if name not in compared]
    if alone:
        lines += [
            f"Not compared: {names_text(alone)}. A comparison takes three seeds of each of two "
            f"networks."
        ]
    if compared and not any(letters.values()):
        lines += [f"No letters: the networks fall into more than {len(LETTERS)} groups."]
    for letter in LETTERS:
        members = [name for name in letters if letter in letters[name]]
        what = "are not shown to differ" if len(members) > 1 else "differs from all others compared"
        if members:
            lines.append(f"- {letter}: {names_text(members)} {what}")
    if detectable:
        found = [f"{mean_text(number, 2)} spectra ({n} seeds)" for n, number in detectable.items()]
        lines += [
            "",
            f"If the counts of all networks spread alike over the seeds, a true difference of "
            f"{', '.join(found)} between two networks would be found here with a probability of "
            f"{100 * POWER:g} %, a smaller one, or one with fewer seeds, more rarely.",
        ]
    untested = {name for c in comparisons if c.welch is None for name in (c.a, c.b)}
    if untested:
        lines += [
            "",
            f"Not tested against each other: "
            f"{names_text(name for name in letters if name in untested)}. Each misclassifies the "
            f"same number of spectra with all its seeds, so Welch's test has no spread to hold a "
            f"difference against. They share a letter because nothing shows that they differ.",
        ]
    return "\n".join(lines) + "\n"


def comparisons_text(comparisons):
    """Format a list of `significance.Comparison` as a Markdown table."""
    if not comparisons:
        return ""
    header = ["pair", "difference", "95 % interval", "Welch", "Mann-Whitney", "McNemar"]
    header.append("spectra in favour")
    lines = [
        [
            f"{c.a} − {c.b}",
            *difference_cells(c.difference, c.low, c.high),
            *("" if p is None else f"{p:.2g}" for p in (c.welch, c.mann_whitney, c.mcnemar)),
            "" if c.favour_a is None else f"{c.favour_a} : {c.favour_b}",
        ]
        for c in comparisons
    ]
    note = (
        f"\np-values are Holm-corrected for the number of pairs tested, intervals are not. The "
        f"letters come from Welch's test at the level {ALPHA:g}. Mann-Whitney's p cannot be small "
        f"with few seeds and many pairs: 0.22 at least for five seeds of eight networks. The last "
        f"column counts the spectra that either network classifies correctly in more seeds than "
        f"the other. McNemar's test, which rests on them, takes the spectra of one class for "
        f"independent; they are not, so its small p-values are too small.\n"
    )
    unequal = [f"{c.a} − {c.b}" for c in comparisons if c.mcnemar is None]
    if unequal:
        note += (
            f"\nMcNemar's test was not made for {names_text(unequal)}: it takes networks with "
            f"equal numbers of seeds.\n"
        )
    return f"{note}\n{as_markdown(header, lines)}"


def agreement_text(agreements, published):
    """Format a list of `significance.Agreement` in Markdown; published: Published."""
    header = ["network", "ours", "published", "difference", "95 % interval", "Mann-Whitney p", ""]
    corrected = holm([a.mann_whitney for a in agreements])
    lines = [
        [
            a.network,
            ", ".join(map(str, a.ours)),
            ", ".join(map(str, a.published)),
            *difference_cells(a.difference, a.low, a.high),
            f"{p:.2g}",
            "not shown to differ" if p >= ALPHA else "differ",
        ]
        for a, p in zip(agreements, corrected, strict=True)
    ]
    return (
        f"## Agreement with the published runs: {markdown_text(published.split)}\n\n"
        f"Misclassified spectra of each run. The exact Mann-Whitney test asks whether both sets of "
        f"counts can come from one distribution; p is Holm-corrected for the number of networks. "
        f"{smallest_p_text(agreements)} "
        f"The interval is that of Welch's test, not corrected, so it may leave out 0 where the "
        f"networks are not shown to differ. "
        f"All our runs learned from one draw of training spectra and all published ones from "
        f"another: how much that changes is in neither p nor interval. "
        f"Source of the published runs: {published.source}.\n\n{as_markdown(header, lines)}"
    )


def smallest_p_text(agreements):
    """Say how small the exact Mann-Whitney p can be with so few runs, however much they differ."""
    sizes = sorted({(len(a.ours), len(a.published)) for a in agreements})
    parts = [f"{2 / comb(a + b, a):.2g} for {a} runs against {b}" for a, b in sizes]
    return f"However much they differ, p is at least {', '.join(parts)}, before that correction."
