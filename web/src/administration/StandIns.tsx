/** Who decides approvals in another's place for a time: named by the person's signature, and ended by a signature of either. */
import { Button, NativeSelect } from '@mantine/core'
import { useMutation, useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { api, postTo, read, type Schemas } from '../api/client'
import { standInsQuery, usersQuery } from '../api/queries'
import { serverNowMs } from '../format/time'
import { useI18n } from '../i18n'
import { useRight } from '../session/rights'
import { useUser } from '../session/store'
import { DataTable, Dialog, Loaded, Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Time } from '../ui/values'
import { Actions } from '../wallet/Actions'
import { ReasonField, SignDocument, signedFields } from '../wallet/SignDialog'
import { asTypedDocument } from '../wallet/typedData'

const DAYS = [1, 3, 7, 14, 30, 60, 90] as const
const DAY_MS = 86_400_000

export function StandIns() {
  const { t } = useI18n()
  const { address } = useUser()
  const standIns = useQuery(standInsQuery)
  const names = useNames()
  const mayEndAll = useRight('manage_users').isAllowed
  const right = useRight('sign_proposals')
  const [isNaming, setNaming] = useState(false)
  const name = right.isAllowed ? (
    <Button size="xs" onClick={() => setNaming(true)}>
      {t('standIns.name')}
    </Button>
  ) : undefined
  return (
    <Panel title={t('standIns.title')} aside={name}>
      <Loaded query={standIns}>
        {({ items }) => (
          <DataTable
            label={t('standIns.title')}
            rows={items.filter(({ isOver }) => !isOver)}
            rowKey={({ id }) => `${id}`}
            empty={t('standIns.none')}
            columns={[
              { name: 'standIn', head: t('standIns.standIn'), cell: ({ standIn }) => <Address of={standIn} name={names.get(standIn)} /> },
              { name: 'person', head: t('standIns.person'), cell: ({ person }) => <Address of={person} name={names.get(person)} /> },
              { name: 'from', head: t('standIns.from'), cell: ({ startsAt }) => <Time at={startsAt} /> },
              { name: 'until', head: t('standIns.until'), cell: ({ endsAt }) => <Time at={endsAt} /> },
              { name: 'reason', head: t('standIns.reason'), cell: ({ reason }) => reason },
              {
                name: 'end',
                head: t('actions.title'),
                cell: ({ id, person, standIn }) =>
                  mayEndAll || [person, standIn].includes(address) ? <Actions resource={`/stand-ins/${id}`} actions={['end_stand_in']} /> : null,
              },
            ]}
          />
        )}
      </Loaded>
      <p className={ui.note}>{t('standIns.howTo')}</p>
      {isNaming ? <StandInDialog onClose={() => setNaming(false)} /> : null}
    </Panel>
  )
}

function useNames(): ReadonlyMap<string, string> {
  return new Map(useQuery(usersQuery).data?.items.map(({ address, name }) => [address, name]))
}

/** Choose who and for how long, read what the API says it does, and sign exactly that. It starts at once. */
function StandInDialog({ onClose }: { onClose: () => void }) {
  const { t } = useI18n()
  const { address: own } = useUser()
  const possible = (useQuery(usersQuery).data?.items ?? []).filter(({ address, role }) => address !== own && role !== 'viewer')
  const [standIn, setStandIn] = useState('')
  const [days, setDays] = useState<(typeof DAYS)[number]>(7)
  const [reason, setReason] = useState('')
  const proposal = useMutation({
    mutationFn: async (body: Schemas['StandInBody']) => ({ body, proposed: await read(api.POST('/api/v1/stand-ins/preview', { body })) }),
  })
  const propose = () => {
    const now = serverNowMs()
    proposal.mutate({
      standIn,
      startsAt: new Date(now).toISOString(),
      endsAt: new Date(now + days * DAY_MS).toISOString(),
      reason: reason.trim(),
    })
  }
  const shown = proposal.data
  return (
    <Dialog opened onClose={onClose} title={t('standIns.name')}>
      <div className={ui.page}>
        {shown === undefined ? (
          <>
            <NativeSelect
              label={t('standIns.standIn')}
              value={standIn}
              data={[{ value: '', label: '–' }, ...possible.map(({ address, name }) => ({ value: address, label: name }))]}
              onChange={(event) => setStandIn(event.currentTarget.value)}
            />
            <NativeSelect
              label={t('standIns.days')}
              value={`${days}`}
              data={DAYS.map((value) => `${value}`)}
              onChange={(event) => setDays(DAYS.find((value) => `${value}` === event.currentTarget.value) ?? 7)}
            />
            <ReasonField label={t('sign.reason')} description={t('sign.reasonKept')} value={reason} onChange={setReason} />
            {proposal.error ? <ProblemNotice error={proposal.error} /> : null}
            <div className={ui.actions}>
              <Button disabled={standIn === '' || reason.trim() === ''} loading={proposal.isPending} onClick={propose}>
                {t('sign.show')}
              </Button>
            </div>
          </>
        ) : (
          <>
            <p>{shown.proposed.statement}</p>
            <SignDocument
              document={asTypedDocument(shown.proposed.typedData)}
              ready
              submit={(signed) => postTo(shown.proposed.submitTo, { ...shown.body, ...signedFields(signed) })}
              onDone={onClose}
            />
            <div className={ui.actions}>
              <Button size="xs" variant="default" onClick={() => proposal.reset()}>
                {t('users.edit')}
              </Button>
            </div>
          </>
        )}
      </div>
    </Dialog>
  )
}
