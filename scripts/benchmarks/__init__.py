"""What `scripts/bench` runs: one module a benchmark, and the parts that they share.

Each benchmark has `add_options(group)` and `run(options, folder) -> Report`. Modules that say
`python -m benchmarks.…` in their docstring are child processes: they take one JSON argument and
print one JSON line when they are ready.
"""
