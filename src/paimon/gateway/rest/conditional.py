"""Conditional requests (RFC 9110, 13): a client that holds the present data gets 304 without a body.

The tag is weak, since the envelope around equal data has another time and request id. A cache keeps a response for its own user
only, and asks each time whether it is still the present one; so a token that has expired gets 401, never old data.
"""

import hashlib
import re
from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import Depends, Header, Request, Response

from paimon.gateway.rest.envelope import wrap_encoded

_TAG_BYTES: Final = 16
_CACHE_CONTROL: Final = "private, no-cache"
_ENTITY_TAG: Final = r'(?:W/)?("[\x21\x23-\x7e\x80-\xff]*")'
_ENTITY_TAGS: Final = re.compile(rf"[ \t,]*{_ENTITY_TAG}(?:[ \t]*,[ \t,]*{_ENTITY_TAG})*[ \t,]*")


async def get_if_none_match(
    request: Request,
    _documented: Annotated[
        str | None,
        Header(alias="If-None-Match", description="the ETag of an earlier response: 304 if the data is still the same"),
    ] = None,
) -> list[str]:
    return request.headers.getlist("If-None-Match")  # a list may be sent in several lines


IfNoneMatch = Annotated[list[str], Depends(get_if_none_match)]


def entity_tag(data: bytes) -> str:
    return f'W/"{hashlib.blake2b(data, digest_size=_TAG_BYTES).hexdigest()}"'


def matches(if_none_match: Sequence[str], tag: str) -> bool:
    """Return whether the header names the tag, in the weak comparison. A header that is not well-formed names none."""
    header = ", ".join(if_none_match).strip(" \t")
    if header == "*":
        return True
    if not _ENTITY_TAGS.fullmatch(header):
        return False
    return tag.removeprefix("W/") in re.findall(_ENTITY_TAG, header)


def encoded_response(data: bytes, if_none_match: Sequence[str]) -> Response:
    """Respond with JSON that is encoded already, or with 304 if the client holds it."""
    headers = {"ETag": entity_tag(data), "Cache-Control": _CACHE_CONTROL}
    if matches(if_none_match, headers["ETag"]):
        return Response(status_code=304, headers=headers)
    response = wrap_encoded(data)
    response.headers.update(headers)
    return response
