# Sets up .venv where needed, then runs the benchmark or the tests.
PYTHON ?= python3
RUN = .venv/bin/python

.PHONY: benchmark test paper lint benchmarks

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
	$(RUN) train_models.py
	$(RUN) baselines.py
	$(RUN) evaluate.py

# Timings, beside which nothing heavy should run.
benchmarks: .venv/installed
	$(RUN) tests/benchmarks.py
	$(RUN) tests/training_benchmarks.py

lint: .venv/installed
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .

.venv/installed: requirements.txt
	$(PYTHON) -m venv .venv
	$(RUN) -m pip install --quiet --disable-pip-version-check --requirement requirements.txt
	touch $@
