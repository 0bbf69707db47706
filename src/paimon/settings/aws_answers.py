"""Bound the size of AWS's answers: botocore reads all that comes, and a false server could make it endless."""

from typing import Any, Final

from botocore.exceptions import HTTPClientError
from urllib3.exceptions import HTTPError

ANSWER_BYTES_MAX: Final = 256 * 1024
"""A secret of AWS Secrets Manager has 64 KiB at most, an answer of KMS a few kilobytes."""


def bound_answers(client: Any) -> Any:
    """Return the client of boto3, which from now on reads no answer of more than `ANSWER_BYTES_MAX` bytes."""
    client._endpoint.http_session = _BoundedSession(client._endpoint.http_session)
    return client


class _BoundedSession:
    """botocore's session, but an answer is read up to a limit. It decodes no encoding."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def send(self, request: Any) -> Any:
        """Send the request. Raises HTTPClientError, which botocore reports as BotoCoreError."""
        request.stream_output = True  # leave the body to us
        response = self._session.send(request)
        try:
            response._content = response.raw.read(ANSWER_BYTES_MAX + 1)
        except HTTPError as error:
            raise HTTPClientError(error=error) from error
        if len(response._content) > ANSWER_BYTES_MAX:
            response.raw.close()
            raise HTTPClientError(error=f"an answer of more than {ANSWER_BYTES_MAX} bytes")
        response.raw.release_conn()
        return response

    def close(self) -> None:
        self._session.close()
