"""Starting TensorFlow: deterministic, quiet, with the GPU if there is one; and its memory."""

import ctypes
import gc
import os
import platform
import sys
import tempfile
from contextlib import contextmanager, suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from benchmark import VERSION
from benchmark.command_line import InputError, interrupts_held, require, warn
from benchmark.machine import available_cores, has_bfloat16, processor


def start_tensorflow(threads=None, require_gpu=False, precision="float32"):
    """Import TensorFlow with deterministic operations and without its start-up messages.

    threads: by default as many as it computes with already, in a notebook, or else all cores;
    precision: "float32", "bfloat16" (Keras' mixed policy: weights and loss stay float32) or, on
    GPUs, "tensorfloat32".

    Returns the environment that the bits of a result depend on, as run.json records it.
    """
    load_cusolver()
    with importing_tensorflow():
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")
        tf.config.experimental.enable_op_determinism()
        # The paper's GPU has no TensorFloat-32, which newer ones would use in place of float32.
        tf.config.experimental.enable_tensor_float_32_execution(precision == "tensorfloat32")
        begun_with = tf.config.threading.get_intra_op_parallelism_threads()  # 0: not begun
        threads = threads or begun_with or available_cores()
        set_threads(tf.config.threading, threads)
        gpus = tf.config.list_physical_devices("GPU")
        if gpus:
            tf.config.set_visible_devices(gpus[0], "GPU")
            tf.config.experimental.set_memory_growth(gpus[0], True)
        tf.config.list_logical_devices()
    if gpus:
        device = tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
    elif require_gpu:
        raise OSError(
            "REQUIRE_GPU is set, but TensorFlow finds no GPU; check the NVIDIA driver (nvidia-smi "
            "lists the GPU), the CUDA libraries (pip install tensorflow[and-cuda]) and, in a "
            "container, the NVIDIA container toolkit and the option --gpus all"
        )
    else:
        device = processor()
    set_precision(precision, on_gpu=bool(gpus))
    return {
        "device": device,
        "threads": threads,
        "onednn": True,
        "benchmark": VERSION,
        "python": platform.python_version(),
        **{package: version(package) for package in ("numpy", "tensorflow", "keras")},
    }


@contextmanager
def importing_tensorflow():
    """Let the first import of TensorFlow or Keras choose its kernels, quietly and in one go."""
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    with interrupts_held(), silent_stderr():
        yield


def set_precision(precision, on_gpu):
    """Let Keras compute at a precision, and warn where that gains nothing."""
    import keras

    if precision == "tensorfloat32" and not on_gpu:
        raise InputError("PRECISION is tensorfloat32, accepted: float32 or bfloat16 without a GPU")
    if precision == "bfloat16" and not on_gpu and has_bfloat16() is False:
        warn(
            "this processor has no bfloat16 instructions (AVX512_BF16, AMX), so PRECISION bfloat16 "
            "is slower than float32"
        )
    policy = "mixed_bfloat16" if precision == "bfloat16" else "float32"
    keras.mixed_precision.set_global_policy(policy)


def set_threads(config, threads):
    """Set TensorFlow's threads, which it takes only before it computes anything."""
    if config.get_intra_op_parallelism_threads() == threads:
        return  # in a notebook that has trained before
    try:
        config.set_intra_op_parallelism_threads(threads)
        config.set_inter_op_parallelism_threads(threads)
    except RuntimeError:
        raise InputError(
            f"THREADS is {threads}, but TensorFlow has begun to compute with "
            f"{config.get_intra_op_parallelism_threads() or 'its own number'}; restart the "
            f"notebook's kernel to change it"
        ) from None


def load_cusolver():
    """Load the CUDA library that TensorFlow 2.21 does not look for where its wheel puts it.

    Without libcusolver TensorFlow passes over the GPU and says so only in its log.
    """
    package = find_spec("nvidia")
    for folder in package.submodule_search_locations if package else ():
        for library in Path(folder).glob("cusolver/lib/libcusolver.so.*"):
            with suppress(OSError):  # REQUIRE_GPU tells whether TensorFlow does without it
                ctypes.CDLL(str(library))


@contextmanager
def silent_stderr():
    """Hold back what libraries write to file descriptor 2; show it if an exception leaves."""
    sys.stderr.flush()
    stderr = os.dup(2)
    with tempfile.TemporaryFile() as held:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(stderr, held.read())
            raise
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)


def release_memory():
    """Give back the memory of the network trained last.

    Keras' optimisers sum gradients over devices by a function with a gradient of its own, which
    TensorFlow registers for ever, and with it the graph of the whole network. 2.21 has no public
    way to take it back.
    """
    import keras
    from tensorflow.python.framework.ops import gradient_registry

    for name in list(gradient_registry.list()):
        if name.startswith("CustomGradient-"):
            del gradient_registry._registry[name]
    policy = keras.mixed_precision.global_policy()
    keras.backend.clear_session()  # which forgets the policy, too
    keras.mixed_precision.set_global_policy(policy)
    gc.collect()


def gpu_required(flag):
    """Return the flag, or what the environment variable says where there is none."""
    if flag is not None:
        return flag
    text = os.environ.get("REQUIRE_GPU", "0")
    answers = {"": False, "0": False, "false": False, "no": False}
    answers |= {"1": True, "true": True, "yes": True}
    accepted = "0 or 1 (the environment variable)"
    require(text.lower() in answers, "REQUIRE_GPU", repr(text), accepted)
    return answers[text.lower()]
