"""Made-up clients, as the hub would have them saved."""

from __future__ import annotations

from hypothesis import strategies as st

from streamer.clients import ClientChanges, ClientRecord

CLIENT_IDS = st.text(alphabet="AZaz09._:@-", min_size=1, max_size=128)

FEW_CLIENT_IDS = st.sampled_from(["anna", "ben", "c:1@x", "client_q-_9"])
"""So few that most changes meet a client that is there already."""

INSTRUMENT_KEYS = st.tuples(st.integers(1, 100), st.integers(0, 2**31 - 1))

INSTRUMENTS = st.lists(INSTRUMENT_KEYS, unique=True, max_size=30).map(tuple)


def records(client_ids: st.SearchStrategy[str] = CLIENT_IDS) -> st.SearchStrategy[ClientRecord]:
    """Return a strategy for records of the given clients."""
    return st.builds(
        ClientRecord,
        client_id=client_ids,
        instruments=INSTRUMENTS,
        last_seen=st.integers(0, 2**63 - 1),
        delivery=st.sampled_from(["latest", "all"]),
        principal=st.none() | st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
        made_up=st.booleans(),
    )


def changes(client_ids: st.SearchStrategy[str]) -> st.SearchStrategy[ClientChanges]:
    """Return a strategy for changes; each client is either saved or removed, and once."""

    def split(found: list[ClientRecord | str]) -> ClientChanges:
        saved = {item.client_id: item for item in found if isinstance(item, ClientRecord)}
        removed = {item for item in found if isinstance(item, str)} - saved.keys()
        return ClientChanges(saved=tuple(saved.values()), removed=tuple(sorted(removed)))

    return st.lists(records(client_ids) | client_ids, max_size=5).map(split)


def apply(kept: dict[str, ClientRecord], made: ClientChanges) -> None:
    """Do to a plain dict what the store is asked to do."""
    for client_id in made.removed:
        kept.pop(client_id, None)
    for record in made.saved:
        kept[record.client_id] = record
