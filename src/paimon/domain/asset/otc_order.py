"""OTC orders, from creation to delivery.

    OrderCreated ──► PENDING ──► PAID ──► DELIVERED
                        └─────────┴─────► CANCELLED

While an order is PAID, the money is out and the tokens are not in. Gross assets are lower by that amount, which is no loss
(deployed behaviour 5). Each OTC manager counts its own order numbers.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from paimon.domain.events import OrderCancelled, OrderCreated, OrderDelivered, OrderEvent, OrderPaid
from paimon.domain.events.errors import InapplicableEvent
from paimon.domain.kernel.chain import Address, BlockStamp
from paimon.domain.kernel.units import RawAmount

OrderKey = tuple[Address, int]


class OrderStatus(StrEnum):
    """Status of an OTC order; the order of the values is the contract's."""

    PENDING = "PENDING"
    PAID = "PAID"
    DELIVERED = "DELIVERED"
    CANCELLED = "CANCELLED"


@dataclass(frozen=True, slots=True)
class OtcOrder:
    """One OTC order. `usdt_amount` is in raw units of the vault's asset, the other amounts in raw units of the token."""

    manager: Address
    order_id: int
    token: Address
    counterparty: Address
    usdt_amount: RawAmount
    expected_tokens: RawAmount
    status: OrderStatus
    created_at: datetime
    paid_at: datetime | None = None
    closed_at: datetime | None = None
    actual_tokens: RawAmount | None = None


def apply_order_event(order: OtcOrder | None, event: OrderEvent, *, at: BlockStamp) -> OtcOrder:
    """Return the order after one more of its events.

    Raises:
        InapplicableEvent: the event cannot follow the recorded state.
    """
    if order is None:
        if not isinstance(event, OrderCreated):
            raise InapplicableEvent(f"{type(event).__name__} for OTC order {event.order_id}, which was never recorded")
        return OtcOrder(
            manager=event.emitter,
            order_id=event.order_id,
            token=event.rwa_token,
            counterparty=event.counterparty,
            usdt_amount=event.usdt_amount,
            expected_tokens=event.expected_tokens,
            status=OrderStatus.PENDING,
            created_at=at.timestamp,
        )

    def require_status(*allowed: OrderStatus) -> None:
        if order.status not in allowed:
            raise InapplicableEvent(
                f"{type(event).__name__} for OTC order {event.order_id} in state {order.status};"
                f" it follows {' or '.join(allowed)} only"
            )

    match event:
        case OrderCreated():
            raise InapplicableEvent(f"OTC order {event.order_id} was created twice")
        case OrderPaid():
            require_status(OrderStatus.PENDING)
            return replace(order, status=OrderStatus.PAID, paid_at=at.timestamp)
        case OrderDelivered():
            require_status(OrderStatus.PAID)
            return replace(order, status=OrderStatus.DELIVERED, actual_tokens=event.actual_tokens, closed_at=at.timestamp)
        case OrderCancelled():
            require_status(OrderStatus.PENDING, OrderStatus.PAID)
            return replace(order, status=OrderStatus.CANCELLED, closed_at=at.timestamp)
