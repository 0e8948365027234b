"""
Benchmarks: ``python -m tests.benchmarks NAME [--json]``.

Each module is one benchmark, but for those with an underscore in front and the
tests. Its docstring says what it measures and what it does not show; its
function ``main`` takes the command line's arguments behind the name and returns
the exit status. ``python -m tests.benchmarks report --run`` runs all of them and
writes ``docs/performance.md``.
"""
