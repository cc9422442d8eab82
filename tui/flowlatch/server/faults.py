"""Faults of our own: logged whole under a number, told to the client as that number only. Source: contract.md §1.4."""

from __future__ import annotations

import logging
import secrets
from types import TracebackType

from graphql import GraphQLError

from flowlatch.server.answers import Refused
from flowlatch.server.documents import DocumentRefused
from flowlatch.server.service import Service
from flowlatch.store.base import Refusal

logger = logging.getLogger(__name__)


class Fault(Exception):
    """Something that should not have happened did; the message holds nothing but the incident's number."""

    code = "INTERNAL_SERVER_ERROR"


_MEANT = (Fault, Refusal, Refused, DocumentRefused, GraphQLError, OSError)


class last_resort:  # noqa: N801 - used as the function it could be, at a quarter of the cost
    """Turn whatever is not meant to be raised in a `with` into a `Fault`: a client must never see a 5xx for it."""

    __slots__ = ("_service", "_what")

    def __init__(self, service: Service, what: str) -> None:
        self._service = service
        self._what = what

    def __enter__(self) -> None:
        pass

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        if not isinstance(error, Exception) or isinstance(error, _MEANT):
            return
        incident = secrets.token_hex(4)
        self._service.faults += 1
        logger.error("incident %s in %s", incident, self._what, exc_info=error)
        raise Fault(f"internal error, incident {incident}") from error
