"""
Runs the cases that were chosen, one after the other, and judges each.

Most are played on one common server; those that restart it, or need options of
their own, get a server of their own afterwards, so that nothing that happens to
it is another case's fault.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from fnmatch import fnmatchcase
from pathlib import Path

from conformance.case import Case, Need, Profile
from conformance.clock import Clock, WallClock, choose_clock
from conformance.expect import Inconclusive, Unmet
from conformance.feed import Feed
from conformance.invariants import Watch
from conformance.patience import at_most
from conformance.peer import Refused
from conformance.process import Guardian, StartError
from conformance.stage import Stage
from conformance.tape import Tape, at
from conformance.target import Target
from conformance.verdicts import Result, Verdict, judge
from conformance.world import World

__all__ = ["Run", "Settings", "Unreachable", "in_order"]


class Unreachable(Exception):
    """The server could not be reached, or did not start, at the very beginning."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a run is made."""

    profile: Profile = Profile.FULL
    scale: float = 1.0
    seed: int = 0
    keep_wire: bool = True


@dataclass(kw_only=True)
class Run:
    """
    One run against one target.

    ``results`` grows while it runs, so that an interrupted run has a report too.
    """

    target: Target
    cases: Sequence[Case]
    settings: Settings
    tell: Callable[[Result], None] = lambda _: None
    """Hears of each result."""
    begin: Callable[[Case], None] = lambda _: None
    """Hears of each case before it is run."""
    feed: Feed | None = None
    """A simulator that plays the suite's recording already; None: one is started."""
    results: list[Result] = field(default_factory=list)
    clock_name: str = ""
    clock_refusals: dict[str, str] = field(default_factory=dict)
    """Why a driver was not used, by its name."""
    seconds: float = 0.0

    async def run(self) -> None:
        """
        Run every case.

        Raises:
            Unreachable: If the server is not there.

        """
        async with self.opened() as judge:
            for case in in_order(self.cases):
                await judge(case)

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Callable[[Case], Awaitable[Result]]]:
        """
        Open what cases are played on, and yield what judges one of them.

        For whoever runs cases one by one; :func:`in_order` says in which order
        that is best. A case that is watched in every message is judged by
        those that came before it.

        Raises:
            Unreachable: If the server is not there.

        """
        began = time.monotonic()
        with tempfile.TemporaryDirectory(
            prefix="odin-conformance-", ignore_cleanup_errors=True
        ) as folder:
            guardian = Guardian()
            guardian.remove(Path(folder))
            stages = _Stages(self.target, Path(folder), guardian, self.settings, self.feed)

            async def judge(case: Case) -> Result:
                if case.body is None:
                    return self._add(self._watched(case, stages.watch))
                self.begin(case)
                return self._add(await self._outcome(case, stages))

            try:
                await self._open(stages)
                yield judge
            finally:
                self.seconds = time.monotonic() - began
                await stages.close()
                guardian.close()

    async def _open(self, stages: _Stages) -> None:
        try:
            common = await stages.open()
        except StartError as error:
            raise Unreachable(str(error)) from None
        self.clock_name, self.clock_refusals = stages.clock.name, stages.refusals
        try:
            await self._probe(common)
        except (Unmet, Refused) as error:
            raise Unreachable(f"{common.server.url}: {error}") from None

    async def _probe(self, common: Stage) -> None:
        """Open one WebSocket; whatever comes on it, the server is there then."""
        from conformance.peer import Peer
        from conformance.wire import WireLog

        peer = await Peer.open(
            "probe",
            common.url("suite-probe"),
            "suite-probe",
            wire=WireLog(),
            watcher=Watch(),
            scale=self.settings.scale,
        )
        await peer.drop()

    def _add(self, result: Result) -> Result:
        result = replace(result, expected_failure=self._expected_failure(result.case))
        self.results.append(result)
        self.tell(result)
        return result

    def _expected_failure(self, case: Case) -> str:
        for pattern, reason in self.target.expected_failures.items():
            if fnmatchcase(case.id, pattern) or case.family == pattern:
                return reason
        return ""

    # --- one case

    async def _outcome(self, case: Case, stages: _Stages) -> Result:
        left_out = self._left_out(case)
        if left_out:
            return Result(case=case, verdict=Verdict.SKIP, why=left_out)
        lacking = stages.lacking(case)
        if lacking:
            return Result(case=case, verdict=Verdict.INCONCLUSIVE, why=lacking)
        began = time.monotonic()
        try:
            stage = await stages.own(case) if case.alone else await stages.common(case)
        except (StartError, Unmet, Inconclusive) as error:
            return Result(case=case, verdict=Verdict.ERROR, why=f"the stage: {error}")
        try:
            result = await self._played(case, stage, stages)
            if not case.alone and not stage.server.running:
                result = _crashed(result, stage)
        finally:
            if case.alone:
                await stage.close()
        return replace(result, seconds=time.monotonic() - began)

    async def _played(self, case: Case, stage: Stage, stages: _Stages) -> Result:
        settings = self.settings
        world = World(
            case,
            stage,
            stages.clock,
            profile=settings.profile,
            watch=stages.watch,
            seed=settings.seed,
            scale=settings.scale,
        )
        stages.watch.case = case.id
        error: BaseException | None = None
        trace = ""
        assert case.body is not None
        try:
            async with at_most(case.timeout_s * settings.scale):
                await case.body(world)
        except (Unmet, Inconclusive) as unmet:
            error = unmet
        except Refused as refused:
            error = Unmet("a WebSocket", str(refused))
        except TimeoutError:
            limit = case.timeout_s * settings.scale
            error = Unmet(f"the case over within {limit:g} s", "a case that still waits")
        except StartError as failure:
            error = Unmet("a server that starts", str(failure))
        except Exception as failure:
            error, trace = failure, traceback.format_exc()
        finally:
            await world.close()
        verdict, why = judge(case, error, settings.profile)
        unmet_error = error if isinstance(error, Unmet) else None
        passed = verdict in (Verdict.PASS, Verdict.INFO)
        feed_said = stage.feed.said if stage.feed is not None else []
        return Result(
            case=case,
            verdict=verdict,
            why=why,
            expected=unmet_error.expected if unmet_error else "",
            found=unmet_error.found if unmet_error else "",
            measured=world.measures,
            wire=world.wire.frames() if settings.keep_wire else (),
            wire_left_out=world.wire.left_out,
            log=() if passed else (*stage.server.said[-30:], *feed_said[-10:]),
            trace=trace,
        )

    def _left_out(self, case: Case) -> str:
        if case.profile > self.settings.profile:
            return f"judged in profile {case.profile.name.lower()}"
        for feature in case.features:
            if not self.target.has(feature):
                return f"the target file says the server has no {feature}"
        if Need.CALENDAR in case.needs and not self.target.has("calendar"):
            return "the target file says the server has no calendar"
        if case.variant and case.variant not in self.target.server.variants:
            return f"the target file has no [server.variants] {case.variant}"
        return ""

    def _watched(self, case: Case, watch: Watch) -> Result:
        left_out = self._left_out(case)
        if left_out:
            return Result(case=case, verdict=Verdict.SKIP, why=left_out)
        breach = watch.breaches[case]
        if breach.first is not None:
            seen = ", ".join(breach.seen_in)
            return Result(
                case=case,
                verdict=Verdict.FAIL,
                why=f"{breach.first} ({breach.count} times, in {seen})",
                expected=breach.first.expected,
                found=breach.first.found,
                seen_in=tuple(breach.seen_in),
            )
        if not breach.watched:
            return Result(
                case=case, verdict=Verdict.INCONCLUSIVE, why="no message that it is about came"
            )
        return Result(
            case=case, verdict=Verdict.PASS, measured={"messages looked at": breach.watched}
        )


