"""Who may change things: whoever knows the admin key."""

import hmac
from typing import Annotated

from fastapi import Depends
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from producer_api.errors import ForbiddenError
from producer_api.services import ServicesHere

bearer = HTTPBearer(auto_error=False, description="The admin key, LEAF_API_ADMIN_KEY.")


async def require_admin(
    services: ServicesHere, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> None:
    """Let pass who sends `Authorization: Bearer <admin key>`. Raises ForbiddenError; always, where no key is set."""
    key = services.settings.admin_key
    if key is None:
        msg = "this service has no admin key, so nothing can be changed through it"
        raise ForbiddenError(msg, "Set LEAF_API_ADMIN_KEY (16 characters or more) and start it again.")
    if given is None or not hmac.compare_digest(given.credentials.encode(), key.get_secret_value().encode()):
        msg = "the admin key is missing" if given is None else "the admin key is not the right one"
        raise ForbiddenError(msg, "Send it as `Authorization: Bearer <key>`.")
