"""Routes, quiet hours, grouping, texts and pauses of notifications."""

import itertools
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.paths import DEPLOY, DOCS

from paimon.domain.notification import templates
from paimon.domain.notification.grouping import CONSEQUENCES, Bundle, ChannelLoad, bundle
from paimon.domain.notification.message import PAUSE_MAX, MessageLanguage, Notice, Occasion, next_pause
from paimon.domain.notification.routes import Escalation, Route, channels_of, due_steps, escalations_of, next_step_at
from paimon.domain.notification.templates import KIND_NAMES, describe, describe_end, describe_test
from paimon.domain.notification.timing import QuietHours, due_at
from paimon.domain.risk.risk_event import CheckStamp, Finding, RiskEvent, RiskKind, Severity, open_event
from paimon.settings import SettingsError
from paimon.settings.notification_file import read_notification_file

pytestmark = pytest.mark.unit

NOW = datetime(2026, 3, 2, 23, 30, tzinfo=UTC)
IDLE = ChannelLoad(0, None)
_ids = itertools.count(1)


def event(kind: RiskKind = RiskKind.LOW_GAS, severity: Severity = Severity.WARNING, subject: str = "s") -> RiskEvent:
    return open_event(next(_ids), Finding(kind, subject, "1", "2", severity), CheckStamp(NOW, 7))


def notice(kind: RiskKind = RiskKind.LOW_GAS, severity: Severity = Severity.WARNING) -> Notice:
    return Notice(event(kind, severity), Occasion.OPENED, severity)


def finding(severity: Severity, kind: RiskKind = RiskKind.LOW_GAS) -> Finding:
    return Finding(kind, "s", "1", "2", severity)


NOTICES = st.lists(st.builds(notice, st.sampled_from(RiskKind), st.sampled_from(Severity)), max_size=60)


@given(NOTICES, st.integers(0, 12), st.booleans(), st.integers(2, 10))
def test_every_event_is_in_at_most_one_message_and_none_is_lost_when_a_group_is_due(
    notices: Sequence[Notice], recent: int, grouped_lately: bool, messages_max: int
) -> None:
    load = ChannelLoad(recent, NOW - timedelta(seconds=30) if grouped_lately else None)
    causes = [each.event for each in notices if each.event.finding.kind in CONSEQUENCES]
    bundles = bundle(notices, causes, load, now=NOW, messages_max=messages_max)
    told = [each.event.id for bundled in bundles for each in bundled.notices]
    assert len(told) == len(set(told))
    if not grouped_lately:
        assert set(told) == {each.event.id for each in notices}
    levels = [each for each in bundles if _is_critical_level(each)]
    assert {each.notices[0].event.id for each in levels} == {
        each.event.id
        for each in notices
        if each.event.finding.kind is RiskKind.RISK_LEVEL and each.event.finding.severity is Severity.CRITICAL
    }
    assert len(bundles) - len(levels) <= max(messages_max - recent, 1)


def _is_critical_level(bundled: Bundle) -> bool:
    finding = bundled.notices[0].event.finding
    return not bundled.is_group and finding.kind is RiskKind.RISK_LEVEL and finding.severity is Severity.CRITICAL


def test_critical_events_are_told_before_warnings_when_there_is_room_for_few() -> None:
    notices = [*(notice() for _ in range(20)), notice(severity=Severity.CRITICAL)]
    first, *_, last = bundle(notices, (), IDLE, now=NOW, messages_max=3)
    assert first.notices[0].event.finding.severity is Severity.CRITICAL
    assert last.is_group
    assert len(last.notices) == 19


def test_more_severe_consequence_is_not_muted_by_its_cause() -> None:
    cause, worse = event(RiskKind.CHAIN_BEHIND), notice(RiskKind.EFFECT_UNKNOWN, Severity.CRITICAL)
    (found,) = bundle([worse], [cause], IDLE, now=NOW, messages_max=10)
    assert not found.is_group


