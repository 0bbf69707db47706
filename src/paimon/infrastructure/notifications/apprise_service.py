"""Any other service, by an URL of apprise. It says only whether the service took the message, so a failure is tried again.

apprise asks by `requests`, which reads and decodes all that a service answers. Every session of that library here therefore has
an adapter with a bound: a service whose answer is longer did not take the message.
"""

import logging
from typing import Any, Final

import requests
from apprise import Apprise, AppriseAsset, NotifyType

from paimon.domain.notification.message import Attempt, Occasion, Outcome, OutgoingMessage
from paimon.domain.risk.risk_event import Severity

logging.getLogger("apprise").setLevel(logging.CRITICAL)  # its lines may hold the URL, which is a secret

_ANSWER_BYTES_MAX: Final = 64 * 1024
_PIECE_BYTES: Final = 8 * 1024


class BoundedAdapter(requests.adapters.HTTPAdapter):
    """Reads and decodes an answer piece by piece, up to the limit."""

    def send(self, *args: Any, **options: Any) -> requests.Response:
        """Send one request. Raises `requests.exceptions.ContentDecodingError` for an answer that is longer than the limit."""
        response = super().send(*args, **options | {"stream": True})
        content = bytearray()
        for piece in response.iter_content(_PIECE_BYTES):
            content += piece
            if len(content) > _ANSWER_BYTES_MAX:
                response.close()
                raise requests.exceptions.ContentDecodingError(f"an answer of more than {_ANSWER_BYTES_MAX} bytes")
        response._content = bytes(content)
        return response


vars(requests.sessions)["HTTPAdapter"] = BoundedAdapter
"""What each new session mounts. apprise opens its own, and takes none of ours."""

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
