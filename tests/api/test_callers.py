"""Keys and tokens: what proves a caller, and what only looks like it."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from serving.access import load_access
from serving.api_keys import ApiKeys
from serving.bearer import Bearers
from serving.problems import NotAuthenticated
from spark_jobs.config import load_settings
from spark_jobs.errors import ConfigurationError

ISSUER, AUDIENCE = "https://login.broker.example", "customer-360"
RSA_KEY = rsa.generate_private_key(65537, 2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGER = rsa.generate_private_key(65537, 2048)


@pytest.fixture
def keys(tmp_path: Path) -> ApiKeys:
    return ApiKeys(tmp_path / "access", load_access())


def test_key_makes_its_caller(keys: ApiKeys) -> None:
    key, identity = keys.create("agent", 1, "B001", "E001", ("read", "write"))
    caller = keys.authenticate(key)
    assert (caller.id, caller.role.name, caller.branch, caller.employee) == (f"key:{identity}", "agent", "B001", "E001")
    assert caller.scopes == {"read", "write"}


def test_file_has_the_hash_and_not_the_key_and_is_private(keys: ApiKeys, tmp_path: Path) -> None:
    key, _ = keys.create("analyst", 1)
    file = tmp_path / "access" / "keys.yml"
    assert key.split("_", 2)[2] not in file.read_text()
    assert (file.stat().st_mode & 0o777, file.parent.stat().st_mode & 0o777) == (0o600, 0o700)


@pytest.mark.parametrize("harm", [lambda key: key[:-1] + ("A" if key[-1] != "A" else "B"), lambda key: key[:5] + "00000000" + key[13:],
                                  lambda key: key + "x", lambda key: key[:14], lambda key: ""])  # fmt: skip
def test_key_that_is_nearly_right_is_refused(keys: ApiKeys, harm: Callable[[str], str]) -> None:
    key, _ = keys.create("analyst", 1)
    with pytest.raises(NotAuthenticated):
        keys.authenticate(harm(key))


def test_revoked_key_stops_at_the_next_request_in_every_process(keys: ApiKeys, tmp_path: Path) -> None:
    key, identity = keys.create("analyst", 1)
    elsewhere = ApiKeys(tmp_path / "access", load_access())
    assert elsewhere.authenticate(key)
    keys.revoke(identity)
    for one in (keys, elsewhere):
        with pytest.raises(NotAuthenticated):
            one.authenticate(key)


def test_key_is_refused_after_its_last_day(keys: ApiKeys, tmp_path: Path) -> None:
    key, _ = keys.create("analyst", 1)
    file = tmp_path / "access" / "keys.yml"
    entries = yaml.safe_load(file.read_text())
    entries[0]["expires_on"] = date.today() - timedelta(days=2)
    file.write_text(yaml.safe_dump(entries))
    with pytest.raises(NotAuthenticated):
        ApiKeys(tmp_path / "access", load_access()).authenticate(key)


def test_key_that_would_make_no_caller_is_not_made(keys: ApiKeys) -> None:
    for role, days, branch, scopes in (("agent", 1, "B001", ["read"]), ("chief", 1, None, ["read"]), ("analyst", 0, None, ["read"]),
                                       ("analyst", 1, None, ["root"])):  # fmt: skip
        with pytest.raises(ConfigurationError) as raised:
            keys.create(role, days, branch, None, scopes)
        assert raised.value.code == "C360-183"
    assert keys.entries() == {}


def test_damaged_file_of_keys_lets_nobody_in(keys: ApiKeys, tmp_path: Path) -> None:
    key, _ = keys.create("analyst", 1)
    (tmp_path / "access" / "keys.yml").write_text("- {id: 1}")
    with pytest.raises(ConfigurationError) as raised:
        keys.authenticate(key)
    assert raised.value.code == "C360-182"


@pytest.fixture
def bearers(tmp_path: Path) -> Bearers:
    found = [
        {**json.loads(RSAAlgorithm.to_jwk(RSA_KEY.public_key())), "kid": "rsa", "use": "sig"},
        {**json.loads(ECAlgorithm.to_jwk(EC_KEY.public_key())), "kid": "ec", "use": "sig"},
        {**json.loads(RSAAlgorithm.to_jwk(STRANGER.public_key())), "kid": "for encryption", "use": "enc"},
    ]
    file = tmp_path / "jwks.json"
    file.write_text(json.dumps({"keys": found}))
    return Bearers(
        load_settings(home=tmp_path, oidc_issuer=ISSUER, oidc_audience=AUDIENCE, oidc_keys=str(file)), load_access()
    )


def _token(
    key: Any = RSA_KEY, algorithm: str = "RS256", header: dict | None = None, leave_out: str = "", **claims: Any
) -> str:
    now = int(time.time())
    said = {"iss": ISSUER, "aud": AUDIENCE, "sub": "u1", "exp": now + 300, "scope": "openid c360:read", "c360_role": "agent",
            "c360_branch": "B001", "c360_employee": "E001", **claims}  # fmt: skip
    said.pop(leave_out, None)
    return jwt.encode(said, key, algorithm, {"kid": "rsa" if algorithm != "ES256" else "ec", **(header or {})})


@pytest.mark.parametrize(("key", "algorithm"), [(RSA_KEY, "RS256"), (EC_KEY, "ES256")])
def test_token_makes_its_caller(bearers: Bearers, key: Any, algorithm: str) -> None:
    caller = bearers.authenticate(_token(key, algorithm))
    assert (caller.id, caller.role.name, caller.branch, caller.employee) == ("token:u1", "agent", "B001", "E001")
    assert caller.scopes == {"read"}


def _unsigned(algorithm: str) -> str:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    claims = jwt.decode(_token(), options={"verify_signature": False})
    return f"{part({'alg': algorithm, 'kid': 'rsa'})}.{part(claims)}."


def _signed_with_the_public_key() -> str:
    """HS256 with the text of the public key as secret: what a library that trusts the header would accept."""
    import hashlib
    import hmac

    pem = RSA_KEY.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    head, claims, _ = _unsigned("HS256").split(".")
    signature = hmac.new(pem, f"{head}.{claims}".encode(), hashlib.sha256).digest()
    return f"{head}.{claims}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"


def _altered() -> str:
    head, claims, signature = _token().split(".")
    said = json.loads(base64.urlsafe_b64decode(claims + "=="))
    said["c360_role"] = "risk_control"
    return f"{head}.{base64.urlsafe_b64encode(json.dumps(said).encode()).decode().rstrip('=')}.{signature}"


FORGED: dict[str, Callable[[], str]] = {
    "algorithm none": lambda: _unsigned("none"),
    "algorithm NONE": lambda: _unsigned("nOnE"),
    "public key as secret": _signed_with_the_public_key,
    "claims altered": _altered,
    "signed by a stranger": lambda: _token(STRANGER),
    "key for encryption": lambda: _token(STRANGER, header={"kid": "for encryption"}),
    "key not in the set": lambda: _token(header={"kid": "other"}),
    "no key id": lambda: jwt.encode(
        {"iss": ISSUER, "aud": AUDIENCE, "sub": "u", "exp": int(time.time()) + 60}, RSA_KEY, "RS256"
    ),
    "other kind of key": lambda: _token(EC_KEY, "ES256", {"kid": "rsa"}),
    "RS512": lambda: _token(algorithm="RS512"),
    "PS256": lambda: _token(algorithm="PS256"),
    "expired": lambda: _token(exp=int(time.time()) - 60),
    "not valid yet": lambda: _token(nbf=int(time.time()) + 300),
    "other issuer": lambda: _token(iss="https://login.other.example"),
    "other audience": lambda: _token(aud="payroll"),
    "no expiry": lambda: _token(leave_out="exp"),
    "no audience": lambda: _token(leave_out="aud"),
    "no subject": lambda: _token(leave_out="sub"),
    "no role": lambda: _token(leave_out="c360_role"),
    "unknown role": lambda: _token(c360_role="chief"),
    "agent without branch": lambda: _token(leave_out="c360_branch"),
    "branch of a wrong type": lambda: _token(c360_branch=["B001"]),
    "critical header": lambda: _token(header={"crit": ["x"], "x": 1}),
    "too long": lambda: _token(x="y" * 9000),
    "no token": lambda: "…",
    "empty": lambda: "",
}


@pytest.mark.parametrize("forge", FORGED.values(), ids=FORGED)
def test_token_is_refused(bearers: Bearers, forge: Callable[[], str]) -> None:
    with pytest.raises(NotAuthenticated):
        bearers.authenticate(forge())


def test_without_an_issuer_no_token_is_accepted(tmp_path: Path) -> None:
    with pytest.raises(NotAuthenticated):
        Bearers(load_settings(home=tmp_path), load_access()).authenticate(_token())


@pytest.mark.parametrize(
    "wrong", [{"oidc_issuer": ISSUER}, {"oidc_issuer": ISSUER, "oidc_audience": AUDIENCE, "oidc_keys": "http://x/jwks"}]
)
def test_half_of_the_settings_of_tokens_is_a_fault(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(ConfigurationError) as raised:
        Bearers(load_settings(home=tmp_path, **wrong), load_access())
    assert raised.value.code == "C360-185"


def test_key_and_token_together_are_refused(client, headers_of) -> None:
    answer = client.get("/v1/status", headers={**headers_of("analyst"), "Authorization": "Bearer x"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "C360-540")
