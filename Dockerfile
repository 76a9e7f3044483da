# The benchmark on an NVIDIA GPU; docs/gpu.md shows how to run it.
# TensorFlow's own GPU images bring CUDA libraries that TensorFlow since 2.18 does not find. Here
# CUDA and cuDNN are the wheels that TensorFlow is linked to; the host brings only its driver.
FROM python:3.11-slim

LABEL org.opencontainers.image.title="Universal synthetic spectra benchmark" \
      org.opencontainers.image.description="Trains neural networks that classify spectra, deterministically" \
      org.opencontainers.image.licenses="MIT"

# The host's container toolkit reads NVIDIA_*; no GPU is an error unless REQUIRE_GPU is 0.
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility \
    REQUIRE_GPU=1

# The same bits every time: fixed algorithms and order, sums that do not depend on the host's cores.
# TensorFlow's threads are set by train_models.py and recorded in run.json.
ENV TF_DETERMINISTIC_OPS=1 \
    CUBLAS_WORKSPACE_CONFIG=:4096:8 \
    PYTHONHASHSEED=0 \
    OMP_NUM_THREADS=1 \
    OPENBLAS_NUM_THREADS=1

# Any user may run this, also one without a home, on a read-only root file system with a /tmp.
ENV HOME=/tmp \
    MPLCONFIGDIR=/tmp/matplotlib \
    XDG_CACHE_HOME=/tmp/cache \
    PYTHONUNBUFFERED=1

WORKDIR /app
COPY requirements.lock .
# The headers, 430 MB, serve only those who compile against TensorFlow. TensorFlow does not look for
# libcusolver where its wheel is; named to the dynamic linker, every CUDA library is found.
RUN pip install --no-cache-dir --no-deps --only-binary=:all: --root-user-action=ignore \
        --require-hashes --requirement requirements.lock \
 && rm -r /usr/local/lib/python3.11/*-packages/tensorflow/include \
 && printf '%s\n' /usr/local/lib/python3.11/*-packages/nvidia/*/lib > /etc/ld.so.conf.d/cuda.conf \
 && ldconfig

# What changes often comes last, so that an edited script is all that is built anew.
STOPSIGNAL SIGTERM
ENTRYPOINT ["python", "train_models.py"]
USER 1000:1000
ARG VERSION=unreleased
ARG SOURCE
LABEL org.opencontainers.image.version="$VERSION" \
      org.opencontainers.image.source="$SOURCE"
# .dockerignore decides what `.` is; the mode makes it readable whatever the umask of the checkout.
COPY --chmod=755 . .
