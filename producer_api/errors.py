"""Failures that only the API knows; the rest of the hierarchy is in `schemas.errors`."""

from typing import ClassVar

from schemas.errors import LeafError


class RequestError(LeafError):
    """The request itself is malformed."""

    status = 422
    kind = "request"
    title = "The request is malformed"


class EmptyBatchError(LeafError):
    """Not one file of a batch can be used."""

    status = 422
    kind = "empty-batch"
    title = "There is no photograph in the batch"


class BatchNotConfirmedError(LeafError):
    """No file of a batch is known to be stored, and some may be."""

    status = 503
    kind = "batch-not-confirmed"
    title = "Not confirmed by the broker"


class UnknownTaskError(LeafError):
    """No such id was ever given out by this service."""

    status = 404
    kind = "unknown-task"
    title = "There is no such task"


class ExpiredTaskError(LeafError):
    """The id is genuine, but results are not kept that long."""

    status = 410
    kind = "expired"
    title = "The result has expired"


class UnauthenticatedError(LeafError):
    """A key is needed and the right one was not given."""

    status = 401
    kind = "unauthenticated"
    title = "A key is needed"


class ForbiddenError(LeafError):
    """A key is needed, and this service has none: nobody may do this."""

    status = 403
    kind = "forbidden"
    title = "Closed to everybody"


class SlowUploadError(LeafError):
    """The client took too long to send its body."""

    status = 408
    kind = "slow-upload"
    title = "The upload took too long"


class OverloadedError(LeafError):
    """More is coming in than is being worked off; nothing was accepted."""

    status = 503
    kind = "overloaded"
    title = "Busy just now"
    retry_after: ClassVar[int] = 2


class BacklogError(OverloadedError):
    """Photographs already accepted wait too long for their diagnosis."""

    kind = "backlog"
    title = "Too many photographs are waiting"
    retry_after: ClassVar[int] = 15


class SilentWorkersError(LeafError):
    """There are workers, and none says whether it can load a model; nothing was changed."""

    status = 503
    kind = "silent-workers"
    title = "The workers do not answer"


class UnknownExperimentError(LeafError):
    """No experiment of that name ever took effect."""

    status = 404
    kind = "unknown-experiment"
    title = "There is no such experiment"


class UnknownRunError(LeafError):
    """No replay of that name was ever defined."""

    status = 404
    kind = "unknown-run"
    title = "There is no such run"


class DefinitionError(LeafError):
    """An experiment's definition is contradictory, or names a model that is not there; nothing was changed."""

    status = 422
    kind = "definition"
    title = "The definition can't be used"


class ConflictError(LeafError):
    """The change contradicts what is in force; nothing was changed."""

    status = 409
    kind = "conflict"
    title = "Not while another experiment is in force"
