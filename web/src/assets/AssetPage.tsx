import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { assetsQuery, observationsQuery, pricesQuery } from '../api/queries'
import { formatRaw, parseRaw, percent, toPlotNumber } from '../format/amounts'
import { formatUtc } from '../format/time'
import { useI18n, type Key } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Empty, Facts, Loaded, Page, Pager, Panel } from '../ui/layout'
import { LinesChart, type Line } from '../ui/LineChart'
import ui from '../ui/ui.module.css'
import { Address, Amount, FUND_DECIMALS, Status, Time } from '../ui/values'
import { isUntrusted, OptionalPrice, PRICE_PLACES, Untrusted } from './Prices'
import { useSymbolOf } from './symbols'

type Price = Schemas['PriceView']
type Observation = Schemas['PriceObservationView']

const route = getRouteApi('/assets/$token')
/** A chart has no more lines than the eye tells apart. */
const DRAWN_SOURCES_MAX = 3

/** One asset: what the fund holds of it, how its price is judged, and what each source said. */
export function AssetPage() {
  const { t } = useI18n()
  const { token } = route.useParams()
  const symbolOf = useSymbolOf()
  const prices = useQuery(pricesQuery)
  const price = prices.data?.prices.find((one) => one.token === token)
  return (
    <Page title={symbolOf(token)} aside={price ? <Status of={price.trust} /> : null}>
      <Loaded query={prices}>
        {() =>
          price === undefined ? (
            <Empty>{t('prices.noPrice')}</Empty>
          ) : (
            <>
              {isUntrusted(price) ? <Untrusted price={price} symbol={symbolOf(token)} /> : null}
              <div className={ui.grid}>
                <Holding token={token} />
                <Judgement price={price} />
              </div>
              <Sources sources={price.sources} />
            </>
          )
        }
      </Loaded>
      <Observations token={token} />
    </Page>
  )
}

function Holding({ token }: { token: string }) {
  const { t } = useI18n()
  const assets = useQuery(assetsQuery)
  return (
    <Panel title={t('assets.holding')}>
      <Loaded query={assets}>
        {({ items }) => {
          const asset = items.find((one) => one.token === token)
          if (asset === undefined) return <Empty>{t('assets.none')}</Empty>
          return (
            <Facts
              of={[
                [t('assets.token'), <Address key="t" of={token} />],
                [t('assets.tier'), asset.tier],
                [t('assets.balance'), <Amount key="b" raw={asset.balance} decimals={asset.decimals} />],
                [t('assets.value'), <Amount key="v" raw={asset.value} />],
                [t('assets.ratio'), percent(asset.ratio)],
                [t('assets.target'), percent(asset.targetAllocation)],
                [t('assets.method'), asset.terms.method],
              ]}
            />
          )
        }}
      </Loaded>
    </Panel>
  )
}

function Judgement({ price }: { price: Price }) {
  const { t } = useI18n()
  return (
    <Panel title={t('prices.judgement')}>
      <Facts
        of={[
          [t('prices.trust'), <Status key="t" of={price.trust} />],
          [t('prices.agreed'), <OptionalPrice key="a" raw={price.price} />],
          [t('prices.contract'), <OptionalPrice key="c" raw={price.contractPrice} />],
          price.valueApart === null ? null : [t('prices.apart'), <Amount key="v" raw={price.valueApart} />],
          price.valuedAt === null ? null : [t('prices.valuedAt'), <Time key="w" at={price.valuedAt} />],
          [t('prices.missed'), price.missedPublications],
          [t('prices.since'), price.sinceBlock],
        ]}
      />
      {price.notes.map((note) => (
        <p key={note} className={ui.note}>
          {note}
        </p>
      ))}
    </Panel>
  )
}

function Sources({ sources }: { sources: readonly Schemas['PriceSourceView'][] }) {
  const { t } = useI18n()
  return (
    <Panel title={t('prices.sources')}>
      <DataTable
        label={t('prices.sources')}
        rows={sources}
        rowKey={({ source }) => source}
        empty={t('assets.none')}
        columns={[
          { name: 'source', head: t('prices.source'), cell: ({ source, kind }) => <>{source} · {t(`source.${kind}`)}</> },
          { name: 'upstream', head: t('prices.upstream'), cell: ({ upstream }) => upstream },
          { name: 'price', head: t('assets.price'), right: true, cell: ({ price }) => <OptionalPrice raw={price} /> },
          { name: 'valued', head: t('prices.valuedAt'), cell: ({ valuedAt }) => <Time at={valuedAt} /> },
          { name: 'use', head: t('prices.use'), cell: ({ use }) => <Status of={use} /> },
          { name: 'note', head: t('prices.note'), cell: ({ fault, note }) => <>{fault === null ? null : t(`fault.${fault}`)} {note}</> },
        ]}
      />
    </Panel>
  )
}

function Observations({ token }: { token: string }) {
  const { t } = useI18n()
  const { page = 1 } = route.useSearch()
  const navigate = route.useNavigate()
  const observations = useQuery(observationsQuery(token, page))
  return (
    <Panel title={t('prices.observations')} aside={<CsvButton path={`/api/v1/prices/${token}/observations`} />}>
      <Loaded query={observations}>
        {({ items, pagination }) => (
          <>
            <LinesChart label={t('prices.observations')} lines={linesOf(items)} />
            <DataTable
              label={t('prices.observations')}
              rows={items}
              rowKey={({ source, seenAt, valuedAt }) => `${source}${seenAt}${valuedAt}`}
              empty={t('prices.noObservations')}
              columns={[
                { name: 'seen', head: t('prices.seenAt'), cell: ({ seenAt }) => <Time at={seenAt} /> },
                { name: 'source', head: t('prices.source'), cell: ({ source }) => source },
                { name: 'price', head: t('assets.price'), right: true, cell: ({ price }) => <OptionalPrice raw={price} /> },
                { name: 'valued', head: t('prices.valuedAt'), cell: ({ valuedAt }) => <Time at={valuedAt} /> },
                { name: 'block', head: t('column.block'), right: true, cell: ({ blockNumber }) => blockNumber ?? '–' },
                { name: 'fault', head: t('prices.fault'), cell: (observation) => <Fault of={observation} /> },
              ]}
            />
            <Pager page={page} total={pagination.total} totalPages={pagination.totalPages} onPage={(next) => void navigate({ search: { page: next } })} />
          </>
        )}
      </Loaded>
    </Panel>
  )
}

function Fault({ of: { fault, detail } }: { of: Observation }) {
  const { t } = useI18n()
  if (fault === null) return '–'
  return (
    <>
      {t(`fault.${fault}` as Key) || fault} {detail}
    </>
  )
}

/** One line for each of the first sources, oldest observation first. */
function linesOf(items: readonly Observation[]): Line[] {
  const names = [...new Set(items.map(({ source }) => source))].slice(0, DRAWN_SOURCES_MAX)
  return names.map((name) => ({
    name,
    points: items
      .flatMap(({ source, price, valuedAt }) => (source !== name || price === null ? [] : [{ valuedAt, raw: parseRaw(price) }]))
      .map(({ valuedAt, raw }) => ({ at: Date.parse(valuedAt), y: toPlotNumber(raw), text: `${formatUtc(valuedAt)}: ${formatRaw(raw, FUND_DECIMALS, PRICE_PLACES)}` }))
      .reverse(),
  }))
}
