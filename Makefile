# Sets up .venv where needed, then runs the benchmark or the tests.
PYTHON ?= python3
RUN = .venv/bin/python

.PHONY: benchmark test paper lint benchmarks image lock

benchmark: .venv/installed
	$(RUN) dataset_config_generator.py --datapoints 80 --boundary 10 --classes 6 --max-peaks 3 \
		--min-height 10 --output dataset_configs/quick.json
	$(RUN) spectra_from_config.py --config dataset_configs/quick.json --n-train 340 --n-val 20 \
		--max-shift 2 --test-shift 1
	$(RUN) train_models.py --dataset datasets/quick --seeds 0
	$(RUN) baselines.py --dataset datasets/quick
	$(RUN) evaluate.py --results results/quick

test: .venv/installed
	$(RUN) -m pytest

paper: .venv/installed
	$(RUN) dataset_config_generator.py
	$(RUN) spectra_from_config.py
	$(RUN) train_models.py --results results/paper --workers 2
	$(RUN) baselines.py --results results/paper
	$(RUN) evaluate.py --results results/paper

# Timings, beside which nothing heavy should run.
benchmarks: .venv/installed
	$(RUN) tests/benchmarks.py
	$(RUN) tests/training_benchmarks.py

lint: .venv/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

image:
	docker build --tag spectra-benchmark --build-arg VERSION="$$(git describe --always --dirty)" .

# Pins the image's packages; versions already in requirements.lock stay unless it is deleted first.
# cuDNN from 9.11 on does not run on GPUs older than Turing, on which TensorFlow still runs.
lock:
	tools=$$(mktemp -d) && trap 'rm -rf "$$tools"' EXIT && $(PYTHON) -m venv "$$tools" && \
	"$$tools/bin/pip" install --quiet --disable-pip-version-check uv==0.13.9 && \
	{ sed -e '/^# Tests/,$$d' -e 's/^tensorflow==/tensorflow[and-cuda]==/' requirements.txt; \
		echo 'nvidia-cudnn-cu12<9.11'; } | \
	"$$tools/bin/uv" pip compile --quiet --no-config --generate-hashes --python-version 3.11 \
		--python-platform linux --no-annotate --no-emit-index-url \
		--custom-compile-command 'make lock' --output-file requirements.lock - >/dev/null

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@
