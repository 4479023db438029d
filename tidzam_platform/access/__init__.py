"""Who may do what: roles, and the tokens that give them; shared by all processes (docs/tokens.md)."""

from tidzam_platform.access.bearer import MAX_SECRET_CHARACTERS, bearer_secret
from tidzam_platform.access.initial import INITIAL_FILE, make_initial_token
from tidzam_platform.access.roles import Role
from tidzam_platform.access.store import TokenStore
from tidzam_platform.access.tokens import Token

__all__ = [
    "INITIAL_FILE",
    "MAX_SECRET_CHARACTERS",
    "Role",
    "Token",
    "TokenStore",
    "bearer_secret",
    "make_initial_token",
]
