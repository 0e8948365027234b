"""One profile for all property tests: no deadline, since a busy machine is no bug."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("odin", deadline=None, print_blob=True)
settings.load_profile("odin")
