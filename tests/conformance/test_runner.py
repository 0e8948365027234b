"""A run judges each case by itself, whatever earlier cases and servers have done."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection

from conformance.case import Case, Level, Need, Profile
from conformance.expect import Inconclusive, Loose, Unmet
from conformance.runner import Run, Settings, Unreachable
from conformance.target import Target
from conformance.verdicts import Result, Verdict
from conformance.world import World
from tests.conformance.scripted import WELCOME, Script, answer_pings, scripted

ROOT = Path(__file__).parents[2]
Body = Callable[[World], Awaitable[None]]


def a_case(body: Body, id: str = "SUB-900", **settings: Any) -> Case:
    """Return a case that is in no catalogue."""
    given = {"title": "x", "rules": ("S-1",), "explain": "x"} | settings
    return Case(id=id, body=body, **given)


async def pass_(world: World) -> None:
    """Pass."""
    world.note("fine")


async def welcoming(socket: ServerConnection) -> None:
    """Welcome clients, and answer pings."""
    await socket.send(json.dumps(WELCOME))
    await answer_pings(socket)


async def judged(*cases: Case, script: Script = welcoming, **settings: Any) -> list[Result]:
    """Run cases on a server that can little."""
    async with scripted(script) as url:
        run = Run(target=Target.of_url(url), cases=cases, settings=Settings(**settings))
        await run.run()
    return run.results


def raising(error: Exception) -> Body:
    """Return a case's body that ends with an error."""

    async def body(_: World) -> None:
        raise error

    return body


@pytest.mark.parametrize(
    ("body", "settings", "verdict", "why"),
    [
        (pass_, {}, Verdict.PASS, ""),
        (pass_, {"level": Level.INFO}, Verdict.INFO, ""),
        (raising(Unmet("a", "b")), {}, Verdict.FAIL, "expected a; found b"),
        (raising(Loose("a", "b")), {}, Verdict.NON_STRICT, "expected a; found b"),
        (raising(Inconclusive("no way")), {}, Verdict.INCONCLUSIVE, "no way"),
        (raising(KeyError("data")), {}, Verdict.ERROR, "KeyError: 'data'"),
        (pass_, {"profile": Profile.STRICT}, Verdict.SKIP, "judged in profile strict"),
        (pass_, {"variant": "odd"}, Verdict.SKIP, "[server.variants] odd"),
        (pass_, {"needs": frozenset({Need.FEED})}, Verdict.INCONCLUSIVE, "known ticks"),
        (pass_, {"needs": frozenset({Need.CLOCK})}, Verdict.INCONCLUSIVE, "can be moved"),
        (pass_, {"needs": frozenset({Need.RESTART})}, Verdict.INCONCLUSIVE, "can start"),
    ],
)
async def test_a_case_has_the_verdict_of_its_outcome(
    body: Body, settings: dict[str, Any], verdict: Verdict, why: str
) -> None:
    """Each outcome, and each thing that is lacking."""
    (result,) = await judged(a_case(body, **settings))
    assert result.verdict is verdict
    assert why in result.why


async def test_a_case_that_never_ends_is_ended() -> None:
    """Its time is up, and the next one is run."""

    async def stuck(_: World) -> None:
        await asyncio.Event().wait()

    first, second = await judged(
        a_case(stuck, timeout_s=0.05), a_case(pass_, id="SUB-901"), scale=2
    )
    assert first.verdict is Verdict.FAIL
    assert "within 0.1 s" in first.expected
    assert second.verdict is Verdict.PASS


async def test_a_client_that_is_refused_fails_its_case() -> None:
    """An HTTP answer in place of the upgrade is what was found."""

    async def body(world: World) -> None:
        await world.connect(headers={"Sec-WebSocket-Version": "12"})

    (result,) = await judged(a_case(body))
    assert result.verdict is Verdict.FAIL
    assert "HTTP 4" in result.found


async def test_ids_and_random_numbers_follow_from_seed_and_case() -> None:
    """The same seed gives the same, another case another."""
    seen: list[tuple[str, float]] = []

    async def body(world: World) -> None:
        seen.append((world.new_id("a"), world.rng.random()))
        assert world.new_id() != world.new_id()

    for seed in (1, 1, 2):
        await judged(a_case(body), seed=seed)
    await judged(a_case(body, id="SUB-901"), seed=1)
    numbers = [number for _, number in seen]
    assert numbers[0] == numbers[1]
    assert len(set(numbers)) == 3
    # A server that was there before may know the ids of an earlier run.
    assert len({id for id, _ in seen}) == 4


