"""
Who may connect: optional access tokens, from a file of ``token principal`` lines.

A principal is whoever a session belongs to (rule P-4); several tokens may name
the same one, so that a token can be exchanged without losing sessions. Neither
tokens nor anything that tells their content is kept in a form that could reach
a log: an error names the line, not what stands on it.
"""

from __future__ import annotations

import hashlib
import secrets
from pathlib import Path
from typing import Final

from streamer.errors import ConfigError

MIN_TOKEN_CHARACTERS: Final = 8

# Lookups compare digests under a key that no client knows, so the time that a
# lookup takes tells nothing about how much of a guessed token was right.
_DIGEST_KEY: Final = secrets.token_bytes(32)

TokenDigest = bytes


def digest_token(token: str) -> TokenDigest:
    """Return what stands for ``token`` in this process; it says nothing about the token."""
    return hashlib.blake2b(token.encode("utf-8", "surrogatepass"), key=_DIGEST_KEY).digest()


class AccessList:
    """
    The tokens that are valid, and whose they are.

    Args:
        principals: The principal of each token, by the token's digest.

    """

    def __init__(self, principals: dict[TokenDigest, str]) -> None:
        self._principals = principals

    @classmethod
    def load(cls, path: Path) -> AccessList:
        """
        Read a file of tokens.

        Each line holds a token, blanks, and a principal, which may contain
        blanks too; empty lines and lines that begin with ``#`` count nothing.

        Raises:
            ConfigError: If the file cannot be read, or a line is unusable.

        """
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except (OSError, UnicodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise ConfigError(f"{path}: the tokens cannot be read ({reason})") from error
        principals: dict[TokenDigest, str] = {}
        for number, line in enumerate(lines, 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            token, _, principal = line.strip().partition(" ")
            principal = principal.strip()
            if not principal:
                raise ConfigError(
                    f"{path}, line {number}: found one word; expected a token and a principal"
                )
            if len(token) < MIN_TOKEN_CHARACTERS:
                raise ConfigError(
                    f"{path}, line {number}: found a token of {len(token)} characters; "
                    f"expected {MIN_TOKEN_CHARACTERS} or more"
                )
            digest = digest_token(token)
            if principals.setdefault(digest, principal) != principal:
                raise ConfigError(
                    f"{path}, line {number}: found a token that an earlier line gives "
                    "to another principal; expected each token once"
                )
        return cls(principals)

    def principal(self, digest: TokenDigest) -> str | None:
        """Return whose token it is, or None if it is not valid."""
        return self._principals.get(digest)

    def __len__(self) -> int:
        return len(self._principals)
