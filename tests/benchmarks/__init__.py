"""
Benchmarks: ``python -m tests.benchmarks NAME [--json]``.

Each module whose name has no underscore in front is one benchmark. Its
docstring says what it measures and what it does not show; its function
``main`` takes the command line's arguments behind the name and returns the
exit status.
"""
