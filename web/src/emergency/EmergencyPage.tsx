import { useQuery } from '@tanstack/react-query'
import { getRouteApi } from '@tanstack/react-router'
import type { Schemas } from '../api/client'
import { emergencyQuery } from '../api/queries'
import { useI18n, type Key } from '../i18n'
import { useRight } from '../session/rights'
import { RowsCsvButton } from '../ui/CsvButton'
import { Loaded, Page, Panel, Tile } from '../ui/layout'
import ui from '../ui/ui.module.css'
import { Address, Elapsed, Status, Time } from '../ui/values'
import { Actions } from '../wallet/Actions'
import { emergencyName } from './Emergencies'
import { PostMortem } from './PostMortem'
import { Steps } from './Steps'

type Emergency = Schemas['EmergencyDetailView']

const route = getRouteApi('/risk/emergencies/$emergencyId')

/** One emergency or drill: its state, what waits for whom, the record of what happened, and how long it took. */
export function EmergencyPage() {
  const { t } = useI18n()
  const { emergencyId } = route.useParams()
  const emergency = useQuery(emergencyQuery(emergencyId))
  return (
    <Page
      title={emergency.data ? emergencyName(emergency.data, t) : t('emergency.number', { id: emergencyId })}
      aside={emergency.data ? <Status of={emergency.data.state} /> : null}
    >
      <Loaded query={emergency}>{(data) => <EmergencyDetail emergency={data} />}</Loaded>
    </Page>
  )
}

function EmergencyDetail({ emergency }: { emergency: Emergency }) {
  const { t } = useI18n()
  return (
    <>
      {emergency.isDrill ? <p className={ui.note}>{t('emergency.isDrill')}</p> : null}
      <Clocks emergency={emergency} />
      <Panel title={t('emergency.steps')}>
        <Steps emergency={emergency} />
      </Panel>
      {emergency.endedAt === null ? <StandDown id={emergency.id} /> : null}
      <div className={ui.grid}>
        <Timeline emergency={emergency} />
        <PostMortem emergency={emergency} />
      </div>
    </>
  )
}

function Clocks({ emergency }: { emergency: Emergency }) {
  const { t } = useI18n()
  const { state, stateSince, startedAt, startedBy, endedAt, endReason } = emergency
  return (
    <div className={ui.tiles}>
      <Tile label={t('emergency.state')} note={t(`emergency.state.${state}` as Key)}>
        <Status of={state} />
      </Tile>
      <Tile label={t('emergency.started')} note={startedBy === null ? t('emergency.byLevel') : <Address of={startedBy} />}>
        <Time at={startedAt} />
      </Tile>
      {endedAt === null ? (
        <Tile label={t('emergency.inState')} note={<Time at={stateSince} />}>
          <Elapsed since={stateSince} />
        </Tile>
      ) : (
        <Tile label={t('emergency.ended')} note={endReason ?? undefined}>
          <Time at={endedAt} />
        </Tile>
      )}
    </div>
  )
}

function StandDown({ id }: { id: number }) {
  const { t } = useI18n()
  const right = useRight('handle_emergency')
  if (!right.isAllowed) return null // the steps say why
  return (
    <Panel title={t('emergency.standDown')}>
      <p className={ui.note}>{t('emergency.willStandDown')}</p>
      <Actions resource={`/emergencies/${id}`} actions={['stand_down_emergency']} />
    </Panel>
  )
}

function Timeline({ emergency: { id, timeline } }: { emergency: Emergency }) {
  const { t } = useI18n()
  const rows = () => [['number', 'at', 'kind', 'step', 'actor', 'text'], ...timeline.map(({ number, at, kind, step, actor, text }) => [number, at, kind, step, actor, text])]
  return (
    <Panel title={t('emergency.timeline')} aside={<RowsCsvButton name={`paimon-emergency-${id}-timeline.csv`} rows={rows} />}>
      <ol className={ui.timeline}>
        {timeline.map(({ number, at, kind, step, actor, text }) => (
          <li key={number} data-source={actor === null ? undefined : 'users'}>
            <strong>
              {t(`emergency.entry.${kind}` as Key) || kind}
              {step === null ? null : <>: {t(`emergency.step.${step}` as Key) || step}</>}
            </strong>{' '}
            <span className={ui.note}>
              {actor === null ? t('source.system') : <Address of={actor} />} · <Time at={at} />
            </span>
            <div>{text}</div>
          </li>
        ))}
      </ol>
    </Panel>
  )
}
