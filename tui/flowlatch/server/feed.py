"""Live changes from the store to everybody who follows: read once for each distinct question, sent to each follower.

A commit wakes the groups; each group reads the rows of what changed with one statement, writes one message, and puts it
into the queue of every follower. What comes while a group is reading is told with its next message. A follower that
does not keep up is told to load anew. Source: design.md §9.
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections import deque
from dataclasses import dataclass, replace

import orjson
from graphql import VariableNode

from flowlatch.server import changes
from flowlatch.server.changes import wanted_ids
from flowlatch.server.execute import Asked
from flowlatch.server.schema import schema
from flowlatch.server.selection import Field, Request
from flowlatch.server.service import Service
from flowlatch.store.base import Change, Refusal

QUEUED_CHANGES = 1_000
"""Changes that may wait for one follower; more, and it is told to load anew."""
logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Question:
    """What a subscription asks of each batch of changes."""

    request: Request
    field: Field
    ids: frozenset[str] | None
    """The runs it is about; None = all."""
    key: tuple[str, str, str]
    """Equal for questions with equal answers: document, variables but the cursor, operation name."""


@dataclass(frozen=True)
class Message:
    """A finished value of `payload`, and the place in the sequence of changes that it reaches."""

    seq: int
    changes: int
    payload: str
    is_resync: bool = False


def question_of(asked: Asked, query: str) -> Question:
    """Return the question of a subscription. Raises `Refusal` for ids that are none."""
    subscription = schema().subscription_type
    assert subscription is not None
    if len(asked.fields) != 1:
        raise Refusal("BAD_USER_INPUT", "a subscription asks for one field")
    field = asked.fields[0]
    ids = wanted_ids(asked.request.arguments(subscription, field))
    variables = {
        name: value for name, value in asked.request.raw_variables.items() if name != _only_since(field, query)
    }
    told = json.dumps(variables, sort_keys=True, default=str)
    return Question(
        asked.request, field, ids, (query, told, asked.operation.name.value if asked.operation.name else "")
    )


def _only_since(field: Field, query: str) -> str | None:
    """Return the variable that says where to begin, if that is all it does: it does not change what is told."""
    for argument in field.nodes[0].arguments or ():
        if argument.name.value == "since" and isinstance(argument.value, VariableNode):
            name = argument.value.name.value
            return name if len(re.findall(rf"\${name}\b", query)) == 2 else None
    return None


class Follower:
    """The receiving end of one subscription: messages in order, or one order to load anew."""

    def __init__(self) -> None:
        self._queue: deque[Message] = deque()
        self._waiting = 0
        self._resync: Message | None = None
        self._news = asyncio.Event()
        self._is_ended = False

    def put(self, message: Message, resync: Message) -> None:
        """Add a message; `resync` takes the place of all that wait once they are too many."""
        self._waiting += message.changes
        if self._waiting > QUEUED_CHANGES:
            self.overflow(resync)
        else:
            self._queue.append(message)
            self._news.set()

    def overflow(self, resync: Message) -> None:
        """Drop what waits and tell the follower to load anew."""
        self._queue.clear()
        self._waiting = 0
        self._resync = resync
        self._news.set()

    def end(self) -> None:
        """Let `get` return None from now on: the group cannot go on."""
        self._is_ended = True
        self._news.set()

    async def get(self) -> Message | None:
        """Return the next message, None when there will be none."""
        while not self._queue and self._resync is None:
            if self._is_ended:
                return None
            self._news.clear()
            await self._news.wait()
        if self._resync is not None:
            message, self._resync = self._resync, None
            return message
        message = self._queue.popleft()
        self._waiting -= message.changes
        return message


class Group:
    """All followers with the same question."""

    def __init__(self, service: Service, question: Question) -> None:
        self.followers: set[Follower] = set()
        self._service = service
        self._question = question
        self._pending: dict[str, Change] = {}
        self._has_gap = False
        self._news = asyncio.Event()
        self._task = asyncio.create_task(self._run())
        self._task.add_done_callback(self._ended)

    @property
    def is_over(self) -> bool:
        """True when the group reads no more."""
        return self._task.done()

    def add(self, changed: list[Change]) -> None:
        """Take the changes of one commit, those the question is about."""
        ids = self._question.ids
        for change in changed:
            if ids is None or change.run_id in ids:
                before = self._pending.pop(change.run_id, None)
                is_new = before is not None and before.kind == "added" and change.kind == "updated"
                self._pending[change.run_id] = replace(change, kind="added") if is_new else change
        if self._pending:
            self._news.set()

    def miss(self) -> None:
        """Tell everybody to load anew: there were changes that are not known any more."""
        self._has_gap = True
        self._news.set()

    def close(self) -> None:
        """Read no more."""
        self._task.cancel()

    async def _run(self) -> None:
        while True:
            await self._news.wait()
            self._news.clear()
            pending, self._pending = list(self._pending.values()), {}
            has_gap, self._has_gap = self._has_gap, False
            seq = await self._service.store.last_seq() if has_gap else max(change.seq for change in pending)
            resync = await message(self._service, self._question, seq, [], resync=True)
            try:
                if has_gap or len(pending) > QUEUED_CHANGES:
                    raise Refusal("LIMIT", "more changes at once than a follower takes")
                told = await message(self._service, self._question, seq, pending)
            except Refusal:
                for follower in self.followers:
                    follower.overflow(resync)
            else:
                for follower in self.followers:
                    follower.put(told, resync)

    def _ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            logger.error("live changes of one question ended", exc_info=error)
        for follower in self.followers:
            follower.end()


class Feed:
    """Everybody who follows, grouped by question."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._groups: dict[tuple[str, str, str], Group] = {}
        self.closing = asyncio.Event()
        """Set when the server stops: every websocket ends then."""
        self.sockets = 0
        self.subscriptions = 0
        service.store.on_commit(self._committed)
        service.store.on_silence(self._silent)

    def _committed(self, changed: list[Change] | None) -> None:
        for group in self._groups.values():
            if changed is None:
                group.miss()
            else:
                group.add(changed)

    def _silent(self) -> None:
        """End everything that is followed: an open connection would say that nothing happens."""
        for group in self._groups.values():
            group.close()
        self._groups.clear()

    def join(self, question: Question) -> Follower:
        """Return a follower of a question: it gets every change committed from now on."""
        group = self._groups.get(question.key)
        if group is None or group.is_over:
            group = self._groups[question.key] = Group(self._service, question)
        follower = Follower()
        group.followers.add(follower)
        self.subscriptions += 1
        return follower

    def leave(self, question: Question, follower: Follower) -> None:
        """Take a follower out; a group without one reads no more."""
        self.subscriptions -= 1
        group = self._groups.get(question.key)
        if group is None:
            return
        group.followers.discard(follower)
        if not group.followers:
            group.close()
            del self._groups[question.key]

    def close(self) -> None:
        """End all websockets."""
        self.closing.set()


async def message(
    service: Service, question: Question, seq: int, changed: list[Change], *, resync: bool = False
) -> Message:
    """Return what tells changes up to `seq`. Raises `Refusal` when their rows are too large to read."""
    value = await changes.told(service, question.request, question.field, seq, changed, resync=resync)
    payload = orjson.dumps({"data": {question.field.key: value}})
    return Message(seq, max(len(changed), 1), payload.decode(), resync)
