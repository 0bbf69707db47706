/** The approval policy: the rules in force, drafts of the next version, and a dry run that names the deciding rule. */
import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client'
import { policyQuery, policyVersionsQuery } from '../api/queries'
import { formatSpan, spanOf } from '../format/time'
import { useI18n } from '../i18n'
import { DataTable, Loaded, Page, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Status, Time } from '../ui/values'
import { Drafts } from './Drafts'
import { DryRun } from './DryRun'

export function PolicyPage() {
  const { t } = useI18n()
  return (
    <Page title={t('policy.title')}>
      <CurrentVersion />
      <Drafts />
      <DryRun />
      <Versions />
    </Page>
  )
}

function CurrentVersion() {
  const { t } = useI18n()
  const policy = useQuery(policyQuery)
  return (
    <Panel title={t('policy.current')}>
      <Loaded query={policy}>
        {({ rules, version }) => (
          <>
            <RulesTable rules={rules} label={t('policy.current')} />
            <p className={ui.note}>{t('policy.version', { version })}</p>
            <p className={ui.note}>{t('policy.firstDecides')}</p>
          </>
        )}
      </Loaded>
    </Panel>
  )
}

export function RulesTable({ rules, label }: { rules: readonly Schemas['RuleModel'][]; label: string }) {
  const { t } = useI18n()
  const span = (seconds: number) => formatSpan(spanOf(seconds * 1_000))
  return (
    <DataTable
      label={label}
      rows={rules}
      rowKey={({ name }) => name}
      empty=""
      columns={[
        { name: 'rule', head: t('policy.rule'), cell: ({ name }) => name },
        { name: 'when', head: t('policy.when'), cell: ({ when }) => whenText(when) || t('policy.everything') },
        { name: 'verdict', head: t('policy.verdict'), cell: ({ verdict }) => <Status of={verdict} /> },
        { name: 'type', head: t('ticket.type'), cell: ({ ticket }) => (ticket ? <Status of={ticket} /> : null) },
        { name: 'votes', head: t('column.votes'), cell: ({ approvals }) => approvalsText(approvals) },
        { name: 'deadline', head: t('column.deadline'), right: true, cell: ({ sla }) => (sla ? span(sla.deadlineSeconds) : null) },
      ]}
    />
  )
}

/** `kinds: CALL; amount: minimum 20000, below 100000`: the members of a rule's `when`, as people write them. */
function whenText(when: Schemas['RuleModel']['when']): string {
  return Object.entries(when ?? {})
    .map(([member, value]) => {
      const text = Array.isArray(value) ? value.join(', ') : Object.entries(value as Record<string, string>).map((pair) => pair.join(' ')).join(', ')
      return `${member}: ${text}`
    })
    .join('; ')
}

/** `1 × admin + 1 × super_admin / 2 × admin`: + between groups that must all approve, / between options. */
function approvalsText(approvals: Schemas['RuleModel']['approvals']): string {
  const group = ({ count, from }: { count: number; from: string | string[] }) => `${count} × ${Array.isArray(from) ? from.join(', ') : from}`
  return (approvals ?? []).map((groups) => groups.map(group).join(' + ')).join(' / ')
}

function Versions() {
  const { t } = useI18n()
  const versions = useQuery(policyVersionsQuery)
  return (
    <Panel title={t('policy.versions')}>
      <Loaded query={versions}>
        {({ items }) => (
          <DataTable
            label={t('policy.versions')}
            rows={items}
            rowKey={({ version }) => `${version}`}
            empty=""
            columns={[
              { name: 'version', head: t('policy.number'), cell: ({ version }) => version },
              { name: 'at', head: t('policy.published'), cell: ({ publishedAt }) => <Time at={publishedAt} /> },
              { name: 'by', head: t('policy.by'), cell: ({ publishedBy }) => (publishedBy === null ? '–' : <Address of={publishedBy} />) },
              { name: 'reason', head: t('sign.reason'), cell: ({ reason }) => reason },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}
