import { Alert } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { overviewQuery, pricesQuery } from '../api/queries'
import { parseRaw } from '../format/amounts'
import { formatSpan, spanOf } from '../format/time'
import { useI18n } from '../i18n'
import { CsvButton } from '../ui/CsvButton'
import { DataTable, Loaded, Panel } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Amount, Status, Time } from '../ui/values'
import { useSymbolOf } from './symbols'

type Price = Schemas['PriceView']

export const PRICE_PLACES = 4

/** Each asset's price: what its sources agree on, what the contracts use, and whether it is trusted. */
export function Prices() {
  const { t } = useI18n()
  const prices = useQuery(pricesQuery)
  const symbolOf = useSymbolOf()
  return (
    <Panel title={t('prices.title')} aside={<CsvButton path="/api/v1/prices" />}>
      <Loaded query={prices}>
        {({ prices: items, asOf }) => (
          <>
            {items.filter(isUntrusted).map((price) => (
              <Untrusted key={price.token} price={price} symbol={symbolOf(price.token)} />
            ))}
            <DataTable
              label={t('prices.title')}
              rows={items}
              rowKey={({ token }) => token}
              empty={t('assets.none')}
              columns={[
                { name: 'asset', head: t('assets.asset'), cell: ({ token }) => <AssetLink token={token} symbol={symbolOf(token)} /> },
                { name: 'trust', head: t('prices.trust'), cell: ({ trust }) => <Status of={trust} /> },
                { name: 'price', head: t('prices.agreed'), right: true, cell: ({ price }) => <OptionalPrice raw={price} /> },
                { name: 'contract', head: t('prices.contract'), right: true, cell: ({ contractPrice }) => <OptionalPrice raw={contractPrice} /> },
                { name: 'apart', head: t('prices.apart'), right: true, cell: ({ valueApart }) => (valueApart === null ? '–' : <Amount raw={valueApart} />) },
                { name: 'age', head: t('assets.priceAge'), right: true, cell: ({ valuedAt }) => ageOf(valuedAt, asOf.timestamp) },
                { name: 'missed', head: t('prices.missed'), right: true, cell: ({ missedPublications }) => missedPublications },
                { name: 'sources', head: t('prices.sources'), right: true, cell: ({ sources }) => sources.filter(({ use }) => use === 'COUNTED').length },
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

export function isUntrusted({ trust }: Price): boolean {
  return trust === 'UNTRUSTED'
}

export function OptionalPrice({ raw }: { raw: string | null }) {
  return raw === null ? '–' : <Amount raw={raw} places={PRICE_PLACES} />
}

export function AssetLink({ token, symbol }: { token: string; symbol: string }) {
  return (
    <Link to="/assets/$token" params={{ token }}>
      {symbol}
    </Link>
  )
}

/** The age of a price at the block that it was judged at. */
function ageOf(valuedAt: string | null, at: string): string {
  return valuedAt === null ? '–' : formatSpan(spanOf(Date.parse(at) - Date.parse(valuedAt)))
}

/** Why a price is not trusted, and what that stops. */
export function Untrusted({ price, symbol }: { price: Price; symbol: string }) {
  const { t } = useI18n()
  const overview = useQuery(overviewQuery)
  const isWithheld = overview.data?.official?.status === 'WITHHELD'
  return (
    <Alert color="red" title={t('prices.untrusted', { symbol, block: price.sinceBlock })} role="alert">
      {price.reasons.map((reason) => (
        <div key={reason}>{reason}</div>
      ))}
      <ul>
        {isWithheld ? <li>{t('prices.navWithheld')}</li> : null}
        <li>{t('prices.plansStopped', { symbol })}</li>
        <li>
          {t('prices.chainGoesOn')} {price.valueApart === null || parseRaw(price.valueApart) === 0n ? null : <>{t('prices.apartText')} <Amount raw={price.valueApart} unit="USDT" /></>}
        </li>
      </ul>
    </Alert>
  )
}
