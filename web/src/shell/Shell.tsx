import { Alert, Badge, Button, SegmentedControl, useMantineColorScheme } from '@mantine/core'
import { useQuery } from '@tanstack/react-query'
import { Link, Outlet } from '@tanstack/react-router'
import { ownRightsQuery, slaQuery } from '../api/queries'
import { openTickets } from '../approvals/ticket'
import { EmergencyBanner } from '../emergency/EmergencyBanner'
import { shortHex } from '../format/addresses'
import { useI18n, type Key } from '../i18n'
import { useLiveState } from '../live/LiveProvider'
import { SignInPanel } from '../session/SignInPanel'
import { useSession, type SignedIn } from '../session/store'
import { signOut } from '../session/tokens'
import { Dialog } from '../ui/layout'
import { Palette } from './Palette'
import { SECTIONS } from './sections'
import css from './shell.module.css'
import { useZone } from './zone'

export function Shell() {
  const { user, expired } = useSession()
  const { t } = useI18n()
  if (user === null) return <SignInPage />
  return (
    <div className={css.shell}>
      <a className={css.skip} href="#main">
        {t('shell.skip')}
      </a>
      <Head user={user} />
      <Navigation />
      <main className={css.main} id="main">
        <LiveBanner />
        <EmergencyBanner />
        <Outlet />
      </main>
      <Dialog above opened={expired} onClose={() => void signOut()} title={t('session.expired')}>
        <p>{t('session.expiredText')}</p>
        <SignInPanel expected={user.address} />
      </Dialog>
    </div>
  )
}

function SignInPage() {
  const { t } = useI18n()
  return (
    <main className={css.signIn}>
      <h1>{t('shell.title')}</h1>
      <p>{t('session.intro')}</p>
      <SignInPanel expected={null} />
      <div className={css.tools}>
        <Choices />
      </div>
    </main>
  )
}

function Head({ user }: { user: SignedIn }) {
  const { t } = useI18n()
  return (
    <header className={css.head}>
      <div className={css.brand}>{t('shell.title')}</div>
      <div className={css.tools}>
        <LiveMark />
        <Palette />
        <div className={css.choices}>
          <Choices />
        </div>
        <span title={user.address} className={css.userName}>
          {user.name || shortHex(user.address)} <Badge variant="default">{t(`role.${user.role}`)}</Badge>
        </span>
        <Button size="xs" variant="default" onClick={() => void signOut()}>
          {t('session.signOut')}
        </Button>
      </div>
    </header>
  )
}

function Choices() {
  const { t, language, choose } = useI18n()
  const { zone, choose: chooseZone } = useZone()
  const { colorScheme, setColorScheme } = useMantineColorScheme({ keepTransitions: true })
  return (
    <>
      <SegmentedControl
        size="xs"
        aria-label={t('shell.language')}
        value={language}
        onChange={choose}
        data={[
          { value: 'en', label: 'EN' },
          { value: 'zh', label: '中文' },
        ]}
      />
      <SegmentedControl
        size="xs"
        aria-label={t('shell.zone')}
        value={zone}
        onChange={chooseZone}
        data={[
          { value: 'local', label: t('shell.localZone') },
          { value: 'UTC', label: 'UTC' },
        ]}
      />
      <SegmentedControl
        size="xs"
        aria-label={t('shell.theme')}
        value={colorScheme}
        onChange={setColorScheme}
        data={[
          { value: 'auto', label: t('shell.auto') },
          { value: 'light', label: t('shell.light') },
          { value: 'dark', label: t('shell.dark') },
        ]}
      />
    </>
  )
}

function Navigation() {
  const { t } = useI18n()
  const report = useQuery(slaQuery)
  const waiting = report.data ? openTickets(report.data).length : 0
  return (
    <nav className={css.nav} aria-label={t('shell.navigation')}>
      {SECTIONS.map(({ name, to }) => (
        <Link key={name} to={to} className={css.link} activeOptions={{ exact: to === '/' }}>
          {t(`section.${name}`)}
          {name === 'approvals' && waiting > 0 ? (
            <Badge size="sm" circle aria-label={t('shell.waiting', { count: waiting })}>
              {waiting}
            </Badge>
          ) : null}
        </Link>
      ))}
    </nav>
  )
}

function LiveMark() {
  const { t } = useI18n()
  const state = useLiveState()
  return (
    <span className={css.live} role="status">
      <span className={css.dot} data-state={state} />
      {t(`live.${state}` as Key)}
    </span>
  )
}

/** Say what a lost connection means, rather than leave that to a small dot: the API may answer all the same. */
function LiveBanner() {
  const state = useLiveState()
  return state === 'reconnecting' ? <LostConnection /> : null
}

function LostConnection() {
  const { t } = useI18n()
  const { isError, failureCount } = useQuery(ownRightsQuery)
  const answers = !isError && failureCount === 0
  return (
    <Alert color="orange" className={css.banner} title={t(answers ? 'live.paused' : 'live.lost')} role="status">
      {t(answers ? 'live.pausedText' : 'live.lostText')}
    </Alert>
  )
}
