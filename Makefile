# Sets up .venv where needed, then runs the benchmark or the tests.
PYTHON ?= python3
RUN = .venv/bin/python

.PHONY: benchmark test paper lint benchmarks image lock

# Small enough for minutes: 25 epochs, with batches of 16 for more steps and a rate that falls sooner.
# The running averages of batch normalisation, which settle within 500 steps with the networks' own
# momentum of 0.99, here settle within 50. The longest trainings come first.
benchmark: .venv/installed
	$(RUN) dataset_config_generator.py --datapoints 500 --boundary 50 --classes 8 --max-peaks 3 \
		--output dataset_configs/quick.json
	$(RUN) spectra_from_config.py --config dataset_configs/quick.json
	$(RUN) train_models.py --dataset datasets/quick --seeds 0 --workers 2 \
		--batch-size 16 --epochs 25 --lr-patience 5 \
		--models resnet:batch_norm_momentum=0.9 inc6 cnn6 cnn_bn:batch_norm_momentum=0.9 \
		inc3 cnn3 cnn2 vgg
	$(RUN) baselines.py --dataset datasets/quick
	$(RUN) evaluate.py --results results/quick

# Two processes and more halve the time; each takes the tests of a file as a whole, in the order of
# tests/conftest.py.
test: .venv/installed
	$(RUN) -m pytest --numprocesses=auto --maxprocesses=4 --dist=loadfile \
		--no-loadscope-reorder

# Days on a processor, so it says first what it will do and how long that may take.
paper: .venv/installed
	@echo "The paper's classes and spectra (0.8 GB), eight networks with five seeds each (24 GB of"
	@echo "weights), methods without a network, tables and figures, all of it in results/paper."
	$(RUN) dataset_config_generator.py
	$(RUN) spectra_from_config.py
	$(RUN) train_models.py --results results/paper --workers 2 --estimate
	@echo "Ctrl-C stops, and make paper goes on from there. Where it stands, in another terminal:"
	@echo "  $(RUN) train_models.py --results results/paper --status"
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
