"""
The compiled parts: accelerators that a machine without a C++ compiler installs without.

All else stands in pyproject.toml. What is compiled here does what Python code beside it does, too.
"""

import sys

from setuptools import Extension, setup

FLAGS = (
    ["/std:c++17", "/O2", "/EHsc"]
    if sys.platform == "win32"
    # Fused operations would round once where Python rounds twice.
    else ["-std=c++17", "-O2", "-ffp-contract=off", "-fvisibility=hidden"]
)

setup(
    ext_modules=[
        Extension(name, [f"{name.replace('.', '/')}.cpp"], extra_compile_args=FLAGS, optional=True)
        for name in ("simulator._writing", "streamer._spelling", "streamer.odin._reading")
    ]
)
