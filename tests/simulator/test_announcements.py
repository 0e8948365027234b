from __future__ import annotations

import json

from simulator.announcements import KEPT, MAX_LISTENERS, Announcements


async def test_a_listener_that_does_not_listen_is_cut_off() -> None:
    """It holds no more than is kept anyway, and the others hear on."""
    announcements = Announcements(lambda: 0)
    slow, quick = announcements.listen(), announcements.listen()
    for each in (slow, quick):
        assert (await anext(each)).startswith(":")
    heard = []
    for number in range(KEPT + 5):
        announcements.tell("looped", {"passes": number})
        heard.append(await anext(quick))
    assert len(heard) == KEPT + 5
    assert [text async for text in slow] == []
    await quick.aclose()  # type: ignore[attr-defined]


async def test_an_event_says_when_and_what() -> None:
    """In simulated time; the number is the id of the server-sent event."""
    announcements = Announcements(lambda: 0)
    announcements.tell("speed", {"speed": 10.0})
    announcements.close()
    _, told = [text async for text in announcements.listen(0)]
    number, name, data = told.strip().splitlines()
    assert (number, name) == ("id: 1", "event: speed")
    assert json.loads(data.removeprefix("data: ")) == {
        "event": "speed",
        "time": "1970-01-01T05:30:00.000000000+05:30",
        "speed": 10.0,
    }


async def test_there_is_room_for_some_listeners() -> None:
    """Beyond that the control port refuses; one that goes makes room."""
    announcements = Announcements(lambda: 0)
    listeners = [announcements.listen() for _ in range(MAX_LISTENERS)]
    for each in listeners:
        assert not announcements.full
        await anext(each)
    assert announcements.full
    await listeners[0].aclose()  # type: ignore[attr-defined]
    assert not announcements.full
    announcements.close()
    for each in listeners[1:]:
        assert [text async for text in each] == []