def test_told_at_once_wins_over_the_digest_and_each_channel_is_named_once() -> None:
    digest = Route(frozenset(Severity), ("a", "b"), in_digest=True)
    at_once = Route(frozenset({Severity.CRITICAL}), ("b",))
    critical = {routed.channel: routed.in_digest for routed in channels_of([digest, at_once], finding(Severity.CRITICAL))}
    assert critical == {"a": True, "b": False}
    assert len(channels_of([digest, at_once], finding(Severity.WARNING))) == 2
    other = Route(frozenset(Severity), ("c",), kinds=frozenset({RiskKind.RISK_LEVEL}))
    assert channels_of([other], finding(Severity.CRITICAL)) == []


@pytest.mark.parametrize(("minutes", "done", "expected"), [(4, 0, []), (5, 0, [5]), (30, 0, [5, 15, 30]), (30, 15, [30])])
def test_escalations_are_due_at_their_time_each_once(minutes: int, done: int, expected: list[int]) -> None:
    steps = [Escalation(timedelta(minutes=after), ("a",)) for after in (15, 5, 30)]
    ordered = escalations_of([Route(frozenset(Severity), ("a",), escalations=tuple(steps))], finding(Severity.WARNING))
    now = NOW + timedelta(minutes=minutes)
    found = due_steps(ordered, since=NOW, done=timedelta(minutes=done), now=now)
    assert [step.after / timedelta(minutes=1) for step in found] == expected
    left = [step.after for step in ordered if step.after > timedelta(minutes=minutes)]
    assert next_step_at(ordered, since=NOW, now=now) == (NOW + left[0] if left else None)


@pytest.mark.parametrize(
    ("hours", "clock", "expected"),
    [
        (QuietHours(time(22), time(7)), datetime(2026, 3, 2, 21, 59, tzinfo=UTC), None),
        (QuietHours(time(22), time(7)), datetime(2026, 3, 2, 22, 0, tzinfo=UTC), datetime(2026, 3, 3, 7, tzinfo=UTC)),
        (QuietHours(time(22), time(7)), datetime(2026, 3, 3, 6, 59, tzinfo=UTC), datetime(2026, 3, 3, 7, tzinfo=UTC)),
        (QuietHours(time(22), time(7)), datetime(2026, 3, 3, 7, 0, tzinfo=UTC), None),
        (QuietHours(time(12), time(13)), datetime(2026, 3, 3, 12, 30, tzinfo=UTC), datetime(2026, 3, 3, 13, tzinfo=UTC)),
        (QuietHours(time(8), time(8)), datetime(2026, 3, 3, 8, tzinfo=UTC), None),
        (
            QuietHours(time(22), time(7), "Asia/Shanghai"),
            datetime(2026, 3, 2, 15, tzinfo=UTC),
            datetime(2026, 3, 2, 23, tzinfo=UTC),
        ),
        (  # the night in which the clocks go forward
            QuietHours(time(23), time(6), "Europe/Berlin"),
            datetime(2026, 3, 28, 23, tzinfo=UTC),
            datetime(2026, 3, 29, 4, tzinfo=UTC),
        ),
    ],
)
def test_quiet_hours_end_at_their_hour_in_the_persons_zone(
    hours: QuietHours, clock: datetime, expected: datetime | None
) -> None:
    assert hours.end_after(clock) == expected


def test_only_warnings_wait_for_quiet_hours_and_the_digest() -> None:
    quiet = QuietHours(time(22), time(7))
    assert due_at(Severity.CRITICAL, now=NOW, quiet_hours=quiet, digest_at=time(8)) == NOW
    assert due_at(Severity.WARNING, now=NOW, quiet_hours=quiet, digest_at=None) == datetime(2026, 3, 3, 7, tzinfo=UTC)
    assert due_at(Severity.WARNING, now=NOW, quiet_hours=None, digest_at=time(8)) == datetime(2026, 3, 3, 8, tzinfo=UTC)
    early = due_at(Severity.WARNING, now=NOW, quiet_hours=quiet, digest_at=time(6))
    assert early == datetime(2026, 3, 3, 7, tzinfo=UTC)


@pytest.mark.parametrize("language", MessageLanguage)
@pytest.mark.parametrize("kind", RiskKind)
def test_every_kind_has_a_title_in_every_language(kind: RiskKind, language: MessageLanguage) -> None:
    told = describe([notice(kind)], language, is_group=False)
    assert KIND_NAMES[language][kind] in told.title
    assert len({*KIND_NAMES[language].values()}) == len(RiskKind)
    assert told.title in describe_end(told.title, 1, language).title
    assert "a-channel" in describe_test("a-channel", language).title


