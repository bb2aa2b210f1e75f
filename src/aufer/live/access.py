"""Who may connect: this machine anybody, others only with the token."""

from __future__ import annotations

import hmac
import ipaddress
import json
import shlex

from aufer.errors import UsageError

LONGEST_TOKEN_LINE = 1024
"""Bytes, line feed included."""

TOKEN_PATIENCE_S = 5.0
"""How long a client may take for its token line."""

WRONG_TOKEN = "wrong token"  # noqa: S105 - what is said, no secret
LATE_TOKEN = "no token came"  # noqa: S105
TOKEN_ERRORS = (WRONG_TOKEN, LATE_TOKEN)
"""What the ``error`` says that a client without the right token gets."""


def is_loopback(host: str) -> bool:
    """Whether an address is only reached from this machine: 127.0.0.0/8, ::1, localhost."""
    name = host.strip("[]").lower()
    if name == "localhost":
        return True
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def check_access(host: str, token: str | None) -> None:
    """Refuse to listen beyond this machine without a token, and tokens that can't be sent.

    Raises:
        UsageError: it says what to type.
    """
    if token is not None:
        if not token.strip():
            raise UsageError("The token is empty.", hint=f"--token {_example()}")
        if len(token_line(token)) > LONGEST_TOKEN_LINE:
            raise UsageError(
                f"The token is too long: its line has more than {LONGEST_TOKEN_LINE} bytes.",
                hint=f"--token {_example()}",
            )
    if token is None and not is_loopback(host):
        raise UsageError(
            f"{host or 'every address'} is reached from other machines too: that needs a token, "
            "which each client sends first.",
            hint=f"--host {shlex.quote(host)} --token {_example()}   or: --host 127.0.0.1",
        )


def token_line(token: str) -> bytes:
    """What a client sends first: ``{"token": "…"}`` and a line feed."""
    return json.dumps({"token": token}).encode("ascii") + b"\n"


def check_token_line(line: bytes | str, token: str) -> bool:
    """Whether a client's first line has the token; never raises for what a client may send."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):  # also what is no UTF-8
        return False
    given = found.get("token") if isinstance(found, dict) else None
    return isinstance(given, str) and is_token(given, token)


def is_token(given: str, token: str) -> bool:
    """Whether they are equal; it takes as long whatever was given."""
    return hmac.compare_digest(
        given.encode("utf-8", "surrogatepass"), token.encode("utf-8", "surrogatepass")
    )


def _example() -> str:
    """Another one each time: an example of a secret gets used."""
    import secrets

    return secrets.token_hex(12)
