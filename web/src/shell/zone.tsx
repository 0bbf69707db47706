import { createContext, use, useMemo, useState, type ReactNode } from 'react'
import type { Zone } from '../format/time'
import { readPreference, writePreference } from './preferences'

interface ZoneChoice {
  zone: Zone
  choose: (zone: Zone) => void
}

const Context = createContext<ZoneChoice>({ zone: 'local', choose: () => undefined })

export function ZoneProvider({ children }: { children: ReactNode }) {
  const [zone, setZone] = useState<Zone>(() => (readPreference('zone') === 'UTC' ? 'UTC' : 'local'))
  const value = useMemo(
    () => ({
      zone,
      choose: (next: Zone) => {
        writePreference('zone', next)
        setZone(next)
      },
    }),
    [zone],
  )
  return <Context value={value}>{children}</Context>
}

export function useZone(): ZoneChoice {
  return use(Context)
}
