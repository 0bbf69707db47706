"""Access tokens: only those issued here, and only until their expiry by the given clock."""

import base64
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from paimon.application.identity.tokens import TokenExpired, TokenInvalid, TokenKeys, new_token
from paimon.domain.kernel.chain import Address, checksum

pytestmark = pytest.mark.unit

SECRET = SecretStr("a secret for tests only, long enough for each of the HMACs")
KEYS = TokenKeys([SECRET])
KEY_ID = KEYS.key_set["keys"][0]["kid"]
PRIVATE = KEYS._signing.private
PUBLIC_PEM = PRIVATE.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
WALLET = Address(bytes(range(20)))
SESSION = UUID(int=7)
NOW = datetime(2026, 1, 31, 12, 0, tzinfo=UTC)


def test_token_decodes_to_its_claims_and_expires_by_the_given_clock() -> None:
    token = new_token(WALLET, SESSION, now=NOW, expires_at=NOW + timedelta(seconds=900))
    assert KEYS.decode(KEYS.encode(token)) == token
    token.require_unexpired(NOW + timedelta(seconds=899))
    with pytest.raises(TokenExpired):
        token.require_unexpired(NOW + timedelta(seconds=900))


def test_published_key_verifies_a_token_without_the_secret() -> None:
    token = new_token(WALLET, SESSION, now=NOW, expires_at=NOW + timedelta(days=36_500))
    text = KEYS.encode(token)
    keys = {key.key_id: key for key in jwt.PyJWKSet.from_dict(KEYS.key_set).keys}
    public = keys[jwt.get_unverified_header(text)["kid"]]
    claims = jwt.decode(text, public, algorithms=["EdDSA"], audience="paimon-api")
    assert claims["sub"] == checksum(WALLET)
    assert all("d" not in key for key in KEYS.key_set["keys"]), "no private part is published"


ODD_SESSIONS: list[Any] = ["", "7", str(SESSION), SESSION.hex.replace("7", "A"), 7, None, []]
ODD_KEY_IDS: list[Any] = ["", "0", None, 7, [KEY_ID], {}, "../../dev/null", KEY_ID[:-1], KEY_ID + "\x00"]

CLAIMS = {
    "iss": "paimon",
    "aud": "paimon-api",
    "sub": checksum(WALLET),
    "sid": SESSION.hex,
    "iat": int(NOW.timestamp()),
    "exp": int(NOW.timestamp()) + 900,
    "jti": "of a test",
}


def signed(claims: dict[str, object], *, key: Any = PRIVATE, algorithm: str = "EdDSA", **header: Any) -> str:
    return jwt.encode(claims, key, algorithm=algorithm, headers={"typ": "at+jwt", "kid": KEY_ID} | header)


def with_header(**header: object) -> str:
    """Put another header before the claims and the signature of a good token."""
    _, claims, signature = signed(CLAIMS).split(".")
    content = json.dumps({"alg": "EdDSA", "typ": "at+jwt", "kid": KEY_ID} | header).encode()
    return f"{encoded(content)}.{claims}.{signature}"


def test_token_with_these_claims_is_accepted() -> None:
    """Each refusal below is then for its one difference."""
    assert KEYS.decode(signed(CLAIMS)).address == WALLET


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        signed(CLAIMS, key=Ed25519PrivateKey.from_private_bytes(bytes(32))),
        signed(CLAIMS, key=SECRET.get_secret_value(), algorithm="HS256"),
        signed(CLAIMS, typ="JWT"),
        signed(CLAIMS | {"iss": "elsewhere"}),
        signed(CLAIMS | {"aud": "another-api"}),
        signed(CLAIMS | {"sub": "willa"}),
        *(signed({name: value for name, value in CLAIMS.items() if name != missing}) for missing in CLAIMS),
        *(signed(CLAIMS | {"sid": odd}) for odd in ODD_SESSIONS),
        *(
            signed(CLAIMS | {name: odd})
            for name in ("exp", "iat")
            for odd in (10**400, -1, 1.5, 1e300, "900", "9" * 5_000, True, [900], {"a": 1}, 253_402_300_800)
        ),
    ],
)
def test_decode_token_refuses_a_token_that_was_not_issued_here(text: str) -> None:
    with pytest.raises(TokenInvalid):
        KEYS.decode(text)


def encoded(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def hmac_with_the_public_key() -> str:
    """Sign with what everyone may read, as if it were the secret of an HMAC."""
    header = json.dumps({"alg": "HS256", "typ": "at+jwt", "kid": KEY_ID}).encode()
    signed_part = f"{encoded(header)}.{encoded(json.dumps(CLAIMS).encode())}"
    return f"{signed_part}.{encoded(hmac.digest(PUBLIC_PEM, signed_part.encode(), 'sha256'))}"


@pytest.mark.parametrize(
    "text",
    [
        jwt.encode(CLAIMS, "", algorithm="none", headers={"typ": "at+jwt", "kid": KEY_ID}),
        hmac_with_the_public_key(),
        with_header(alg="none"),
        with_header(alg="HS256"),
        with_header(alg="ES256K"),
        *(with_header(kid=odd) for odd in ODD_KEY_IDS),
        with_header(jwk=KEYS.key_set["keys"][0] | {"x": "A" * 43}),
        with_header(jku="https://evil.example/jwks.json"),
        with_header(crit=["exp"]),
        with_header(b64=False, crit=["b64"]),
        signed(CLAIMS, key=Ed25519PrivateKey.from_private_bytes(bytes(32)), jwk={"kty": "OKP"}, kid="own"),
        signed(CLAIMS)[:-4],
        signed(CLAIMS) + ".",
        ".".join([*signed(CLAIMS).split(".")[:2], ""]),
    ],
)
def test_decode_token_refuses_tricks_with_algorithm_and_key(text: str) -> None:
    with pytest.raises(TokenInvalid):
        KEYS.decode(text)
