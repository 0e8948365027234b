"""
The feed's vocabulary: message codes, tags and market segments.

Each entry carries its meaning, its unit and how it is known. Nothing here
parses or writes; ``docs/odin-feed.md`` has the same tables, held against
these by a test.
"""

from __future__ import annotations

from enum import IntEnum, StrEnum

InstrumentKey = tuple[int, int]
"""What names an instrument on the wire: (market segment, token)."""

NSE_CASH = 1
NSE_DERIVATIVES = 2
BSE_CASH = 3
BSE_DERIVATIVES = 4
MCX_DERIVATIVES = 5
NSE_CURRENCY_DERIVATIVES = 13
BSE_CURRENCY_DERIVATIVES = 38

SIMULATED = 9000
"""Our private tag: ``9000=1`` in a logon answer says that the feed is a simulator."""

LOGON_ACCEPTED = 10000
LOGON_ACCEPTED_EXPIRING = 10004
LOGON_REFUSED = 10001
"""The status we refuse with; every value but the two above means refusal."""


class Source(StrEnum):
    """How a fact of the protocol is known."""

    CLIENTS = "published clients"
    VENDOR = "vendor's example"
    INFERRED = "inferred"
    OURS = "ours"


class Code(IntEnum):
    """
    Message codes, the value of tag 64.

    Each has ``meaning``, ``sender`` (``client``, ``server``) and ``source``.
    """

    meaning: str
    sender: str
    source: Source

    def __new__(cls, number: int, meaning: str, sender: str, source: Source) -> Code:
        """Make a member: a number that carries what is known of it."""
        code = int.__new__(cls, number)
        code._value_ = number
        code.meaning = meaning
        code.sender = sender
        code.source = source
        return code

    LOGON = (101, "logon", "client", Source.CLIENTS)
    LOGON_ANSWER = (102, "logon answer", "server", Source.VENDOR)
    PAUSE = (106, "pause or resume the whole connection", "client", Source.CLIENTS)
    LOGOFF = (109, "logoff: the feed has ended", "server", Source.CLIENTS)
    MARKET_STATUS = (110, "market status", "server", Source.CLIENTS)
    BEST_FIVE_REQUEST = (127, "subscribe or unsubscribe best five", "client", Source.CLIENTS)
    BEST_FIVE = (128, "best five", "server", Source.CLIENTS)
    TOUCHLINE_REQUEST = (206, "subscribe or unsubscribe touchlines", "client", Source.CLIENTS)
    TOUCHLINE = (209, "touchline, text or native", "server", Source.VENDOR)
    LTP_REQUEST = (347, "subscribe or unsubscribe LTP touchlines", "client", Source.CLIENTS)
    LTP_TOUCHLINE = (
        348,
        "LTP touchline; from one old client, a subscribe like 347",
        "server",
        Source.CLIENTS,
    )
    HEARTBEAT_REQUEST = (349, "heartbeat request", "client", Source.CLIENTS)
    HEARTBEAT = (350, "heartbeat", "server", Source.CLIENTS)
    KEEP_ALIVE = (1000, "keep-alive; not answered", "client", Source.CLIENTS)
    DISCONNECT = (1111, "the server is about to close the socket", "server", Source.CLIENTS)


