import { useQuery } from '@tanstack/react-query'
import type { Schemas } from '../api/client'
import { promisesQuery } from '../api/queries'
import { parseRaw } from '../format/amounts'
import { useI18n } from '../i18n'
import { Loaded, Page, Tile } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Amount, Status, Time } from '../ui/values'
import { Forecast } from './Forecast'
import { Gate } from './Gate'
import { Investors } from './Investors'
import { Ladder } from './Ladder'
import { Promises } from './Promises'
import { StressTests } from './StressTests'
import { Tiers } from './Tiers'

const SOON_DAYS = 7

/** Can the fund pay what it has promised: now, in the coming days, and under stress? */
export function LiquidityPage() {
  const { t } = useI18n()
  const ledger = useQuery(promisesQuery)
  return (
    <Page title={t('section.liquidity')}>
      <Loaded query={ledger}>
        {(data) => (
          <>
            <Answer ledger={data} />
            <Promises promises={data.promises} note={data.note} />
            <div className={ui.grid}>
              <Ladder days={data.ladder} />
              <Tiers />
            </div>
          </>
        )}
      </Loaded>
      <Forecast />
      <StressTests />
      <Gate />
      <Investors />
    </Page>
  )
}

/** The answer in figures: what is due soon, what can be cash by then, and the first day on which that is too little. */
function Answer({ ledger }: { ledger: Schemas['PromiseLedgerView'] }) {
  const { t } = useI18n()
  const { ladder, firstShortage, asOf } = ledger
  const soon = ladder.slice(0, SOON_DAYS)
  const sum = (part: 'due' | 'dueIfApproved') => soon.reduce((total, day) => total + parseRaw(day[part]), 0n).toString()
  const last = soon.at(-1)
  const isCovered = soon.every(({ closing }) => parseRaw(closing) >= 0n)
  return (
    <>
      <div className={ui.tiles}>
        <Tile label={t('liquidity.canPay', { days: SOON_DAYS })} note={t(isCovered ? 'liquidity.canPayText' : 'liquidity.cannotPayText')}>
          <Status of={isCovered ? 'COVERED' : 'UNCOVERED'} />
        </Tile>
        <Tile label={t('liquidity.dueSoon', { days: SOON_DAYS })} note={<>{t('liquidity.ifApproved')} <Amount raw={sum('dueIfApproved')} unit="USDT" /></>}>
          <Amount raw={sum('due')} unit="USDT" />
        </Tile>
        <Tile label={t('liquidity.cashSoon', { days: SOON_DAYS })} note={t('liquidity.cashNote')}>
          {last === undefined ? '–' : <Amount raw={last.realisable} unit="USDT" />}
        </Tile>
        <Tile label={t('liquidity.firstShortage')} note={t('liquidity.noForecast', { days: ladder.length })}>
          {firstShortage === null ? t('liquidity.none') : <Time at={firstShortage.endsAt} />}
        </Tile>
      </div>
      <p className={ui.note}>
        {t('ui.asOfBlock', { number: asOf.number })} · <Time at={asOf.timestamp} />
      </p>
    </>
  )
}
