"""Use the API through the generated client. The test checks what is printed."""

import json
import sys

from paimon_client import AuthenticatedClient
from paimon_client.api.auth import get_signed_in_user
from paimon_client.api.fund import list_nav_history
from paimon_client.api.redemptions import get_redemption, list_redemptions
from paimon_client.api.risk import acknowledge_risk_event, list_risk_events
from paimon_client.models import AcknowledgeBody, ErrorEnvelope, Interval, RedemptionView, RiskStatus

url, token = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token)


def walk() -> list[RedemptionView]:
    found: list[RedemptionView] = []
    cursor = None
    while True:
        response = list_redemptions.sync(client=client, page_size=2, cursor=cursor)
        found += response.data.items
        cursor = response.data.pagination.next_cursor
        if cursor is None:
            return found


redemptions = walk()
missing = get_redemption.sync_detailed("4711", client=client)
assert isinstance(missing.parsed, ErrorEnvelope)
(event,) = list_risk_events.sync(client=client, status=RiskStatus.OPEN).data.items
acknowledged = acknowledge_risk_event.sync(event.id, client=client, body=AcknowledgeBody(note="seen"))
history = list_nav_history.sync_detailed(client=client, interval=Interval.DAILY)
unchanged = list_nav_history.sync_detailed(client=client, interval=Interval.DAILY, if_none_match=history.headers["ETag"])
refused = list_redemptions.sync(client=client, cursor="of another list")
assert isinstance(refused, ErrorEnvelope)

print(
    json.dumps(
        {
            "requestIds": [redemption.request_id for redemption in redemptions],
            "statuses": [redemption.status for redemption in redemptions],
            "missing": [missing.status_code, missing.parsed.error.code],
            "role": get_signed_in_user.sync(client=client).data.role,
            "acknowledged": acknowledged.data.status,
            "unchanged": unchanged.status_code,
            "refused": [detail.code for detail in refused.error.details],
        }
    )
)
