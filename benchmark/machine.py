"""What this machine offers: processor cores and their instructions, memory."""

import os
import platform
from pathlib import Path

import numpy as np

CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")  # of Linux' control groups, version 2


def available_cores():
    """Return the number of processor cores that a container or a cluster's scheduler grants.

    Either names the cores, or, as `docker run --cpus`, gives a share of their time.
    """
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    if not CPU_QUOTA.exists():
        return cores
    granted, period = CPU_QUOTA.read_text().split()  # microseconds, or "max" without a limit
    return cores if granted == "max" else max(1, min(cores, int(granted) // int(period)))


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


def available_memory():
    """Return the bytes that processes can still have, None where the system does not say."""
    path = Path("/proc/meminfo")
    if not path.exists():
        return None
    for line in path.read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return 1024 * int(line.split()[1])
    return None


def has_bfloat16():
    """Return whether the processor computes with bfloat16, None where the system does not say."""
    path = Path("/proc/cpuinfo")
    if not path.exists():
        return None
    flags = {
        word
        for line in path.read_text().splitlines()
        if line.startswith(("flags", "Features"))
        for word in line.partition(":")[2].split()
    }
    return bool(flags & {"avx512_bf16", "amx_bf16", "bf16"})
