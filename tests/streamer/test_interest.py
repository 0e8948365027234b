"""Which instruments the feed should send, and to whom their quotes go."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from streamer.interest import Interest
from tests.streamer.desk import RELIANCE, SBIN, TCS


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


KEYS = st.sampled_from([SBIN, TCS, RELIANCE])
STEPS = st.lists(
    st.tuples(st.sampled_from(["add", "remove", "linger", "look"]), KEYS, st.sampled_from("ab"))
)


@given(STEPS)
def test_the_told_differences_add_up_to_what_is_wanted(
    steps: list[tuple[str, tuple[int, int], str]],
) -> None:
    """Whatever happens in between, the sum of all differences is the present interest."""
    interest: Interest[str] = Interest()
    told: set[tuple[int, int]] = set()
    for now, (step, key, who) in enumerate(steps):
        match step:
            case "add":
                interest.add([key], who)
            case "remove":
                interest.remove([key], who)
            case "linger":
                interest.remove([key], who, linger_until=now + 3)
        interest.pass_time(now)
        added, removed = interest.take_difference()
        assert not told & set(added)
        assert told >= set(removed)
        told = (told | set(added)) - set(removed)
        assert told == set(interest.wanted())
        assert len(interest.wanted()) == len(told)
