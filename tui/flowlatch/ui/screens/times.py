"""How a screen writes times: relative, local or UTC, as the operator chose; an offset wherever a clock stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from flowlatch.live.session import Session, TimeStyle
from flowlatch.ui.format import age, exact_age, offset_of, short_stamp, stamp


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
        """Return a time in at most 14 cells: how long ago in the relative style, else by the clock."""
        if moment is not None and self.style is TimeStyle.RELATIVE:
            return age(moment, self.now)
        return self.stamp(moment)

    def stamp(self, moment: datetime | None) -> str:
        """Return a time by the clock, whatever the style, in at most 14 cells, with its offset."""
        return short_stamp(moment, self.now, self.zone)

    def brief(self, moment: datetime | None) -> str:
        """Return a time of today without its offset, else like `stamp`: for lists whose head says the offset."""
        if moment is not None and moment.astimezone(self.zone).date() == self.now.astimezone(self.zone).date():
            return self.clock(moment)
        return self.stamp(moment)

    def whole(self, moment: datetime | None) -> str:
        """Return date, time and offset, and how long ago that is."""
        if moment is None:
            return "-"
        return f"{stamp(moment, self.zone)} ({exact_age(moment, self.now)})"

    @property
    def clock(self) -> Clock:
        """How bars and logs write a time: their head says the offset."""
        return Clock(self.zone)


@dataclass(frozen=True)
class Clock:
    """Writes the time of day in eight cells. Two of one zone are equal, so that nothing is drawn twice."""

    zone: tzinfo

    def __call__(self, moment: datetime) -> str:
        """Return `14:01:08`."""
        return f"{moment.astimezone(self.zone):%H:%M:%S}"
