"""How a screen writes times: relative, local or UTC, as the operator chose; an offset wherever a clock stands."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo

from flowlatch.live.session import Session, TimeStyle
from flowlatch.ui.format import duration, exact_age, offset_of, short_stamp, stamp


class Times:
    """Times as one session writes them now."""

    def __init__(self, session: Session) -> None:
        self.style = session.time_style
        self.now = session.now()
        self.zone: tzinfo = UTC if self.style is TimeStyle.UTC else session.local_zone

    @property
    def offset(self) -> str:
        """The offset now, `+01` or `UTC`."""
        return offset_of(self.now.astimezone(self.zone))

    def short(self, moment: datetime | None) -> str:
        """Return a time for a list, in at most 14 cells."""
        if moment is None:
            return "-"
        if self.style is TimeStyle.RELATIVE:
            return exact_age(moment, self.now)
        return short_stamp(moment, self.now, self.zone)

    def whole(self, moment: datetime | None) -> str:
        """Return date, time and offset, and how long ago that is."""
        if moment is None:
            return "-"
        return f"{stamp(moment, self.zone)} ({exact_age(moment, self.now)})"

    def clock(self, moment: datetime) -> str:
        """Return the time of day with seconds, without offset: for bars and logs, whose head says the offset."""
        return f"{moment.astimezone(self.zone):%H:%M:%S}"

    def since(self, begin: datetime | None) -> Clock:
        """Return how log lines write their time: by the clock, or as seconds since `begin` in the relative style."""
        return Clock(self.zone, begin if self.style is TimeStyle.RELATIVE else None)


class Clock:
    """Writes times in eight cells; two of the same zone and begin are equal, so that nothing is drawn twice."""

    def __init__(self, zone: tzinfo, begin: datetime | None) -> None:
        self.zone, self.begin = zone, begin

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Clock) and (self.zone, self.begin) == (other.zone, other.begin)

    def __hash__(self) -> int:
        return hash((str(self.zone), self.begin))

    def __call__(self, moment: datetime) -> str:
        """Return the time of day, or how long after the begin it was."""
        if self.begin is None:
            return f"{moment.astimezone(self.zone):%H:%M:%S}"
        seconds = (moment - self.begin).total_seconds()
        return f"{'+' if seconds >= 0 else '-'}{duration(abs(seconds))}".rjust(8)