class Tag(IntEnum):
    """
    Field numbers.

    Each has ``meaning``, ``unit`` and ``source``. A *scaled* price is an
    integer to be divided by the decimal locator (tag 399) to give rupees.
    """

    meaning: str
    unit: str
    source: Source

    def __new__(cls, number: int, meaning: str, unit: str, source: Source) -> Tag:
        """Make a member: a number that carries what is known of it."""
        tag = int.__new__(cls, number)
        tag._value_ = number
        tag.meaning = meaning
        tag.unit = unit
        tag.source = source
        return tag

    SEGMENT = (1, "market segment; in a logon answer, segments allowed", "id", Source.VENDOR)
    BID_QUANTITY = (2, "best bid, quantity", "units", Source.VENDOR)
    BID = (3, "best bid, price", "scaled", Source.VENDOR)
    SESSION = (4, "session id of a request; not used", "text", Source.CLIENTS)
    ASK_QUANTITY = (5, "best ask, quantity", "units", Source.VENDOR)
    ASK = (6, "best ask, price", "scaled", Source.VENDOR)
    TOKEN = (7, "token of the instrument within its segment", "id", Source.VENDOR)
    LTP = (8, "last traded price", "scaled", Source.VENDOR)
    LTQ = (9, "last traded quantity", "units", Source.VENDOR)
    SIDE = (11, "side of the depth records that follow", "1 buy, 2 sell", Source.CLIENTS)
    LEVEL_QUANTITY = (12, "depth record, quantity", "units", Source.VENDOR)
    LEVEL_PRICE = (14, "depth record, price", "scaled", Source.VENDOR)
    LEVEL_ORDERS = (37, "depth record, number of orders", "count", Source.VENDOR)
    STATUS = (38, "market status", "text", Source.INFERRED)
    NATIVE_MODE = (49, "touchline request: 1 asks for native blocks", "1", Source.CLIENTS)
    NATIVE = (50, "begins the 64-byte native block", "bytes", Source.CLIENTS)
    CONNECTION_TYPE = (51, "logon: connection type", "4", Source.CLIENTS)
    CHANGE = (54, "change from the previous close", "per cent, 2 places", Source.VENDOR)
    REASON = (58, "why the server ends the connection", "text", Source.OURS)
    VERSION = (63, "protocol version", "FT3.0 or FIX3.0", Source.VENDOR)
    CODE = (64, "message code", "id", Source.VENDOR)
    LENGTH = (65, "length of the whole text", "bytes", Source.VENDOR)
    SENT = (66, "when the message was sent", "time", Source.VENDOR)
    USER = (67, "logon: user id", "text", Source.CLIENTS)
    KEY = (68, "logon: password or token", "text", Source.CLIENTS)
    LOGON_STATUS = (70, "logon status: 10000 and 10004 accept", "id", Source.CLIENTS)
    LTT = (73, "last trade time", "time", Source.VENDOR)
    LUT = (74, "last update time", "time", Source.VENDOR)
    OPEN = (75, "open", "scaled", Source.VENDOR)
    CLOSE = (76, "close of the previous day", "scaled", Source.VENDOR)
    HIGH = (77, "high", "scaled", Source.VENDOR)
    LOW = (78, "low", "scaled", Source.VENDOR)
    VOLUME = (79, "volume of the day", "units", Source.VENDOR)
    ATP = (80, "average traded price", "scaled", Source.VENDOR)
    TOTAL_BUY = (81, "total buy quantity", "units", Source.VENDOR)
    TOTAL_SELL = (82, "total sell quantity", "units", Source.VENDOR)
    OPEN_INTEREST = (88, "open interest", "units", Source.CLIENTS)
    HIGH_52 = (93, "52-week high", "scaled", Source.CLIENTS)
    LOW_52 = (94, "52-week low", "scaled", Source.CLIENTS)
    DAYS_TO_EXPIRY = (97, "days until the password expires", "days", Source.CLIENTS)
    ON_CHANGE = (
        200,
        "touchline request: 1 asks for LTP changes alone",
        "0, 1",
        Source.CLIENTS,
    )
    ACTION = (230, "1 subscribe or pause, 2 unsubscribe or resume", "1, 2", Source.CLIENTS)
    ECHO = (351, "heartbeat id, echoed", "text", Source.INFERRED)
    PRICE_BAND = (380, "daily price band, LOW-HIGH", "text", Source.CLIENTS)
    NET_CHANGE = (393, "change from the previous close", "rupees", Source.CLIENTS)
    GROUP = (396, "logon: group", "HO", Source.CLIENTS)
    LOCATOR = (399, "decimal locator: the divisor of scaled prices", "divisor", Source.CLIENTS)
    CLIENT_KIND = (400, "logon: kind of client", "0, 11, 12", Source.CLIENTS)
    KEY_KIND = (401, "logon: kind of tag 68", "1 password, 2 token", Source.CLIENTS)
    OI_CHANGE = (465, "open interest, change", "text", Source.CLIENTS)
    OI_HIGH = (466, "open interest, high", "text", Source.CLIENTS)
    OI_LOW = (467, "open interest, low", "text", Source.CLIENTS)
    EXECUTION_RANGE = (499, "trade execution range", "text", Source.CLIENTS)
    SIMULATED = (SIMULATED, "logon answer: 1 says that the feed is a simulator", "1", Source.OURS)


SEGMENTS: dict[int, str] = {
    1: "NSE cash",
    2: "NSE derivatives",
    3: "BSE cash",
    4: "BSE derivatives",
    5: "MCX derivatives",
    6: "MCX spot",
    7: "NCDEX derivatives",
    8: "NCDEX spot",
    9: "NSEL derivatives",
    10: "NSEL spot",
    11: "MSE currency derivatives",
    12: "MSE currency spot",
    13: "NSE currency derivatives",
    14: "NSE currency spot",
    15: "MSE cash",
    16: "MSE derivatives",
    17: "DSE cash",
    18: "BSE commodity",
    19: "NSE commodity",
    20: "NSE commodity spot",
    33: "OFS, IPO, bonds",
    38: "BSE currency derivatives",
    39: "BSE currency spot",
    40: "BSE commodity spot",
}
"""Market segment ids as they are on the wire, from published clients."""
