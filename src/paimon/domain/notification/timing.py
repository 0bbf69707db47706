"""When a message may be sent: a person's quiet hours, and the hour of the daily digest. No critical event ever waits."""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from paimon.domain.notification.message import MessageLanguage
from paimon.domain.risk.risk_event import Severity


@dataclass(frozen=True, slots=True)
class QuietHours:
    """Hours of each day, in a time zone, in which a person gets no warning. They may pass midnight; equal ends are none."""

    start: time
    end: time
    zone: str = "UTC"

    def end_after(self, now: datetime) -> datetime | None:
        """Return the end of the quiet hours that `now` is in, or None outside of them."""
        local = now.astimezone(ZoneInfo(self.zone))
        clock = local.time().replace(tzinfo=None)
        passes_midnight = self.start > self.end
        is_quiet = (clock >= self.start or clock < self.end) if passes_midnight else self.start <= clock < self.end
        if not is_quiet:
            return None
        day = local.date() + timedelta(days=1 if passes_midnight and clock >= self.start else 0)
        return datetime.combine(day, self.end, tzinfo=ZoneInfo(self.zone)).astimezone(now.tzinfo)


@dataclass(frozen=True, slots=True)
class Preferences:
    """What a person chose for the messages on their own channels."""

    language: MessageLanguage | None = None
    severity_min: Severity = Severity.WARNING
    quiet_hours: QuietHours | None = None


def due_at(severity: Severity, *, now: datetime, quiet_hours: QuietHours | None, digest_at: time | None) -> datetime:
    """Return when an event may be told: now, at the end of quiet hours, or with the next digest (a UTC time of day)."""
    if severity is Severity.CRITICAL:
        return now
    due = now
    if digest_at is not None:
        today = datetime.combine(now.date(), digest_at, tzinfo=now.tzinfo)
        due = today if now < today else today + timedelta(days=1)
    return (quiet_hours.end_after(due) or due) if quiet_hours else due
