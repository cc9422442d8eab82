"""Faults of our own: logged whole under a number, told to the client as that number only. Source: contract.md §1.4."""

from __future__ import annotations

import contextlib
import logging
import secrets
from collections.abc import Iterator

from graphql import GraphQLError

from flowlatch.server.answers import Refused
from flowlatch.server.documents import DocumentRefused
from flowlatch.server.service import Service
from flowlatch.store.base import Refusal

logger = logging.getLogger(__name__)
_MEANT = (Refusal, Refused, DocumentRefused, GraphQLError)


class Fault(Exception):
    """Something that should not have happened did; the message holds nothing but the incident's number."""

    code = "INTERNAL_SERVER_ERROR"


@contextlib.contextmanager
def last_resort(service: Service, what: str) -> Iterator[None]:
    """Turn whatever is not meant to be raised into a `Fault`: a client must never see a 5xx for it."""
    try:
        yield
    except (Fault, *_MEANT, OSError):
        raise
    except Exception as error:
        incident = secrets.token_hex(4)
        service.faults += 1
        logger.error("incident %s in %s", incident, what, exc_info=error)
        raise Fault(f"internal error, incident {incident}") from error