async def test_a_server_that_is_not_there_ends_the_run() -> None:
    """Nothing is judged then."""
    async with scripted(answer_pings) as url:
        pass
    run = Run(target=Target.of_url(url), cases=[a_case(pass_)], settings=Settings())
    with pytest.raises(Unreachable):
        await run.run()
    assert run.results == []


async def test_a_crash_fails_its_case_and_no_other(tmp_path: Path) -> None:
    """The server is started again for the next one."""
    target = tmp_path / "t.toml"
    target.write_text(
        f"""
name = "fragile"
[server]
cwd = "{ROOT}"
start = ["{sys.executable}", "-m", "tests.conformance.clocked", "--port", "{{port}}"]
url = "ws://127.0.0.1:{{port}}/enhanced-stream"
[feed]
kind = "none"
"""
    )

    async def crash(world: World) -> None:
        await world.connect()
        await world.stage.server.kill()

    async def lives(world: World) -> None:
        assert (await (await world.connect()).ping()).type == "pong"

    run = Run(
        target=Target.of_file(target),
        cases=[
            a_case(lives, id="SUB-901"),
            a_case(crash, id="SUB-902"),
            a_case(lives, id="SUB-903"),
        ],
        settings=Settings(),
    )
    await run.run()
    assert [result.verdict for result in run.results] == [
        Verdict.PASS,
        Verdict.FAIL,
        Verdict.PASS,
    ]
    assert "has ended" in run.results[1].found


async def test_cases_that_restart_come_last_with_a_server_of_their_own(tmp_path: Path) -> None:
    """Stop, start and kill work there, at one port, and leave the common server alone."""
    target = tmp_path / "t.toml"
    target.write_text(
        f"""
name = "restarted"
[server]
cwd = "{ROOT}"
start = ["{sys.executable}", "-m", "tests.conformance.clocked", "--port", "{{port}}"]
url = "ws://127.0.0.1:{{port}}/enhanced-stream"
[feed]
kind = "none"
"""
    )
    urls: list[str] = []

    async def restarts(world: World) -> None:
        urls.append(world.stage.server.url)
        peer = await world.connect()
        await world.kill()
        await peer.wait_closed()
        await world.start()
        await world.connect()
        await world.restart()
        assert (await (await world.connect()).ping()).type == "pong"
        assert world.stage.server.starts == 3
        assert world.stage.server.url == urls[-1]

    async def common(world: World) -> None:
        urls.append(world.stage.server.url)
        assert world.stage.server.starts == 1

    cases = [
        a_case(restarts, id="PER-901", needs=frozenset({Need.RESTART})),
        a_case(common, id="PER-902"),
    ]
    run = Run(target=Target.of_file(target), cases=cases, settings=Settings())
    await run.run()
    assert [(result.case.id, result.verdict) for result in run.results] == [
        ("PER-902", Verdict.PASS),
        ("PER-901", Verdict.PASS),
    ], run.results
    assert urls[0] != urls[1]


async def test_a_server_without_welcome_fails_those_who_ask_for_it_alone() -> None:
    """Others find out once, and do not wait each time."""

    async def body(world: World) -> None:
        peer = await world.connect()
        assert not peer.welcome

    results = await judged(a_case(body), a_case(body, id="SUB-901"), script=answer_pings)
    assert [result.verdict for result in results] == [Verdict.PASS] * 2


async def test_cases_with_a_feed_of_their_own_get_one_after_the_other() -> None:
    """It is handed on in good order, and one that was ended is replaced."""
    urls: list[str] = []

    async def loses(world: World) -> None:
        urls.append(world.feed.url)
        assert world.stage.feed is not None
        assert world.feed.reachable
        await world.feed.wait_client()
        await world.feed.lose()

    async def ends(world: World) -> None:
        urls.append(world.feed.url)
        await world.feed.wait_client()
        await world.feed.stop()

    cases = [
        a_case(body, id=f"RES-90{number}", own_feed=True, needs=frozenset({Need.FEED}))
        for number, body in enumerate((loses, ends, loses))
    ]
    target = Target.of_file(ROOT / "tests/conformance/reference/target.toml")
    run = Run(target=target, cases=cases, settings=Settings())
    await run.run()
    assert [result.verdict for result in run.results] == [Verdict.PASS] * 3, run.results
    assert urls[0] == urls[1] != urls[2]
