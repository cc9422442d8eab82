"""The filter language of the list and of the commands: text → `RunQuery`, and back.

    state:failed since:2h flow:etl*        fields, all of which must hold
    -state:success -flow:test -retry       a leading - turns a condition around
    timeout                                free text: in run name, flow name or state message
    label:"a b" "two words"                quotes keep spaces together
    re:^load-\\d+                          a pattern for the rows already loaded; the server is not asked

`state:` takes a state's name or a family (failed, running, success, scheduled, pending, cancelled, late), several with
commas; `=Failed` is that state alone. `since:` and `until:` take `90s 30m 2h 7d 4w` back from now (`+2h` ahead), `now`,
`today`, `yesterday`, `tomorrow`, `14:00`, `2026-11-23`, `2026-11-23T14:00`, the last four in the operator's zone.
Case is ignored.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from flowlatch.model.query import RunQuery
from flowlatch.model.run import RunId
from flowlatch.model.state import Category, StateType, names_in

FIELDS = ("state", "flow", "label", "since", "until", "key", "id", "name")
FAMILIES: dict[str, tuple[str, ...]] = {
    "failed": tuple(names_in(Category.FAILED)),
    "running": tuple(names_in(Category.RUNNING)),
    "success": tuple(names_in(Category.SUCCESS)),
    "scheduled": tuple(names_in(Category.SCHEDULED)),
    "pending": tuple(names_in(Category.PENDING, Category.META)),
    "cancelled": tuple(names_in(Category.CANCELLED)),
}
"""Family → the state names it stands for. A state that is called like its family is written `=Failed`."""
LATE = "late"
TIME_FORMS = "2h, 30m, 7d, +1h, today, yesterday, 14:00, 2026-11-23 or 2026-11-23T14:00"
MAX_LENGTH = 2000
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_TOKEN = re.compile(r"""(?:"[^"]*"?|[^\s"])+""")
_FIELD = re.compile(rf"(-?)({'|'.join(FIELDS)}|re):(.*)", re.IGNORECASE | re.DOTALL)
_WORDLIKE = re.compile(r"(-?)([a-z]+):(.*)", re.IGNORECASE)


@dataclass(frozen=True)
class Parsed:
    """What a filter text means. What could not be read is left out of `query` and named in `problems`."""

    text: str
    query: RunQuery
    problems: list[str] = field(default_factory=list)
    local_regex: re.Pattern[str] | None = None
    """For the loaded rows only: matched against `flow / run message`."""
    is_relative: bool = False
    """True when the meaning moves with the clock (`since:2h`), so that it must be read again later."""


class _Reader:
    """Collects the conditions of one text."""

    def __init__(self, now: datetime, zone: tzinfo) -> None:
        self.now = now
        self.zone = zone
        self.values: dict[str, Any] = {}
        self.words: list[str] = []
        self.not_words: list[str] = []
        self.problems: list[str] = []
        self.regex: re.Pattern[str] | None = None
        self.is_relative = False

    def read(self, token: str) -> None:
        found = _FIELD.fullmatch(token)
        if not found:
            self._read_word(token)
            return
        is_not, name, value = bool(found[1]), found[2].lower(), _unquoted(found[3])
        if not value:
            self.problems.append(f"{name}: wants a value, e.g. {_EXAMPLES[name]}")
        elif name == "state":
            self._read_states(value, is_not)
        elif name in ("since", "until"):
            self._read_time(name, value, is_not)
        elif name == "re":
            self._read_regex(value, is_not)
        else:
            self._read_plain(name, value, is_not)

    def _read_word(self, token: str) -> None:
        unknown = _WORDLIKE.fullmatch(token)
        if unknown and not unknown[3].startswith("//"):
            close = difflib.get_close_matches(unknown[2].lower(), FIELDS, 1, 0.6)
            hint = f"; did you mean {close[0]}:" if close else ""
            self.problems.append(f"{unknown[2]}: is no field{hint}; fields: {' '.join(f'{name}:' for name in FIELDS)}")
            return
        if token.startswith("-") and len(token) > 1:
            self.not_words.append(_unquoted(token[1:]))
        else:
            self.words.append(_unquoted(token))

    def _read_states(self, value: str, is_not: bool) -> None:
        key = "not_states" if is_not else "states"
        for word in value.split(","):
            lower = word.strip().lower()
            if not lower:
                continue
            if lower == LATE:
                if is_not:
                    self.problems.append("-state:late cannot be asked; use -state:scheduled")
                else:
                    self.values["late"] = True
                continue
            is_exact = lower.startswith("=")
            names = FAMILIES.get(lower) or _state_names(lower.removeprefix("="))
            if not names and is_exact:
                names = (word.strip()[1:],)
            if not names:
                close = difflib.get_close_matches(lower, [*FAMILIES, LATE, *_BY_LOWER], 1, 0.8)
                if close:
                    self.problems.append(f"state:{word} is unknown; did you mean state:{close[0]}?")
                    continue
                names = (word.strip(),)
            known = self.values.get(key, ())
            self.values[key] = known + tuple(name for name in names if name not in known)

    def _read_time(self, name: str, value: str, is_not: bool) -> None:
        if is_not:
            self.problems.append(f"-{name}: cannot be turned around; use {'until' if name == 'since' else 'since'}:")
            return
        moment, is_relative = _moment(value.lower(), self.now, self.zone)
        if moment is None:
            self.problems.append(f"{name}:{value} is no time; wants {TIME_FORMS}")
            return
        self.values[name] = moment
        self.is_relative = self.is_relative or is_relative

    def _read_regex(self, value: str, is_not: bool) -> None:
        if is_not:
            self.problems.append("-re: cannot be turned around")
            return
        try:
            self.regex = re.compile(value, re.IGNORECASE)
        except (re.error, RecursionError, OverflowError) as error:
            self.problems.append(f"re:{value} is no pattern: {error}")

    def _read_plain(self, name: str, value: str, is_not: bool) -> None:
        if name == "label":
            key = "not_labels" if is_not else "labels"
            self.values[key] = (*self.values.get(key, ()), *(part for part in value.split(",") if part))
        elif name == "flow":
            self._set_once("not_flow" if is_not else "flow", value, name)
        elif is_not:
            self.problems.append(f"-{name}: cannot be turned around; - goes with state:, flow:, label: and text")
        elif name == "id":
            self._read_id(value)
        else:
            self._set_once(name, value, name)

    def _read_id(self, value: str) -> None:
        parts = tuple(part.strip().lower() for part in value.split(",") if part.strip())
        digits = [part.replace("-", "") for part in parts]
        if not parts or any(not re.fullmatch("[0-9a-f]{1,32}", part) for part in digits):
            self.problems.append(f"id:{value} wants the first digits (0-9 a-f) of a run id, or whole ids")
        elif len(parts) == 1 and len(digits[0]) < 32:
            self._set_once("id_prefix", parts[0], "id")
        elif all(len(part) == 32 for part in digits):
            self.values["ids"] = tuple(RunId(_uuid(part)) for part in digits)
        else:
            self.problems.append(f"id:{value} wants whole ids when there are several")

    def _set_once(self, key: str, value: str, name: str) -> None:
        if key in self.values:
            self.problems.append(f"{name}: is there twice; the first counts")
        else:
            self.values[key] = value

    def finish(self, text: str, base: RunQuery) -> Parsed:
        if self.words:
            self.values["text"] = " ".join(self.words)
        if self.not_words:
            self.values["not_text"] = self.not_words[0]
            if len(self.not_words) > 1:
                self.problems.append("only one text can be left out with -; the first counts")
        since, until = self.values.get("since"), self.values.get("until")
        if since and until and since >= until:
            self.problems.append("since: is not before until:, so nothing can match")
        query = replace(base, **self.values)
        return Parsed(text, query, self.problems, self.regex, self.is_relative)


_EXAMPLES = {
    "state": "state:failed",
    "flow": "flow:etl*",
    "label": "label:prod",
    "since": "since:2h",
    "until": "until:today",
    "key": "key:nightly-*",
    "id": "id:7c1f",
    "name": "name:amber*",
    "re": "re:^load",
}
_BY_LOWER = {str(kind).lower(): str(kind) for kind in StateType}


def parse_filter(text: str, now: datetime, *, zone: tzinfo = UTC, base: RunQuery | None = None) -> Parsed:
    """Return what a filter text means at `now` (aware); `base` gives order and page.

    Never raises: each condition that cannot be read is one line of `problems` and is left out.
    """
    reader = _Reader(now, zone)
    if len(text) > MAX_LENGTH:
        reader.problems.append(f"the filter is longer than {MAX_LENGTH} characters; the rest is left out")
    for token in _TOKEN.findall(text[:MAX_LENGTH]):
        reader.read(token)
    return reader.finish(text, base or RunQuery())


def format_filter(query: RunQuery, *, zone: tzinfo = UTC) -> str:
    """Return a filter text that means this query's conditions; families are written as one word."""
    parts = [_format_states(query.states, query.late), _format_states(query.not_states, False, "-")]
    if query.flow:
        parts.append(f"flow:{_quoted(query.flow)}")
    if query.not_flow:
        parts.append(f"-flow:{_quoted(query.not_flow)}")
    parts += [f"label:{_quoted(label)}" for label in query.labels]
    parts += [f"-label:{_quoted(label)}" for label in query.not_labels]
    for name, moment in (("since", query.since), ("until", query.until)):
        if moment:
            parts.append(f"{name}:{moment.astimezone(zone).replace(tzinfo=None).isoformat()}")
    if query.key:
        parts.append(f"key:{_quoted(query.key)}")
    if query.ids:
        parts.append(f"id:{','.join(query.ids)}")
    if query.id_prefix:
        parts.append(f"id:{query.id_prefix}")
    if query.name:
        parts.append(f"name:{_quoted(query.name)}")
    if query.not_text:
        parts.append(f"-{_quoted(query.not_text)}")
    if query.text:
        parts.append(_quoted(query.text))
    return " ".join(part for part in parts if part)


