"""The replay that the guide's examples talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.guide.replay import Replay, running_replay


@pytest.fixture(scope="module")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Replay]:
    """A replay from the market's open on, as fast as the day was, which waits for a subscriber."""
    folder = tmp_path_factory.mktemp("replay")
    with running_replay(folder, "--from", "09:15:00", "--speed", "1") as replay:
        yield replay
