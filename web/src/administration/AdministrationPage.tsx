import { Button } from '@mantine/core'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { api, read, type Schemas } from '../api/client'
import { configQuery, sessionsQuery } from '../api/queries'
import { formatSpan, spanOf } from '../format/time'
import { useI18n } from '../i18n'
import { DataTable, Facts, Loaded, Page, Panel, ProblemNotice } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Status, Time } from '../ui/values'

export function AdministrationPage() {
  const { t } = useI18n()
  return (
    <Page title={t('section.administration')}>
      <Sessions />
      <Policy />
      <Settings />
    </Page>
  )
}

function Sessions() {
  const { t } = useI18n()
  const client = useQueryClient()
  const sessions = useQuery(sessionsQuery)
  const end = useMutation({
    mutationFn: (sessionId: string) => read(api.DELETE('/api/v1/auth/sessions/{sessionId}', { params: { path: { sessionId } } })),
    onSettled: () => client.invalidateQueries({ queryKey: ['sessions'] }),
  })
  return (
    <Panel title={t('sessions.title')}>
      {end.error ? <ProblemNotice error={end.error} /> : null}
      <Loaded query={sessions}>
        {({ items }) => (
          <DataTable
            label={t('sessions.title')}
            rows={items}
            rowKey={({ id }) => id}
            empty={t('sessions.none')}
            columns={[
              { name: 'client', head: t('sessions.client'), cell: ({ client: browser, networkAddress }) => `${browser} · ${networkAddress}` },
              { name: 'status', head: t('column.status'), cell: ({ status, isCurrent }) => <><Status of={status} /> {isCurrent ? t('sessions.this') : null}</> },
              { name: 'began', head: t('sessions.began'), cell: ({ createdAt }) => <Time at={createdAt} /> },
              { name: 'used', head: t('sessions.used'), cell: ({ usedAt }) => <Time at={usedAt} /> },
              {
                name: 'end',
                head: t('actions.title'),
                cell: ({ id, isCurrent, endedAt }) =>
                  endedAt === null && !isCurrent ? (
                    <Button size="xs" variant="default" loading={end.isPending && end.variables === id} onClick={() => end.mutate(id)}>
                      {t('sessions.end')}
                    </Button>
                  ) : null,
              },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Policy() {
  const { t } = useI18n()
  const config = useQuery(configQuery)
  const span = (seconds: number) => formatSpan(spanOf(seconds * 1_000))
  return (
    <Panel title={t('policy.title')}>
      <Loaded query={config}>
        {({ approvalPolicy }) => (
          <>
            <DataTable
              label={t('policy.title')}
              rows={(['standardRedemption', 'emergencyRedemption'] as const).map((name) => ({ name, ...approvalPolicy[name] }))}
              rowKey={({ name }) => name}
              empty=""
              columns={[
                { name: 'type', head: t('ticket.type'), cell: ({ name }) => <Status of={name === 'standardRedemption' ? 'STANDARD_REDEMPTION' : 'EMERGENCY_REDEMPTION'} /> },
                { name: 'votes', head: t('column.votes'), right: true, cell: ({ requiredApprovals }) => requiredApprovals },
                { name: 'warn', head: t('status.WARN'), right: true, cell: ({ warnSeconds }) => span(warnSeconds) },
                { name: 'escalate', head: t('status.ESCALATE'), right: true, cell: ({ escalateSeconds }) => span(escalateSeconds) },
                { name: 'deadline', head: t('column.deadline'), right: true, cell: ({ deadlineSeconds }) => span(deadlineSeconds) },
              ]}
            />
            <p className={ui.note}>{t('policy.version', { version: approvalPolicy.version })}</p>
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function Settings() {
  const { t } = useI18n()
  const config = useQuery(configQuery)
  return (
    <Panel title={t('settings.title')}>
      <Loaded query={config}>
        {(data) => (
          <>
            <Facts of={factsOf(data, t)} />
            <details>
              <summary>{t('settings.all')}</summary>
              <pre className={ui.document}>{JSON.stringify(data, null, 2)}</pre>
            </details>
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function factsOf({ chainId, contracts, sending }: Schemas['ConfigView'], t: ReturnType<typeof useI18n>['t']) {
  const wallets = (['keeper', 'approver', 'hot', 'warm', 'cold'] as const).flatMap((name) => {
    const address = sending[name]
    return address === null ? [] : [[name, <Address key={name} of={address} />] as const]
  })
  return [
    [t('settings.chain'), `${chainId}`] as const,
    ['Vault', <Address key="v" of={contracts.vault} />] as const,
    ['RedemptionManager', <Address key="r" of={contracts.redemptionManager} />] as const,
    ['AssetController', <Address key="a" of={contracts.assetController} />] as const,
    ...wallets,
    [t('settings.maxFee'), <Amount key="m" raw={sending.maxFeeWei} decimals={9} unit="gwei" />] as const,
  ]
}
