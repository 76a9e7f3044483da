"""What the scripts of the benchmark share; none is run, none imports a script."""

VERSION = "1.0"  # in dataset.json and run.json; CHANGELOG.md says what it changes
