"""
The pytest plugin: each case an item, and fixtures for the tests of clients.

``pytest --odin-url ws://…`` or ``--odin-target FILE`` adds the cases to the
session. The fixtures ``odin_sim``, ``odin_server`` and ``odin_clock`` are there
without an option. Nothing heavy is imported before one of them is asked for.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pytest

if TYPE_CHECKING:
    from contextlib import AbstractAsyncContextManager

    from conformance.aside import Aside
    from conformance.case import Case
    from conformance.playground import MarketClock, OdinServer, OdinSim, Playground
    from conformance.runner import Run
    from conformance.verdicts import Result

MARKER: Final = (
    "odin(recording=None, day='', at='09:14:50', options=(), sim_options=()): what odin_sim and"
    " odin_server play, from when, and how they are started; on an item of its own, a case of the"
    " conformance suite."
)
_PROFILES: Final = ("guide", "full", "strict")


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    group = parser.getgroup("odin", "odin: conformance of servers of the client protocol")
    group.addoption("--odin-url", metavar="URL", help="Judge the server that runs there.")
    group.addoption(
        "--odin-target", metavar="FILE", help="Judge the server that a target file describes."
    )
    group.addoption(
        "--odin-case",
        action="append",
        default=[],
        metavar="ID",
        help="Only these cases: an id, a family, or a pattern; !ID leaves out. Can be given again.",
    )
    group.addoption("--odin-profile", choices=_PROFILES, default="full", help="Default: full.")
    group.addoption(
        "--odin-timeout-scale",
        type=float,
        default=1.0,
        metavar="X",
        help="Multiplies every deadline of the cases.",
    )
    group.addoption(
        "--odin-seed", type=int, default=0, metavar="N", help="Chooses whatever is random."
    )
    group.addoption(
        "--odin-inconclusive-ok",
        action="store_true",
        help="Skip cases that are inconclusive; else they fail.",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker, and refuse what cannot be meant."""
    config.addinivalue_line("markers", MARKER)
    if config.getoption("--odin-url") and config.getoption("--odin-target"):
        raise pytest.UsageError("either --odin-url or --odin-target expected, not both")
    if config.getoption("--odin-timeout-scale") <= 0:
        raise pytest.UsageError("--odin-timeout-scale: more than 0 expected")


# A wrapper, so that all plugins' hooks see the cases: -k and -m, the groups of pytest-xdist.
@pytest.hookimpl(wrapper=True)
def pytest_collection_modifyitems(
    session: pytest.Session, items: list[pytest.Item]
) -> Generator[None, None, None]:
    """Add the cases, in the order to run them; -k, -m and --deselect choose among them too."""
    items.extend(_cases(session))
    yield


def _cases(session: pytest.Session) -> list[pytest.Item]:
    config = session.config
    url, target = config.getoption("--odin-url"), config.getoption("--odin-target")
    if not url and not target:
        return []
    from conformance.case import Profile, catalogue, chosen
    from conformance.cases import load
    from conformance.runner import Run, Settings, in_order
    from conformance.target import Target, TargetError

    load()
    patterns = config.getoption("--odin-case")
    cases = in_order(chosen(catalogue(), patterns))
    if not cases:
        raise pytest.UsageError(f"--odin-case: no case is named by {', '.join(patterns)}")
    try:
        judged = Target.of_url(url) if url else Target.of_file(Path(target))
    except TargetError as error:
        raise pytest.UsageError(str(error)) from None
    settings = Settings(
        profile=Profile[config.getoption("--odin-profile").upper()],
        scale=config.getoption("--odin-timeout-scale"),
        seed=config.getoption("--odin-seed"),
    )
    judge = _Judge(Run(target=judged, cases=cases, settings=settings))
    config.add_cleanup(judge.close)
    suite = _Suite.from_parent(session, name="odin-conformance", nodeid="odin-conformance")
    return [_CaseItem.from_parent(suite, name=case.id, case=case, judge=judge) for case in cases]


class _Judge:
    """The run, opened when the first case is played and closed with the session."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self._aside: Aside | None = None
        self._opened: AbstractAsyncContextManager[Any] | None = None
        self._judge: Any = None
        self._failure = ""

    def __call__(self, case: Case) -> Result:
        """
        Judge a case.

        Raises:
            pytest.fail.Exception: If the server cannot be reached.

        """
        from conformance.runner import Unreachable

        if not self._failure and self._judge is None:
            from conformance.aside import Aside

            self._aside = Aside()
            opened = self.run.opened()
            try:
                self._judge = self._aside.call(opened.__aenter__())
                self._opened = opened
            except Unreachable as error:
                self._failure = str(error)
        if self._failure:
            pytest.fail(f"The server cannot be reached: {self._failure}", pytrace=False)
        assert self._aside is not None
        result: Result = self._aside.call(self._judge(case))
        return result

    def close(self) -> None:
        """End what was started."""
        if self._aside is None:
            return
        if self._opened is not None:
            self._aside.call(self._opened.__aexit__(None, None, None))
        self._aside.close()
        self._aside = None


class _Suite(pytest.Collector):
    """The parent of the cases."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield nothing: the session is given the cases by itself."""
        return iter(())


