"""The words of messages, in each language: a title, what happened with both figures, and what to do."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from paimon.domain.notification.message import MessageLanguage, Notice, Occasion
from paimon.domain.risk.risk_event import RiskEvent, RiskKind, Severity

LISTED_MAX: Final = 12
"""Events that one message lists; it counts the others."""
_FIGURE_CHARACTERS: Final = 160

EN, ZH = MessageLanguage.ENGLISH, MessageLanguage.CHINESE

KIND_NAMES: Final[Mapping[MessageLanguage, Mapping[RiskKind, str]]] = {
    EN: {
        RiskKind.RECONCILIATION_BREAK: "Records differ from the chain",
        RiskKind.NAV_UNEXPLAINED: "A change of NAV is not explained",
        RiskKind.LOW_GAS: "A wallet is low on gas",
        RiskKind.FINALITY_LAG: "The chain's finality lags",
        RiskKind.FINAL_BLOCK_CHANGED: "A final block has changed",
        RiskKind.ORPHANED_EFFECT: "An effect of an orphaned block went out",
        RiskKind.CHAIN_BEHIND: "Every node is behind the records",
        RiskKind.EFFECT_UNKNOWN: "The effect of a transaction is unknown",
        RiskKind.UNSIGNED_MOVEMENT: "The hot wallet moved without a signed plan",
        RiskKind.UNSIGNED_GRANT: "A stored grant is not valid",
        RiskKind.SPLIT_REDEMPTIONS: "A redemption seems to be split",
        RiskKind.DUST_REDEMPTIONS: "Many tiny redemptions",
        RiskKind.INDICATOR_BREACH: "A risk indicator is out of bounds",
        RiskKind.RISK_LEVEL: "The fund's risk level has risen",
        RiskKind.LIQUIDITY_SHORTAGE: "The fund may run short of cash",
        RiskKind.EMERGENCY: "The emergency protocol runs",
        RiskKind.PRICE_UNTRUSTED: "A price is not trusted",
        RiskKind.USDT_OFF_PARITY: "USDT is off parity",
        RiskKind.INVALID_VOTE: "A recorded vote is not valid",
        RiskKind.UNSIGNED_POLICY: "A version of the approval policy is not signed",
        RiskKind.TICKET_VOID: "An approved plan has changed",
        RiskKind.UNAPPROVED_EXECUTION: "A Safe executed a plan that was not approved",
        RiskKind.CONTRACT_CHANGED: "A contract of the fund is another program than it was",
        RiskKind.VALUATION_FAILED: "The fund cannot be valued",
        RiskKind.REBALANCE_DEVIATION: "A rebalance did not end as planned",
    },
    ZH: {
        RiskKind.RECONCILIATION_BREAK: "记录与链上不一致",
        RiskKind.NAV_UNEXPLAINED: "净值变动无法解释",
        RiskKind.LOW_GAS: "钱包燃料费不足",
        RiskKind.FINALITY_LAG: "区块最终确认滞后",
        RiskKind.FINAL_BLOCK_CHANGED: "已最终确认的区块发生变化",
        RiskKind.ORPHANED_EFFECT: "孤块的影响已对外发出",
        RiskKind.CHAIN_BEHIND: "所有节点都落后于记录",
        RiskKind.EFFECT_UNKNOWN: "交易结果未知",
        RiskKind.UNSIGNED_MOVEMENT: "热钱包出现无签名计划的操作",
        RiskKind.UNSIGNED_GRANT: "存储的授权无效",
        RiskKind.SPLIT_REDEMPTIONS: "赎回疑似被拆分",
        RiskKind.DUST_REDEMPTIONS: "大量极小额赎回",
        RiskKind.INDICATOR_BREACH: "风险指标超出范围",
        RiskKind.RISK_LEVEL: "基金风险等级上升",
        RiskKind.LIQUIDITY_SHORTAGE: "基金可能出现现金不足",
        RiskKind.EMERGENCY: "应急流程已启动",
        RiskKind.PRICE_UNTRUSTED: "价格不可信",
        RiskKind.USDT_OFF_PARITY: "USDT 脱锚",
        RiskKind.INVALID_VOTE: "已记录的投票无效",
        RiskKind.UNSIGNED_POLICY: "审批政策版本未经签名",
        RiskKind.TICKET_VOID: "已批准的计划发生变化",
        RiskKind.UNAPPROVED_EXECUTION: "Safe 执行了未经批准的计划",
        RiskKind.CONTRACT_CHANGED: "基金合约的程序已改变",
        RiskKind.VALUATION_FAILED: "无法为基金估值",
        RiskKind.REBALANCE_DEVIATION: "再平衡结果偏离计划",
    },
}

_SEVERITIES: Final = {
    EN: {Severity.WARNING: "Warning", Severity.CRITICAL: "CRITICAL"},
    ZH: {Severity.WARNING: "警告", Severity.CRITICAL: "严重"},
}


@dataclass(frozen=True, slots=True)
class _Words:
    """The sentences around the figures. Braces name what is filled in."""

    reminder: str
    ended: str
    ended_many: str
    group: str
    consequences: str
    fact: str
    seen: str
    more: str
    act: str
    test_title: str
    test_body: str
    ended_body: str


_WORDS: Final = {
    EN: _Words(
        reminder="not acknowledged: {title}",
        ended="Ended: {title}",
        ended_many="Ended: {count} risk events",
        group="{count} risk events ({critical} critical)",
        consequences="It explains {count} others, which are not told one by one:",
        fact="{subject}: {observed}, expected {expected}",
        seen="Block {block}, {at} UTC.",
        more="… and {count} more: `paimon risk-events` or the console lists them.",
        act="Acknowledge it in the console, or with `POST /api/v1/risk/events/{id}/acknowledge`; the runbook says what to do.",
        test_title="Test of the channel {channel}",
        test_body="If you can read this, the channel works. Nothing has happened.",
        ended_body="{count} events of the message are resolved.",
    ),
    ZH: _Words(
        reminder="尚未确认：{title}",
        ended="已结束：{title}",
        ended_many="已结束：{count} 个风险事件",
        group="{count} 个风险事件（其中 {critical} 个严重）",
        consequences="以下 {count} 个事件由它引起，不再逐一通知：",
        fact="{subject}：{observed}，应为 {expected}",
        seen="区块 {block}，{at} UTC。",
        more="……另有 {count} 个：请用 `paimon risk-events` 或控制台查看。",
        act="请在控制台确认，或调用 `POST /api/v1/risk/events/{id}/acknowledge`；处理方法见运行手册。",
        test_title="通道 {channel} 测试",
        test_body="如果您能看到这条消息，说明通道正常。没有发生任何事件。",
        ended_body="消息中的 {count} 个事件均已解决。",
    ),
}


@dataclass(frozen=True, slots=True)
class MessageText:
    title: str
    body: str


def describe(notices: Sequence[Notice], language: MessageLanguage, *, is_group: bool) -> MessageText:
    """Describe one event, a cause with its consequences, or a group."""
    words = _WORDS[language]
    first = notices[0]
    if is_group:
        critical = sum(notice.event.finding.severity is Severity.CRITICAL for notice in notices)
        title = words.group.format(count=len(notices), critical=critical)
        return MessageText(title, "\n".join([*_counts(notices, language), *_list([each.event for each in notices], language)]))
    title = _title(first.event, language)
    if first.occasion is Occasion.REMINDER:
        title = words.reminder.format(title=title)
    lines = [
        _fact(first.event, language),
        words.seen.format(block=first.event.last_seen.block, at=f"{first.event.last_seen.at:%Y-%m-%d %H:%M}"),
        words.act.format(id=first.event.id),
    ]
    if others := [notice.event for notice in notices[1:]]:
        lines += [words.consequences.format(count=len(others)), *_list(others, language)]
    return MessageText(title, "\n".join(lines))


def describe_end(title: str, count: int, language: MessageLanguage) -> MessageText:
    """Describe the end of what an earlier message told."""
    words = _WORDS[language]
    ended = words.ended.format(title=title) if count == 1 else words.ended_many.format(count=count)
    return MessageText(ended, words.ended_body.format(count=count))


def describe_test(channel: str, language: MessageLanguage) -> MessageText:
    """Describe a message that only tries a channel."""
    words = _WORDS[language]
    return MessageText(words.test_title.format(channel=channel), words.test_body)


def _title(event: RiskEvent, language: MessageLanguage) -> str:
    finding = event.finding
    return f"{_SEVERITIES[language][finding.severity]}: {kind_name(finding.kind, language)}"


def kind_name(kind: RiskKind, language: MessageLanguage) -> str:
    """Return the title of a kind; its own name in words where none is written, so that its events are told all the same."""
    return KIND_NAMES[language].get(kind) or kind.replace("_", " ").capitalize()


def _fact(event: RiskEvent, language: MessageLanguage) -> str:
    finding = event.finding
    return _WORDS[language].fact.format(
        subject=_short(finding.subject), observed=_short(finding.observed), expected=_short(finding.expected)
    )


def _list(events: Sequence[RiskEvent], language: MessageLanguage) -> list[str]:
    shown = [f"- {_title(event, language)} · {_fact(event, language)}" for event in events[:LISTED_MAX]]
    left = len(events) - len(shown)
    return [*shown, *([_WORDS[language].more.format(count=left)] if left else [])]


def _counts(notices: Sequence[Notice], language: MessageLanguage) -> list[str]:
    """Count the events by kind, the most frequent first."""
    counts = Counter(notice.event.finding.kind for notice in notices)
    return [f"{kind_name(kind, language)}: {count}" for kind, count in counts.most_common()]


def _short(text: str) -> str:
    """Cut a figure to one line of bounded length: it may hold what a stranger wrote on chain."""
    line = " ".join(text.split())
    return line if len(line) <= _FIGURE_CHARACTERS else f"{line[: _FIGURE_CHARACTERS - 1]}…"
