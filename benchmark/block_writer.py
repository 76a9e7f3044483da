"""The block writer: arrays of spectra, rendered by several processes straight into their files.

A block is a range of spectra of one array. Where it belongs in the file is known before anything is
rendered, so processes write without waiting for each other, and the bytes do not depend on their
number. SHA-256, which takes longer than the rendering, follows the blocks in threads.
"""

import errno
import hashlib
import multiprocessing
import os
import signal
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path
from queue import SimpleQueue
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from benchmark.command_line import interrupts_held

SPECTRUM_TYPE = np.dtype("<f4")
BLOCK = 500_000  # datapoints rendered at once, few enough to stay in the processor's cache


class Block(NamedTuple):
    """Some spectra of a split, rendered at once, and their place in its file."""

    split: str
    rows: range  # of the array
    path: Path
    start: int  # first byte
    end: int  # byte after the last


def write_spectra(paths, spectra, datapoints, render_rows, workers, meanwhile):
    """Write one array of spectra per split.

    paths: split -> file; spectra: split -> how many; render_rows: function of split, rows and a
    dict for buffers that returns float32 (rows, datapoints), see `spectra_from_config.render_rows`;
    workers: number of processes; meanwhile: function to call while they render. Returns path ->
    SHA-256 of the file, and what `meanwhile` returned.
    """
    blocks = [
        block
        for split in paths
        for block in lay_out(split, paths[split], spectra[split], datapoints)
    ]
    with ThreadPoolExecutor(2) as threads:
        hashes = {path: GrowingHash(path, threads) for path in paths.values()}
        try:
            with rendering(render_rows, blocks, workers) as written:
                result = meanwhile()
                for block in tqdm(written, "rendering", len(blocks), unit="block", disable=None):
                    hashes[block.path].complete_up_to(block.end)
        finally:
            for growing in hashes.values():
                growing.complete()
        return {path: growing.result() for path, growing in hashes.items()}, result


def lay_out(split, path, spectra, datapoints):
    """Create the file of an array (spectra, datapoints), at its full size but with no spectra yet.

    Returns a list of Block: the parts of the array in their order.
    """
    with open(path, "wb") as file:
        header = {
            "descr": SPECTRUM_TYPE.str,
            "fortran_order": False,
            "shape": (spectra, datapoints),
        }
        np.lib.format.write_array_header_1_0(file, header)
        offset, row_bytes = file.tell(), datapoints * SPECTRUM_TYPE.itemsize
        # Reserved now, the disk cannot run full later, and ext4 renames without a pause.
        reserve(file, path, offset + spectra * row_bytes)
    step = max(1, BLOCK // datapoints)
    blocks = []
    for first in range(0, spectra, step):
        rows = range(first, min(first + step, spectra))
        start, end = (offset + row * row_bytes for row in (rows.start, rows.stop))
        blocks.append(Block(split, rows, path, start, end))
    return blocks


def reserve(file, path, size):
    """Allocate the file's space on disk. Raises OSError naming the path if there is too little."""
    try:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:  # macOS
            file.truncate(size)
    except OSError as error:
        raise OSError(error.errno, f"{error.strerror} ({size} bytes needed)", str(path)) from None


@contextmanager
def rendering(render_rows, blocks, workers):
    """Write blocks in several processes. Yields an iterator over the blocks as they are written.

    It keeps their order, and raises the error that prevented one. A process whose parent was
    killed ends after its block.
    """
    started = []

    def start(blocks):
        receiver, sender = multiprocessing.Pipe(duplex=False)
        # A process inherits these ends; while one is open anywhere, its messages have a reader.
        inherited = [receiver, *(earlier for _, earlier in started)]
        arguments = render_rows, blocks, sender, inherited
        process = multiprocessing.Process(target=write_blocks, args=arguments)
        process.start()
        sender.close()
        started.append((process, receiver))

    def written():
        for block, (process, receiver) in zip(blocks, cycle(started)):
            try:
                error = receiver.recv()
            except EOFError:
                process.join()
                reason = f"a rendering process ended with status {process.exitcode}"
                error = OSError(errno.EIO, reason)
            if error is not None:
                raise error
            yield block

    workers = min(workers, len(blocks))
    try:
        with interrupts_held():
            for worker in range(workers):
                start(blocks[worker::workers])
        yield written()
    finally:
        for process, receiver in started:
            receiver.close()
            process.join()


def write_blocks(render_rows, blocks, sender, inherited):
    """Render blocks and write each to its place; after each one, send None or the error."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the first process's business
    for receiver in inherited:
        receiver.close()
    buffers = {}
    for block in blocks:
        error = None
        try:
            rest = memoryview(render_rows(block.split, block.rows, buffers)).cast("B")
            with open(block.path, "r+b", buffering=0) as file:
                file.seek(block.start)
                while rest:
                    rest = rest[file.write(rest) :]
        except OSError as problem:
            error = OSError(problem.errno, problem.strerror, str(block.path))
        except MemoryError as problem:
            error = problem
        try:
            sender.send(error)
        except BrokenPipeError:
            return
        if error is not None:
            return


class GrowingHash:
    """SHA-256 of a file that is still being written, computed by a thread of a pool."""

    def __init__(self, path, threads):
        self.ends = SimpleQueue()
        self.hashed = threads.submit(self.hash, path)

    def hash(self, path):
        sha256, start = hashlib.sha256(), 0
        # Without a buffer, which would read on into what is not there yet.
        with open(path, "rb", buffering=0) as file:
            for end in iter(self.ends.get, None):
                sha256.update(os.pread(file.fileno(), end - start, start))
                start = end
        return sha256.hexdigest()

    def complete_up_to(self, end):
        """Tell up to which byte the file is complete."""
        self.ends.put(end)

    def complete(self):
        """Tell that there is no more to come."""
        self.ends.put(None)

    def result(self):
        return self.hashed.result()