class _Failed(Exception):
    """A case fails the run; the message tells all of it."""


class _CaseItem(pytest.Item):
    """One case."""

    def __init__(self, *, case: Case, judge: _Judge, **settings: Any) -> None:
        super().__init__(**settings)
        self.case = case
        self._judge = judge
        self.add_marker(pytest.mark.odin)
        # One server and one clock: in one worker of pytest-xdist. With --dist loadfile the
        # node ids see to it, which are all of one file; this is for loadgroup.
        if self.config.pluginmanager.hasplugin("xdist"):
            self.add_marker(pytest.mark.xdist_group("odin-conformance"))
        if self.config.pluginmanager.hasplugin("timeout"):
            # Cases have deadlines of their own; a session's is not meant for the first,
            # which starts the server, or for one that plays a night.
            self.add_marker(pytest.mark.timeout(0))

    def runtest(self) -> None:
        """Judge it, and tell of it in pytest's words."""
        from conformance.verdicts import Verdict

        result = self._judge(self.case)
        self.user_properties.append(("verdict", result.verdict.value))
        self.user_properties.extend(result.measured.items())
        if result.unexpected_pass:
            raise _Failed(f"passed, but the target file expects: {result.expected_failure}")
        if result.is_failure(self._judge.run.settings.profile):
            raise _Failed(_story(self._judge.run, result))
        match result.verdict:
            case Verdict.SKIP:
                pytest.skip(result.why)
            case Verdict.INCONCLUSIVE if self.config.getoption("--odin-inconclusive-ok"):
                pytest.skip(f"INCONCLUSIVE: {result.why}")
            case Verdict.INCONCLUSIVE:
                raise _Failed(f"INCONCLUSIVE: {result.why}")
            case Verdict.FAIL:
                pytest.xfail(result.expected_failure or f"a {self.case.level.value}: {result.why}")

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the story alone: where the plugin raised it is of no use."""
        if isinstance(excinfo.value, _Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Return how a report names it."""
        return Path("odin-conformance"), None, f"{self.case.id} {self.case.title}"


def _story(run: Run, result: Result) -> str:
    from conformance.report import again

    lines = [f"{result.verdict.value} {result.case.id} {result.case.title}"]
    if result.expected:
        lines += [f"expected: {result.expected}", f"found:    {result.found}"]
    else:
        lines += [result.why, result.trace]
    from conformance.rules import rule

    lines += [f"{id}: {rule(id)}" for id in result.case.rules]
    lines += [result.case.explain, f"alone: {again(run, result)}"]
    arrows = {"in": "<", "out": ">", "note": "-"}
    lines += [f"{f.ms:9.1f} ms {f.peer} {arrows[f.direction]} {f.text}" for f in result.wire[-40:]]
    return "\n".join(line for line in lines if line)


@pytest.fixture
def _odin_playground(request: pytest.FixtureRequest) -> Iterator[Playground]:
    from dataclasses import fields

    from conformance.playground import Playground, Setting

    marker = request.node.get_closest_marker("odin")
    given = dict(marker.kwargs) if marker else {}
    known = [field.name for field in fields(Setting)]
    wrong = [*map(repr, marker.args if marker else ()), *(set(given) - set(known))]
    if wrong:
        expected = ", ".join(known)
        pytest.fail(f"pytest.mark.odin: {wrong[0]} found; {expected} by name expected", False)
    if given.get("recording") is not None:
        # Beside the test file, as other files of a test; an absolute path stays.
        given["recording"] = request.path.parent / given["recording"]
    playground = Playground(Setting(**given))
    try:
        yield playground
    finally:
        playground.close()


@pytest.fixture
def odin_sim(_odin_playground: Playground) -> OdinSim:
    """Return a simulator: an ODIN feed whose time stands still until its clock is moved."""
    return _odin_playground.open_sim()


@pytest.fixture
def odin_server(_odin_playground: Playground, odin_sim: OdinSim) -> OdinServer:
    """Return a streaming server on ``odin_sim``, to connect clients to."""
    return _odin_playground.open_server(odin_sim)


@pytest.fixture
def odin_clock(odin_sim: OdinSim) -> MarketClock:
    """Return the clock of ``odin_sim`` and ``odin_server``."""
    return odin_sim.clock
