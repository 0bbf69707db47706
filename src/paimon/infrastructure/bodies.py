"""Bodies of other servers' answers, read with a bound on what they take in memory.

A few hundred kilobytes of gzip may decode to a gigabyte, and a few megabytes of JSON may become a gigabyte of objects. The
body is decoded piece by piece up to a limit; JSON with more values than an answer of its size has is not parsed.
"""

from typing import Any, Final

import aiohttp
import orjson

_VALUES_MIN: Final = 20_000
_BYTES_PER_VALUE_MIN: Final = 16
"""Bytes of the text for each value, on average. Logs, receipts and blocks have 40 and more."""


class BodyTooLarge(ValueError):
    """The answer is longer, or has more values, than any answer to this request."""


async def read_body(response: aiohttp.ClientResponse, *, bytes_max: int) -> bytearray:
    """Read and decode the body; leaving the response's block then closes its connection.

    Raises:
        BodyTooLarge: it has more than `bytes_max` bytes, decoded.
        aiohttp.ClientError: the connection is lost, or the encoding is broken.
    """
    body = bytearray()
    async for piece in response.content.iter_any():
        if len(body) + len(piece) > bytes_max:
            raise BodyTooLarge(f"more than the {bytes_max} bytes that are read of it")
        body += piece
    return body


def load_json(body: bytearray) -> Any:
    """Parse JSON.

    Raises:
        orjson.JSONDecodeError: it is none.
        BodyTooLarge: it has more values than any answer of its size.
    """
    values = body.count(b",") + body.count(b"[") + body.count(b"{")
    if values > max(_VALUES_MIN, len(body) // _BYTES_PER_VALUE_MIN):
        raise BodyTooLarge(f"{values} values in {len(body)} bytes, far more than it can need")
    return orjson.loads(body)
