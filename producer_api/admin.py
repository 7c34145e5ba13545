"""Who may change things: whoever knows the admin key."""

import hmac
from collections.abc import Iterable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from producer_api.errors import ForbiddenError, UnauthenticatedError
from producer_api.services import Services, ServicesHere

bearer = HTTPBearer(auto_error=False, description="The admin key, LEAF_API_ADMIN_KEY.")


Given = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]


async def is_admin(request: Request, services: ServicesHere) -> bool:
    """Whether the request has the admin key: for answers that show less to others."""
    return _is_right(services, await bearer(request))


async def require_admin(services: ServicesHere, given: Given) -> None:
    """Let pass who sends `Authorization: Bearer <admin key>`.

    Raises UnauthenticatedError without the right one, and ForbiddenError where no key is set: nobody is let pass then.
    """
    if services.settings.admin_key is None:
        msg = "this service has no admin key, so nothing can be changed through it"
        raise ForbiddenError(msg, "Set LEAF_API_ADMIN_KEY (16 characters or more) and start it again.")
    if not _is_right(services, given):
        msg = "the admin key is missing" if given is None else "the admin key is not the right one"
        raise UnauthenticatedError(msg, "Send it as `Authorization: Bearer <key>`.")


def _is_right(services: Services, given: HTTPAuthorizationCredentials | None) -> bool:
    key = services.settings.admin_key
    if key is None or given is None:
        return False
    return hmac.compare_digest(given.credentials.encode(), key.get_secret_value().encode())


def anonymous(cameras: Iterable[str]) -> list[str]:
    """What cameras are called where their names are not shown."""
    return [f"camera {number}" for number, _ in enumerate(cameras, 1)]
