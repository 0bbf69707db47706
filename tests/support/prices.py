"""Price policies for tests about other things: any price that the chain gives is trusted, however old and however far it moved.

The test fund's prices are set once, and tests move its time by days and its prices by much.
"""

from typing import Any, Final

from paimon.settings import PricesSettings

_WIDE: Final = {"tolerance_bps": 10_000, "step_bps": 10**12}

ANY_PRICE_SETTINGS: Final[dict[str, Any]] = {
    "l1": _WIDE,
    "l2": _WIDE,
    "l3": _WIDE,
    "heartbeat_seconds": 10**9,
}
ANY_PRICE: Final = PricesSettings(**ANY_PRICE_SETTINGS).policy()
