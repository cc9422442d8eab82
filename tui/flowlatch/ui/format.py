"""How values look: state → glyph and style, durations, ages, clocks, counts, foreign text. Pure.

Every state has a word, an ASCII glyph one cell wide, and a theme variable `$state-…`; colour alone says nothing.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from rich.cells import cell_len, set_cell_size
from rich.text import Text
from textual.content import Content

from flowlatch.model.run import FlowRun
from flowlatch.model.stamps import offset_of as offset_of
from flowlatch.model.stamps import short_stamp as short_stamp
from flowlatch.model.state import Category, category_of
from flowlatch.text import CELL_LIMIT, clean, one_line

LATE = "late"
GLYPHS: dict[str, str] = {
    Category.FAILED: "x",
    LATE: "!",
    Category.RUNNING: ">",
    Category.SCHEDULED: ".",
    Category.PENDING: ".",
    Category.SUCCESS: "+",
    Category.CANCELLED: "~",
    Category.META: "o",
    Category.UNKNOWN: "?",
}
"""Style name (a category, or `late`) → glyph."""
LEVEL_CELLS = 5
_SHORT_LEVELS = {"WARNING": "WARN", "CRITICAL": "CRIT"}
"""How levels of the log are written; search still finds the whole words."""
STYLE_NAMES = tuple(GLYPHS)


def style_name(state: str, *, is_late: bool = False, category: Category | None = None) -> str:
    """Return what decides glyph and colour: the state's category, or `late`. Its theme variable is `$state-NAME`.

    `category` is to be given where it is known; else it is told by the name.
    """
    return LATE if is_late else str(category or category_of(state))


def glyph(state: str, *, is_late: bool = False, category: Category | None = None) -> str:
    """Return the glyph of a state name."""
    return GLYPHS[style_name(state, is_late=is_late, category=category)]


def state_label(state: str, *, is_late: bool = False, category: Category | None = None) -> str:
    """Return glyph and word, clean: `x Failed`. A late run is shown as `! Late`, whatever waiting state it is in."""
    word = "Late" if is_late else one_line(state, 40) or "(no state)"
    return f"{glyph(state, is_late=is_late, category=category)} {word}"


def state_content(state: str, *, is_late: bool = False, category: Category | None = None) -> Content:
    """Return `state_label` in its theme colour, for Static and its kin."""
    look = style_name(state, is_late=is_late, category=category)
    return Content.styled(state_label(state, is_late=is_late, category=category), f"$state-{look}")


def state_text(state: str, *, is_late: bool = False, style: str = "") -> Text:
    """Return `state_label` as Text for tables and trees, which know no theme variables: pass a resolved `style`."""
    return Text(state_label(state, is_late=is_late), style)


def foreign(text: object, limit: int = CELL_LIMIT, *, style: str = "", multiline: bool = False) -> Text:
    """Return foreign text as `Text`, safe to show: cleaned, cut, never read as markup."""
    return Text(clean(text, limit, multiline=True) if multiline else one_line(text, limit), style)


def foreign_content(text: object, limit: int = CELL_LIMIT, *, style: str = "", multiline: bool = False) -> Content:
    """Return foreign text as `Content`, safe to show, for Static, Label, Button and their kin."""
    plain = clean(text, limit, multiline=True) if multiline else one_line(text, limit)
    return Content.styled(plain, style) if style else Content(plain)


def fit(text: str, width: int, *, right: bool = False) -> str:
    """Return clean one-line text in exactly `width` cells: cut with `…` or filled with spaces."""
    if width <= 0:
        return ""
    if text.isascii():
        if len(text) > width:
            return text[: width - 1] + "…"
        return text.rjust(width) if right else text.ljust(width)
    cells = cell_len(text)
    if cells > width:
        return set_cell_size(set_cell_size(text, width - 1).rstrip() + "…", width)
    return " " * (width - cells) + text if right else text + " " * (width - cells)


def log_level(word: str) -> str:
    """Return the word of a log level in `LEVEL_CELLS` cells."""
    return fit(_SHORT_LEVELS.get(word.upper(), one_line(word, 20)), LEVEL_CELLS)


def duration(seconds: float | timedelta | None) -> str:
    """Return a length of time in at most six cells: `41s`, `1m12s`, `2h05m`, `3d04h`; `-` for None."""
    if seconds is None:
        return "-"
    total = int(max(seconds.total_seconds() if isinstance(seconds, timedelta) else seconds, 0))
    if total < 60:
        return f"{total}s"
    minutes, rest = divmod(total, 60)
    if minutes < 60:
        return f"{minutes}m{rest:02}s"
    hours, minutes = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minutes:02}m"
    days, hours = divmod(hours, 24)
    return f"{days}d{hours:02}h" if days < 1000 else f"{days}d"


def rough(seconds: float) -> str:
    """Return a length of time in one unit, cut down: `now` is left to the caller; `40s`, `12m`, `3h`, `9d`, `2y`."""
    total = int(max(seconds, 0))
    for limit, unit, name in ((60, 1, "s"), (3600, 60, "m"), (86400, 3600, "h"), (86400 * 365, 86400, "d")):
        if total < limit:
            return f"{total // unit}{name}"
    return f"{total // (86400 * 365)}y"


def age(then: datetime, now: datetime) -> str:
    """Return how long ago or ahead: `2m ago`, `in 12m`, `<1m ago` within the minute. It changes once a minute."""
    seconds = (now - then).total_seconds()
    if -60 < seconds < 60:
        return "<1m ago" if seconds >= 0 else "in <1m"
    return f"{rough(seconds)} ago" if seconds > 0 else f"in {rough(-seconds)}"


def exact_age(then: datetime, now: datetime) -> str:
    """Return how long ago or ahead with seconds: `9s ago`, `in 16h56m`."""
    seconds = (now - then).total_seconds()
    return f"{duration(seconds)} ago" if seconds >= 0 else f"in {duration(-seconds)}"


def clock(moment: datetime, zone: tzinfo, *, seconds: bool = False) -> str:
    """Return a time of day with its offset: `14:03 +01`."""
    local = moment.astimezone(zone)
    return f"{local:%H:%M:%S} {offset_of(local)}" if seconds else f"{local:%H:%M} {offset_of(local)}"


def stamp(moment: datetime | None, zone: tzinfo = UTC) -> str:
    """Return date and time with its offset: `2026-11-23 14:00:00 +01`; `-` for None."""
    if moment is None:
        return "-"
    local = moment.astimezone(zone)
    return f"{local:%Y-%m-%d %H:%M:%S} {offset_of(local)}"


def start_stamp(moment: datetime, zone: tzinfo) -> str:
    """Return when something shall start: `2026-11-23 14:00 +01`, with seconds where there are some."""
    local = moment.astimezone(zone)
    seconds = f":{local:%S}" if local.second else ""
    return f"{local:%Y-%m-%d %H:%M}{seconds} {offset_of(local)}"


def count(number: int, *, is_exact: bool = True) -> str:
    """Return a number of runs, short: `1204`, `120k`, `1.2M`; with `+` when there may be more."""
    if number < 100_000:
        text = str(number)
    elif number < 1_000_000:
        text = f"{number // 1000}k"
    else:
        text = f"{number / 1_000_000:.1f}M"
    return text if is_exact else f"{text}+"


def run_title(run: FlowRun) -> str:
    """Return `flow / run`, clean."""
    return f"{one_line(run.flow_name, 100) or '?'} / {one_line(run.name, 100) or run.id[:8]}"


def run_duration_s(run: FlowRun, now: datetime) -> float | None:
    """Return how long a run took, or has been running; None when it never started."""
    if run.start_time is None:
        return None
    end = run.end_time or (run.state_timestamp if run.is_finished else now) or now
    return max((end - run.start_time).total_seconds(), 0.0)
