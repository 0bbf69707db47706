/** Drafts of the next version: write one, see its faults, publish another person's by a signature, remove one. */
import { Alert, Button, Textarea, TextInput } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useState } from 'react'
import { api, read, type Schemas } from '../api/client'
import { policyDraftsQuery, policyQuery } from '../api/queries'
import { useI18n } from '../i18n'
import { useRight, WhyNot } from '../session/rights'
import { DataTable, Dialog, Loaded, Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Time } from '../ui/values'
import { Actions } from '../wallet/Actions'

type Draft = Schemas['PolicyDraftView']
type Rule = Schemas['RuleModel']

interface Edited {
  id: number | null
  title: string
  rules: readonly Rule[]
}

export function Drafts() {
  const { t } = useI18n()
  const right = useRight('manage_policy')
  const current = useQuery(policyQuery)
  const drafts = useQuery(policyDraftsQuery)
  const [edited, setEdited] = useState<Edited | null>(null)
  const begin = () => setEdited({ id: null, title: '', rules: current.data?.rules ?? [] })
  return (
    <Panel
      title={t('policy.drafts')}
      aside={
        right.isAllowed && current.data !== undefined ? (
          <Button size="xs" onClick={begin}>
            {t('policy.newDraft')}
          </Button>
        ) : undefined
      }
    >
      <WhyNot right={right} />
      <Loaded query={drafts}>
        {({ items }) => (
          <DataTable
            label={t('policy.drafts')}
            rows={items}
            rowKey={({ id }) => `${id}`}
            empty={t('policy.noDrafts')}
            columns={[
              { name: 'title', head: t('policy.draftTitle'), cell: ({ title, version }) => `${title} (${t('policy.version', { version })})` },
              { name: 'by', head: t('policy.by'), cell: ({ changedBy }) => <Address of={changedBy} /> },
              { name: 'at', head: t('policy.changed'), cell: ({ changedAt }) => <Time at={changedAt} /> },
              { name: 'findings', head: t('policy.findings'), cell: (draft) => <Findings of={draft} /> },
              {
                name: 'actions',
                head: t('actions.title'),
                cell: (draft) => (right.isAllowed ? <DraftActions draft={draft} onEdit={() => setEdited(draft)} /> : null),
              },
            ]}
          />
        )}
      </Loaded>
      {edited === null ? null : <DraftDialog edited={edited} onClose={() => setEdited(null)} />}
    </Panel>
  )
}

function Findings({ of: { findings, isOutdated } }: { of: Draft }) {
  const { t } = useI18n()
  if (!isOutdated && findings.length === 0) return t('policy.noFaults')
  return (
    <ul>
      {isOutdated ? <li>{t('policy.outdated')}</li> : null}
      {findings.map(({ fault, message }) => (
        <li key={`${fault} ${message}`}>
          {fault}: {message}
        </li>
      ))}
    </ul>
  )
}

function DraftActions({ draft, onEdit }: { draft: Draft; onEdit: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const remove = useMutation({
    mutationFn: () => read(api.DELETE('/api/v1/policy/drafts/{draftId}', { params: { path: { draftId: draft.id } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['policy'] }),
  })
  return (
    <>
      {remove.error ? <ProblemNotice error={remove.error} /> : null}
      <div className={ui.actions}>
        <Button size="xs" variant="default" onClick={onEdit}>
          {t('policy.edit')}
        </Button>
        <Button size="xs" variant="default" loading={remove.isPending} onClick={() => remove.mutate()}>
          {t('policy.remove')}
        </Button>
        <Actions resource={`/policy/drafts/${draft.id}`} actions={['publish_policy']} />
      </div>
    </>
  )
}

/** The whole text of the rules, as the API and `paimon policy` write them. Saving shows what the API finds wrong with it. */
function DraftDialog({ edited, onClose }: { edited: Edited; onClose: () => void }) {
  const { t } = useI18n()
  const client = useQueryClient()
  const [title, setTitle] = useState(edited.title)
  const [text, setText] = useState(() => JSON.stringify(edited.rules, null, 2))
  const rules = parsedRules(text)
  const save = useMutation({
    mutationFn: (written: Rule[]) => {
      const body = { title: title.trim(), rules: written }
      return read(
        edited.id === null
          ? api.POST('/api/v1/policy/drafts', { body })
          : api.PUT('/api/v1/policy/drafts/{draftId}', { params: { path: { draftId: edited.id } }, body }),
      )
    },
    onSuccess: onClose,
    onSettled: () => client.invalidateQueries({ queryKey: ['policy'] }),
  })
  return (
    <Dialog opened onClose={onClose} title={t(edited.id === null ? 'policy.newDraft' : 'policy.editDraft')}>
      <div className={ui.page}>
        <TextInput label={t('policy.draftTitle')} value={title} maxLength={200} onChange={(event) => setTitle(event.currentTarget.value)} />
        <Textarea
          label={t('policy.rules')}
          description={t('policy.rulesText')}
          value={text}
          rows={18}
          spellCheck={false}
          classNames={{ input: ui.document ?? '' }}
          onChange={(event) => setText(event.currentTarget.value)}
        />
        {rules === null ? <Alert color="orange" title={t('policy.notRules')} role="alert" /> : null}
        {save.error ? <ProblemNotice error={save.error} /> : null}
        <div className={ui.actions}>
          <Button disabled={rules === null || title.trim() === ''} loading={save.isPending} onClick={() => rules !== null && save.mutate(rules)}>
            {t('policy.save')}
          </Button>
        </div>
      </div>
    </Dialog>
  )
}

/** The text as a list, or null while it is none. The API checks each rule. */
export function parsedRules(text: string): Rule[] | null {
  try {
    const value: unknown = JSON.parse(text)
    return Array.isArray(value) ? (value as Rule[]) : null
  } catch {
    return null
  }
}
