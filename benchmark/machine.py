"""What this machine offers: processor cores, the name of its processor."""

import os
import platform
from pathlib import Path

import numpy as np


def available_cores():
    """Return the number of processor cores that a container or a cluster's scheduler grants."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def processor():
    """Return name and vector instructions of the processor, by which libraries choose code."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                name = line.partition(":")[2].strip()
                break
    extensions = np.show_config(mode="dicts")["SIMD Extensions"]
    return ", ".join(["CPU", name, *extensions.get("found", extensions["baseline"])[-1:]])
