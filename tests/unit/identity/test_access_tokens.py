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


CLAIMS = {
    "iss": "paimon",
    "aud": "paimon-api",
    "sub": checksum(WALLET),
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
    "jti": "of a test",
}


def signed(
    claims: dict[str, object], *, secret: str = SECRET.get_secret_value(), algorithm: str = "HS256", typ: str = "at+jwt"
) -> str:
    return jwt.encode(claims, secret, algorithm=algorithm, headers={"typ": typ})


def test_token_with_these_claims_is_accepted() -> None:
    """Each refusal below is then for its one difference."""
    assert decode_token(signed(CLAIMS), SECRET).address == WALLET


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        signed(CLAIMS, secret="another secret, also of 32 bytes or more"),
        signed(CLAIMS, algorithm="HS384"),
        jwt.encode(CLAIMS, "", algorithm="none"),
        signed(CLAIMS, typ="JWT"),
        signed(CLAIMS | {"iss": "elsewhere"}),
        signed(CLAIMS | {"aud": "another-api"}),
        signed(CLAIMS | {"sub": "willa"}),
        *(signed({name: value for name, value in CLAIMS.items() if name != missing}) for missing in CLAIMS),
        *(
            signed(CLAIMS | {name: odd})
            for name in ("exp", "iat")
            for odd in (10**400, -1, 1.5, 1e300, "900", "9" * 5_000, True, [900], {"a": 1}, 253_402_300_800)
        ),
    ],
)
def test_decode_token_refuses_a_token_that_was_not_issued_here(text: str) -> None:
    with pytest.raises(TokenInvalid):
        decode_token(text, SECRET)