def with_states(text: str, states: str) -> str:
    """Return the filter text with its `state:` conditions replaced by `state:STATES`, or dropped when empty."""
    others = [token for token in _TOKEN.findall(text) if not re.match(r"-?state:", token, re.IGNORECASE)]
    return " ".join([f"state:{states}", *others] if states else others)


def _format_states(states: tuple[str, ...], late: bool, sign: str = "") -> str:
    rest = list(states)
    words: list[str] = []
    for family, names in FAMILIES.items():
        if names and all(name in rest for name in names):
            words.append(family)
            rest = [name for name in rest if name not in names]
    words += [f"={name}" if name.lower() in FAMILIES else name for name in rest] + ([LATE] if late else [])
    return f"{sign}state:{','.join(words)}" if words else ""


def _state_names(word: str) -> tuple[str, ...]:
    exact = _BY_LOWER.get(word.lower())
    return (exact,) if exact else ()


def _moment(value: str, now: datetime, zone: tzinfo) -> tuple[datetime | None, bool]:
    """Return the moment a word means and whether it moves with the clock; None when it cannot be read."""
    span = re.fullmatch(r"([+-]?)(\d{1,6})([smhdw])", value)
    if span:
        length = timedelta(seconds=int(span[2]) * _UNITS_S[span[3]])
        try:
            return (now + length if span[1] == "+" else now - length), True
        except OverflowError:
            return None, False
    local = now.astimezone(zone)
    days = {"today": 0, "yesterday": -1, "tomorrow": 1}
    if value == "now":
        return now, True
    if value in days:
        return _local(datetime.combine(local.date() + timedelta(days=days[value]), time()), zone), True
    hour = re.fullmatch(r"(\d{1,2}):(\d\d)", value)
    try:
        if hour:
            return _local(datetime.combine(local.date(), time(int(hour[1]), int(hour[2]))), zone), True
        written = datetime.fromisoformat(value.upper())
        return (_local(written, zone) if written.tzinfo is None else written.astimezone(UTC)), False
    except (ValueError, OverflowError):
        return None, False


def _local(naive: datetime, zone: tzinfo) -> datetime:
    return naive.replace(tzinfo=zone).astimezone(UTC)


def _uuid(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _unquoted(text: str) -> str:
    return text.replace('"', "")


def _quoted(text: str) -> str:
    text = text.replace('"', "")
    return f'"{text}"' if re.search(r"\s|^-|:", text) else text
