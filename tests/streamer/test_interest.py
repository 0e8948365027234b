"""Which instruments the feed should send, and to whom their quotes go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.interest import Interest
from tests.streamer.desk import SBIN, TCS


def test_the_first_subscriber_asks_the_feed_and_the_last_one_ends_it() -> None:
    """The feed hears of an instrument once, however many subscribe."""
    interest: Interest[str] = Interest()
    interest.add([SBIN], "a")
    interest.add([SBIN], "b")
    assert interest.take_difference() == ([SBIN], [])
    interest.remove([SBIN], "a")
    assert interest.take_difference() == ([], [])
    interest.remove([SBIN, TCS], "b")
    assert interest.take_difference() == ([], [SBIN])


def test_what_comes_and_goes_between_two_looks_is_not_told() -> None:
    """Only the difference counts."""
    interest: Interest[str] = Interest()
    interest.add([SBIN], "a")
    interest.remove([SBIN], "a")
    assert interest.take_difference() == ([], [])


def test_a_lost_clients_interest_lingers_until_its_deadline() -> None:
    """A reconnect in time finds the feed still asked; after it, the feed is told."""
    interest: Interest[str] = Interest()
    interest.add([SBIN], "a")
    interest.add([TCS], "a")
    interest.take_difference()
    interest.remove([SBIN, TCS], "a", linger_until=30)
    assert interest.take_difference() == ([], [])
    assert interest.wanted() == [SBIN, TCS]
    assert not interest.subscribers(SBIN)
    interest.add([SBIN], "b")
    assert interest.next_deadline() == 30
    interest.pass_time(29)
    assert interest.take_difference() == ([], [])
    interest.pass_time(30)
    assert interest.take_difference() == ([], [TCS])
    assert interest.wanted() == [SBIN]


def test_interest_without_a_subscriber_lingers_too() -> None:
    """Asked again it lingers anew; a subscriber takes it over."""
    interest: Interest[str] = Interest()
    interest.linger(SBIN, 30)
    interest.linger(TCS, 30)
    assert interest.take_difference() == ([SBIN, TCS], [])
    interest.linger(SBIN, 40)
    assert interest.next_deadline() == 30
    interest.add([TCS], "a")
    interest.linger(TCS, 50)
    interest.pass_time(40)
    assert interest.take_difference() == ([], [SBIN])
    assert interest.wanted() == [TCS]


KEYS = st.lists(st.sampled_from([(1, number) for number in range(6)]), unique=True)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["add", "remove", "lose", "linger", "look"]), KEYS, st.sampled_from("abc")
    )
)


class Plain:
    """What interest is, instrument by instrument."""

    def __init__(self) -> None:
        self.subscribers: dict[tuple[int, int], dict[str, None]] = {}
        self.lingering: dict[tuple[int, int], int] = {}

    def step(self, what: str, key: tuple[int, int], who: str, until: int) -> None:
        """Do one thing to one instrument."""
        if what == "add":
            self.subscribers.setdefault(key, {})[who] = None
            self.lingering.pop(key, None)
        elif what == "linger":
            if key not in self.subscribers:
                self.lingering.pop(key, None)
                self.lingering[key] = until
        elif who in self.subscribers.get(key, {}):
            del self.subscribers[key][who]
            if not self.subscribers[key]:
                del self.subscribers[key]
                if what == "lose":
                    self.lingering[key] = until

    def pass_time(self, now: int) -> None:
        """Let go of what has lingered long enough."""
        self.lingering = {key: until for key, until in self.lingering.items() if until > now}


@given(STEPS)
def test_groups_of_subscribers_are_what_each_instrument_would_have_alone(
    steps: list[tuple[str, list[tuple[int, int]], str]],
) -> None:
    """Against a plain dictionary; the sum of all differences is the present interest."""
    interest: Interest[str] = Interest()
    plain = Plain()
    told: set[tuple[int, int]] = set()
    for now, (step, keys, who) in enumerate(steps):
        match step:
            case "add":
                interest.add(keys, who)
            case "remove":
                interest.remove(keys, who)
            case "lose":
                interest.remove(keys, who, linger_until=now + 3)
            case "linger":
                for key in keys:
                    interest.linger(key, now + 3)
        if step != "look":
            for key in keys:
                plain.step(step, key, who, now + 3)
        interest.pass_time(now)
        plain.pass_time(now)
        for key in ((1, number) for number in range(6)):
            assert list(interest.subscribers(key)) == list(plain.subscribers.get(key, ()))
        assert len(interest) == len(plain.subscribers)
        assert set(interest.wanted()) == {*plain.subscribers, *plain.lingering}
        assert len(interest.wanted()) == len(plain.subscribers) + len(plain.lingering)
        assert interest.next_deadline() == next(iter(plain.lingering.values()), None)
        if step == "look":
            added, removed = interest.take_difference()
            assert not told & set(added)
            assert told >= set(removed)
            told = (told | set(added)) - set(removed)
            assert told == set(interest.wanted())
