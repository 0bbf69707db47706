import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import { assetsQuery, feesQuery, holdersQuery } from '../api/queries'
import { shortHex } from '../format/addresses'
import { percent } from '../format/amounts'
import { useI18n } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Facts, Loaded, Page, Pager, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Amount, Status, Time } from '../ui/values'
import { AssetLink, Prices } from './Prices'

const route = getRouteApi('/assets')

export function AssetsPage() {
  const { t } = useI18n()
  return (
    <Page title={t('section.assets')}>
      <Holdings />
      <Prices />
      <Fees />
      <Holders />
    </Page>
  )
}

function Holdings() {
  const { t } = useI18n()
  const assets = useQuery(assetsQuery)
  return (
    <Panel title={t('assets.holdings')} aside={<CsvButton path="/api/v1/fund/assets" />}>
      <Loaded query={assets}>
        {({ items, asOf }) => (
          <>
            <DataTable
              label={t('assets.holdings')}
              rows={items}
              rowKey={({ token }) => token}
              empty={t('assets.none')}
              columns={[
                { name: 'asset', head: t('assets.asset'), cell: ({ symbol, token }) => <AssetLink token={token} symbol={symbol ?? shortHex(token)} /> },
                { name: 'tier', head: t('assets.tier'), cell: ({ tier }) => tier },
                { name: 'balance', head: t('assets.balance'), right: true, cell: ({ balance, decimals }) => <Amount raw={balance} decimals={decimals} /> },
                { name: 'price', head: t('assets.price'), right: true, cell: ({ price }) => (price === null ? '–' : <Amount raw={price} places={4} />) },
                { name: 'trust', head: t('prices.trust'), cell: ({ priceTrust }) => (priceTrust === null ? '–' : <Status of={priceTrust} />) },
                { name: 'value', head: t('assets.value'), right: true, cell: ({ value }) => <Amount raw={value} /> },
                { name: 'ratio', head: t('assets.ratio'), right: true, cell: ({ ratio }) => percent(ratio) },
                { name: 'target', head: t('assets.target'), right: true, cell: ({ targetAllocation }) => percent(targetAllocation) },
                { name: 'method', head: t('assets.method'), cell: ({ terms }) => terms.method },
              ]}
            />
            <p className={ui.note}>
              {t('ui.asOfBlock', { number: asOf.number })} · <Time at={asOf.timestamp} />
            </p>
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function Fees() {
  const { t } = useI18n()
  const fees = useQuery(feesQuery)
  return (
    <Panel title={t('assets.fees')} aside={<CsvButton path="/api/v1/fund/fees" />}>
      <Loaded query={fees}>
        {(data) => (
          <>
            <DataTable
              label={t('assets.fees')}
              rows={data.fees}
              rowKey={({ kind }) => kind}
              empty={t('assets.none')}
              columns={[
                { name: 'kind', head: t('assets.fee'), cell: ({ kind }) => t(`fee.${kind}`) },
                { name: 'accrued', head: t('assets.accrued'), right: true, cell: ({ accrued }) => <Amount raw={accrued} /> },
                { name: 'paid', head: t('assets.paid'), right: true, cell: ({ paid }) => <Amount raw={paid} /> },
                { name: 'owed', head: t('assets.owed'), right: true, cell: ({ owed }) => <Amount raw={owed} /> },
                { name: 'pending', head: t('assets.pending'), right: true, cell: ({ pending }) => <Amount raw={pending} /> },
              ]}
            />
            <Facts
              of={[
                [t('assets.highWaterMark'), <Amount key="h" raw={data.highWaterMark} unit="USDT" />],
                [t('assets.recipient'), <Address key="r" of={data.recipient} />],
              ]}
            />
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function Holders() {
  const { t } = useI18n()
  const { page = 1 } = route.useSearch()
  const navigate = route.useNavigate()
  const holders = useQuery(holdersQuery(page))
  return (
    <Panel title={t('assets.holders')} aside={<CsvButton path="/api/v1/fund/holders" />}>
      <Loaded query={holders}>
        {({ items, pagination }) => (
          <>
            <DataTable
              label={t('assets.holders')}
              rows={items}
              rowKey={({ holder }) => holder}
              empty={t('assets.none')}
              columns={[
                { name: 'holder', head: t('assets.holder'), cell: ({ holder }) => <Address of={holder} /> },
                { name: 'shares', head: t('redemption.shares'), right: true, cell: ({ shares }) => <Amount raw={shares} /> },
                { name: 'locked', head: t('assets.locked'), right: true, cell: ({ lockedShares }) => <Amount raw={lockedShares} /> },
                { name: 'part', head: t('assets.ofSupply'), right: true, cell: ({ shareOfSupply }) => percent(shareOfSupply) },
                { name: 'value', head: t('assets.value'), right: true, cell: ({ value }) => (value === null ? '–' : <Amount raw={value} />) },
                { name: 'claim', head: t('assets.claim'), right: true, cell: ({ claim }) => <Amount raw={claim} /> },
              ]}
            />
            <Pager page={page} total={pagination.total} totalPages={pagination.totalPages} onPage={(next) => void navigate({ search: { page: next } })} />
          </>
        )}
      </Loaded>
    </Panel>
  )
}
