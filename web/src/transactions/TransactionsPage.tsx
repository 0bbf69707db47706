import { NativeSelect } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { getRouteApi, Link } from '@tanstack/react-router'
import { intentsQuery, proposalsQuery, safesQuery, walletsQuery } from '../api/queries'
import { useI18n, type Key } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Empty, Loaded, Page, Pager, Panel } from '../ui/layout'
import { Address, Amount, Status, Time } from '../ui/values'

const route = getRouteApi('/transactions')

export function TransactionsPage() {
  const { t } = useI18n()
  return (
    <Page title={t('section.transactions')}>
      <Wallets />
      <Safes />
      <Proposals />
      <Intents />
    </Page>
  )
}

function Wallets() {
  const { t } = useI18n()
  const wallets = useQuery(walletsQuery)
  return (
    <Panel title={t('wallets.title')}>
      <Loaded query={wallets}>
        {({ items }) => (
          <DataTable
            label={t('wallets.title')}
            rows={items}
            rowKey={({ address }) => address}
            empty={t('wallets.none')}
            columns={[
              {
                name: 'name',
                head: t('wallets.wallet'),
                cell: ({ name, address }) => (
                  <>
                    <Link to="/transactions/wallets/$address" params={{ address }}>
                      {name}
                    </Link>{' '}
                    <Address of={address} name={null} />
                  </>
                ),
              },
              { name: 'state', head: t('column.status'), cell: ({ fault, lowGas }) => <Status of={fault ? 'FAULT' : lowGas ? 'LOW_GAS' : 'OK'} /> },
              { name: 'nonce', head: t('wallets.nextNonce'), right: true, cell: ({ nextNonce }) => nextNonce },
              { name: 'flight', head: t('wallets.inFlight'), cell: ({ inFlightNonces }) => inFlightNonces.join(', ') || '–' },
              { name: 'open', head: t('wallets.open'), right: true, cell: ({ openIntents }) => openIntents },
              { name: 'gas', head: t('wallets.gas'), right: true, cell: ({ accountState }) => (accountState ? <Amount raw={accountState.balanceWei} places={4} /> : '–') },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Safes() {
  const { t } = useI18n()
  const safes = useQuery(safesQuery)
  return (
    <Panel title={t('safes.title')}>
      <Loaded query={safes}>
        {(items) => (
          <DataTable
            label={t('safes.title')}
            rows={items}
            rowKey={({ address }) => address}
            empty={t('safes.none')}
            columns={[
              { name: 'name', head: t('safes.safe'), cell: ({ name, address }) => <Address of={address} name={name} /> },
              { name: 'threshold', head: t('safes.threshold'), cell: ({ threshold, owners }) => t('safes.ofOwners', { threshold, owners: owners.length }) },
              { name: 'owners', head: t('safes.owners'), cell: ({ owners }) => owners.map((owner) => <Address key={owner} of={owner} />) },
              { name: 'nonce', head: t('safes.nonce'), right: true, cell: ({ nonce }) => nonce },
              { name: 'next', head: t('safes.nextNonce'), right: true, cell: ({ nextNonce }) => nextNonce },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Proposals() {
  const { t } = useI18n()
  const proposals = useQuery(proposalsQuery(1))
  return (
    <Panel title={t('proposals.title')} aside={<CsvButton path="/api/v1/multisig/proposals" />}>
      <Loaded query={proposals}>
        {({ items }) => (
          <DataTable
            label={t('proposals.title')}
            rows={[...items].sort((one, other) => one.safeName.localeCompare(other.safeName) || other.nonce - one.nonce)}
            rowKey={({ hash }) => hash}
            empty={t('proposals.none')}
            columns={[
              { name: 'safe', head: t('safes.safe'), cell: ({ safeName }) => safeName },
              { name: 'nonce', head: t('safes.nonce'), right: true, cell: ({ nonce }) => nonce },
              {
                name: 'what',
                head: t('proposals.calls'),
                cell: ({ hash, calls }) => (
                  <Link to="/transactions/proposals/$safeTxHash" params={{ safeTxHash: hash }}>
                    {calls[0]?.description ?? t('proposals.noCalls')}
                    {calls.length > 1 ? ` +${calls.length - 1}` : ''}
                  </Link>
                ),
              },
              { name: 'status', head: t('column.status'), cell: ({ status, competing }) => <><Status of={status} /> {competing.length > 0 ? <Status of="COMPETING" /> : null}</> },
              { name: 'signatures', head: t('proposals.signatures'), right: true, cell: ({ signedBy, threshold }) => `${signedBy.length} / ${threshold}` },
              { name: 'expires', head: t('proposals.expires'), cell: ({ expiresAt }) => <Time at={expiresAt} /> },
            ]}
          />
        )}
      </Loaded>
    </Panel>
  )
}

function Intents() {
  const { t } = useI18n()
  const { open, page } = route.useSearch()
  const navigate = route.useNavigate()
  const intents = useQuery(intentsQuery(open, page ?? 1))
  return (
    <Panel
      title={t('intents.title')}
      aside={
        <>
          <NativeSelect
            size="xs"
            aria-label={t('column.status')}
            value={open === undefined ? '' : `${open}`}
            onChange={(event) => void navigate({ search: { open: event.currentTarget.value === '' ? undefined : event.currentTarget.value === 'true' } })}
            data={[
              { value: '', label: t('filter.all') },
              { value: 'true', label: t('intents.open') },
              { value: 'false', label: t('intents.closed') },
            ]}
          />
          <CsvButton path="/api/v1/transactions/intents" />
        </>
      }
    >
      <Loaded query={intents}>
        {({ items, pagination }) =>
          items.length === 0 ? (
            <Empty>{t('intents.none')}</Empty>
          ) : (
            <>
              <DataTable
                label={t('intents.title')}
                rows={items}
                rowKey={({ id }) => id}
                empty={t('intents.none')}
                columns={[
                  {
                    name: 'what',
                    head: t('intents.what'),
                    cell: ({ id, kind }) => (
                      <Link to="/transactions/intents/$intentId" params={{ intentId: id }}>
                        {t(`intent.${kind}` as Key) || kind}
                      </Link>
                    ),
                  },
                  { name: 'about', head: t('intents.about'), cell: ({ subjectId }) => (subjectId.length > 14 ? `${subjectId.slice(0, 10)}…` : subjectId) },
                  { name: 'status', head: t('column.status'), cell: ({ status, unfunded }) => <><Status of={status} /> {unfunded ? <Status of="UNFUNDED" /> : null}</> },
                  { name: 'attempts', head: t('intent.attempts'), right: true, cell: ({ attempts }) => attempts.length },
                  { name: 'created', head: t('intent.created'), cell: ({ createdAt }) => <Time at={createdAt} /> },
                  { name: 'reason', head: t('intent.reason'), cell: ({ reason }) => reason ?? '' },
                ]}
              />
              <Pager page={page ?? 1} total={pagination.total} totalPages={pagination.totalPages} onPage={(next) => void navigate({ search: (previous) => ({ ...previous, page: next }) })} />
            </>
          )
        }
      </Loaded>
    </Panel>
  )
}