def in_order(cases: Iterable[Case]) -> list[Case]:
    """Return cases in the order to run them: the common server's, the others, what is watched."""
    return sorted(cases, key=lambda case: (case.body is None, case.alone))


def _crashed(result: Result, stage: Stage) -> Result:
    """Return the result of a case in which the server ended by itself."""
    said = stage.server.said
    return replace(
        result,
        verdict=Verdict.FAIL,
        expected="a server that goes on",
        found=f"one that has ended: {' | '.join(said[-3:])}",
        why="the server ended",
        log=tuple(said[-30:]),
    )


class _Stages:
    """The common stage, and those of cases that want their own."""

    def __init__(
        self,
        target: Target,
        folder: Path,
        guardian: Guardian,
        settings: Settings,
        feed: Feed | None,
    ) -> None:
        self.watch = Watch()
        self.clock: Clock = WallClock()
        self.refusals: dict[str, str] = {}
        self._target = target
        self._folder = folder
        self._guardian = guardian
        self._settings = settings
        self._feed = feed
        if feed is not None:
            self._tape = feed.tape
        else:
            self._tape = Tape.made() if target.feed.kind == "simulator" else Tape(())
        self._tape_path = folder / "tape.parquet"
        self._common: Stage | None = None
        self._spare: Feed | None = None
        self._made = 0

    async def open(self) -> Stage:
        """Open the common stage, and find out how its time is moved."""
        if self._tape.rows:
            self._tape.write(self._tape_path)
        self._common = self._stage(feed=self._feed, keep=True)
        await self._common.open()
        self.clock, self.refusals = await choose_clock(self._common)
        return self._common

    async def common(self, case: Case) -> Stage:
        """
        Return the common stage at the case's time.

        A server that has ended, or does not come to that time any more, is
        replaced: what an earlier case did to it is not this one's fault.
        """
        stage = self._common
        if stage is not None and stage.server.running:
            with contextlib.suppress(Unmet, Inconclusive):
                await self.set_time(case, stage)
                return stage
            if not stage.server.ours:
                return stage
        if stage is not None:
            await stage.close()
        stage = self._common = self._stage(feed=self._feed, keep=True)
        await stage.open()
        await self.set_time(case, stage)
        return stage

    async def own(self, case: Case) -> Stage:
        """Open a stage for one case, at its time."""
        feed = (await self.common(case)).feed
        if case.feed_options:
            feed = None
        elif case.own_feed:
            feed = await self._spare_feed()
        stage = self._stage(variant=case.variant, feed=feed, feed_options=case.feed_options)
        try:
            await stage.open()
            await self.set_time(case, stage)
        except BaseException:
            await stage.close()
            raise
        return stage

    async def _spare_feed(self) -> Feed:
        """
        Return a feed that no server but the case's own is on.

        It is handed from one such case to the next, for it takes long to start.
        """
        if self._spare is not None and self._spare.running:
            await self._spare.calm()
            return self._spare
        self._spare = Feed(
            self._target.feed,
            self._tape,
            self._tape_path,
            guardian=self._guardian,
            scale=self._settings.scale,
        )
        await self._spare.start()
        return self._spare

    def _stage(self, **settings: object) -> Stage:
        self._made += 1
        return Stage(
            self._target,
            folder=self._folder / f"server-{self._made}",
            tape=self._tape,
            tape_path=self._tape_path,
            guardian=self._guardian,
            watch=self.watch,
            scale=self._settings.scale,
            **settings,  # type: ignore[arg-type]
        )

    async def set_time(self, case: Case, stage: Stage) -> None:
        """Begin the case at its time, where time can be moved."""
        if self.clock.movable and stage.feed is not None:
            exactly = bool(case.needs & {Need.CLOCK, Need.CALENDAR})
            await self.clock.begin(stage, at(case.day, case.at), exactly=exactly)

    def lacking(self, case: Case) -> str:
        """Return what the case needs and the stage has not; empty if it has all."""
        needs = case.needs
        if Need.FEED in needs and self._target.feed.kind != "simulator":
            return f"needs known ticks; the feed is {self._target.feed.kind}"
        if (Need.CLOCK in needs or Need.CALENDAR in needs) and not self.clock.movable:
            return "needs a market time that can be moved; no clock driver works here"
        if case.alone and not self._target.server.start:
            return "needs a server that the suite can start; the target names no command"
        return ""

    async def close(self) -> None:
        """End everything."""
        if self._common is not None:
            await self._common.close()
        if self._spare is not None:
            await self._spare.stop()
