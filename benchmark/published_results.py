"""What the papers publish: their datasets, and the results that ours stand beside.

Source: Schuetzke, Szymanski and Reischl, "A universal synthetic dataset for machine learning on
spectroscopic data" (2022), Table 2.
"""

from typing import NamedTuple

from benchmark.dataset_folder import Variation


class PaperRow(NamedTuple):
    """A row of Table 2: numbers over five seeds."""

    misclassified: str  # of the 4500 test spectra
    epochs: str
    minutes: int  # on a Titan RTX


TABLE_2 = {
    "cnn2": PaperRow("30 ± 2", "60–90", 8),
    "cnn3": PaperRow("33 ± 10", "50–80", 10),
    "cnn6": PaperRow("14 ± 2", "75–90", 30),
    "vgg": PaperRow("30 ± 10", "55–70", 5),
    "cnn_bn": PaperRow("95 ± 35", "35–50", 6),
    "resnet": PaperRow("25 ± 7", "30–35", 35),
    "inc3": PaperRow("32 ± 9", "55–75", 16),
    "inc6": PaperRow("27 ± 7", "60–65", 24),
}

PAPER_CLASS_FILE = "bcc9a40767e77841aeb0750bb2f6029311c0d632e030edf262834c7ad01ae0a6"  # SHA-256
PAPER_VARIATION = Variation(
    n_train=50,
    n_val=10,
    max_shift=50,
    max_height_change=0.05,
    kernel_range=(2, 5),
    test_shift=25,
    test_height_change=0.02,
    wide_test_height_change=0.2,
    test_kernel=2,
    seed=2022,
)


def is_paper_dataset(record):
    """Tell whether a DatasetRecord is of the paper's classes and limits, whatever its seed."""
    if record.class_file is None or record.class_file.get("sha256") != PAPER_CLASS_FILE:
        return False
    expected = PAPER_VARIATION._asdict() | {"kernel_range": list(PAPER_VARIATION.kernel_range)}
    recorded = dict(record.variation or {}) | {"seed": PAPER_VARIATION.seed}
    return recorded == expected
