"""What the scripts of the benchmark share; none is run, none imports a script."""
