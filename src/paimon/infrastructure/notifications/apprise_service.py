"""Any other service, by an URL of apprise. It says only whether the service took the message, so a failure is tried again."""

import logging

from apprise import Apprise, AppriseAsset, NotifyType

from paimon.domain.notification.message import Attempt, Occasion, Outcome, OutgoingMessage
from paimon.domain.risk.risk_event import Severity

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines may hold the URL, which is a secret

_ASSET = AppriseAsset(app_id="Paimon", storage_mode="memory", secure_logging=True)


def send_by_apprise(url: str, message: OutgoingMessage) -> Attempt:
    """Hand the message to the service of the URL. It blocks: call it in a thread."""
    service = Apprise(asset=_ASSET)
    if not service.add(url):
        return Attempt(Outcome.RETRY, reason="the file holds no URL that apprise knows")
    taken = service.notify(body=message.text, title=message.title, notify_type=_notify_type(message))
    return Attempt(Outcome.ACCEPTED) if taken else Attempt(Outcome.RETRY, reason="the service did not take it")


def _notify_type(message: OutgoingMessage) -> NotifyType:
    if message.occasion is Occasion.ENDED:
        return NotifyType.SUCCESS
    return NotifyType.FAILURE if message.severity is Severity.CRITICAL else NotifyType.WARNING
