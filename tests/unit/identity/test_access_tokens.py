"""Access tokens: only those issued here, and only until their expiry by the given clock."""

from datetime import UTC, datetime, timedelta

import jwt
import pytest
from pydantic import SecretStr

from paimon.application.identity.tokens import TokenExpired, TokenInvalid, decode_token, encode_token, new_token
from paimon.domain.kernel.chain import Address, checksum

pytestmark = pytest.mark.unit

SECRET = SecretStr("a secret for tests only, long enough for each of the HMACs")
WALLET = Address(bytes(range(20)))
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def test_token_decodes_to_its_claims_and_expires_by_the_given_clock() -> None:
    token = new_token(WALLET, now=NOW, ttl_seconds=900)
    assert decode_token(encode_token(token, SECRET), SECRET) == token
    token.require_unexpired(NOW + timedelta(seconds=899))
    with pytest.raises(TokenExpired):
        token.require_unexpired(NOW + timedelta(seconds=900))


CLAIMS = {"iss": "paimon", "sub": checksum(WALLET), "exp": int(NOW.timestamp())}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        jwt.encode(CLAIMS, "another secret, also of 32 bytes or more", algorithm="HS256"),
        jwt.encode(CLAIMS | {"iss": "elsewhere"}, SECRET.get_secret_value(), algorithm="HS256"),
        jwt.encode(CLAIMS | {"sub": "willa"}, SECRET.get_secret_value(), algorithm="HS256"),
        jwt.encode({"iss": "paimon", "sub": CLAIMS["sub"]}, SECRET.get_secret_value(), algorithm="HS256"),
        jwt.encode(CLAIMS, SECRET.get_secret_value(), algorithm="HS384"),
        jwt.encode(CLAIMS, "", algorithm="none"),
    ],
)
def test_decode_token_refuses_a_token_that_was_not_issued_here(text: str) -> None:
    with pytest.raises(TokenInvalid):
        decode_token(text, SECRET)