@pytest.mark.parametrize("language", MessageLanguage)
def test_kind_without_a_title_has_its_own_name_as_title(language: MessageLanguage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(templates, "KIND_NAMES", {language: {}})
    notices = [notice(kind) for kind in (RiskKind.LOW_GAS, RiskKind.FINALITY_LAG)]
    assert describe(notices[:1], language, is_group=False).title.endswith(": Low gas")
    assert "Finality lag: 1" in describe(notices, language, is_group=True).body


@given(st.text(max_size=2_000))
def test_figures_of_strangers_are_one_bounded_line(text: str) -> None:
    told = describe([Notice(event(subject=text), Occasion.OPENED, "WARNING")], MessageLanguage.ENGLISH, is_group=False)
    assert len(told.body.split("\n")[0]) < 700
    assert len(told.body.split("\n")) == 3


def test_message_of_a_flood_counts_by_kind_and_lists_few() -> None:
    notices = [notice() for _ in range(500)] + [notice(RiskKind.INVALID_VOTE, Severity.CRITICAL)]
    told = describe(sorted(notices, key=lambda each: each.event.id, reverse=True), MessageLanguage.ENGLISH, is_group=True)
    assert told.title == "501 risk events (1 critical)"
    assert "A wallet is low on gas: 500" in told.body
    assert "CRITICAL: A recorded vote is not valid" in told.body
    assert "and 489 more" in told.body
    assert len(told.body) < 2_000


def test_pauses_grow_to_an_hour_and_follow_the_service() -> None:
    pauses = [next_pause(attempts) for attempts in range(1, 12)]
    assert pauses[:3] == [timedelta(seconds=5), timedelta(seconds=15), timedelta(seconds=45)]
    assert pauses == sorted(pauses)
    assert pauses[-1] == PAUSE_MAX
    assert next_pause(1, timedelta(minutes=9)) == timedelta(minutes=9)
    assert next_pause(1, timedelta(days=9)) == PAUSE_MAX


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('[[routes]]\nchannels = ["none"]', "no channel is called none"),
        ('[[channels]]\nname = "a"\nkind = "email"\nto = "a@b.example"', "needs the table [smtp]"),
        ('[[channels]]\nname = "a"\nkind = "email"\nto = "a@b.example\\nBcc: x@y"', "an e-mail address is name@host"),
        (
            '[[channels]]\nname = "a"\nkind = "slack"\nurl = "https://secret.example"',
            "channels.0.slack.url_file: Field required",
        ),
        ('[[channels]]\nname = "a"\nkind = "pigeon"', "does not match any of the expected tags"),
        ("[smtp]\nhost = 'h'\nsender = 'a@b.c'\nsecurity = 'none'\nuser = 'u'\npassword_file = '/p'", "a password needs"),
        ("channels = 7", "channels"),
        ("= nothing", "are no TOML"),
    ],
)
def test_wrong_file_is_refused_with_what_is_wrong_and_without_a_value(text: str, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "notifications.toml"
    path.write_text(text)
    with pytest.raises(SettingsError) as raised:
        read_notification_file(path)
    assert problem in str(raised.value)
    assert "secret.example" not in str(raised.value)


def test_example_file_is_read_and_stands_in_the_documentation() -> None:
    example = DEPLOY / "notifications.example.toml"
    file = read_notification_file(example)
    assert [channel.kind for channel in file.channels] == ["slack", "pagerduty", "email"]
    shown = example.read_text().split("\n\n", 1)[1]
    assert shown in (DOCS / "concepts/notifications.md").read_text()


def test_fallbacks_that_lead_in_a_circle_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "notifications.toml"
    channel = '[[channels]]\nname = "{}"\nkind = "slack"\nurl_file = "/x"\nfallback = "{}"\n'
    path.write_text("".join(channel.format(*pair) for pair in (("a", "b"), ("b", "c"), ("c", "a"))))
    with pytest.raises(SettingsError, match="fallbacks lead in a circle"):
        read_notification_file(path)
