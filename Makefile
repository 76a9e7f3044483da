# Sets up .venv where needed, then runs the benchmark or the tests.
PYTHON ?= python3
RUN = .venv/bin/python

.PHONY: benchmark test paper lint benchmarks image lock

# Small enough for minutes: 25 epochs, and batches of 16 for more steps. The running averages of batch
# normalisation, which settle in 500 steps with the networks' own momentum of 0.99, settle in 50.
benchmark: .venv/installed
	$(RUN) dataset_config_generator.py --datapoints 500 --boundary 50 --classes 8 --max-peaks 3 \
		--output dataset_configs/quick.json
	$(RUN) spectra_from_config.py --config dataset_configs/quick.json
	$(RUN) train_models.py --dataset datasets/quick --seeds 0 --batch-size 16 --epochs 25 --workers 2 \
		--models resnet:batch_norm_momentum=0.9 inc6 cnn6 cnn_bn:batch_norm_momentum=0.9 \
		inc3 cnn3 cnn2 vgg
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
