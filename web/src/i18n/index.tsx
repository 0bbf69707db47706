import { createContext, use, useCallback, useMemo, useState, type ReactNode } from 'react'
import { readPreference, writePreference } from '../shell/preferences'
import { en } from './en'

export type Key = keyof typeof en
export type Catalogue = Record<Key, string>
export type Language = 'en' | 'zh'
export type Translate = (key: Key, values?: Record<string, string | number>) => string

interface I18n {
  language: Language
  locale: string
  t: Translate
  choose: (language: Language) => void
}

const LOCALES: Record<Language, string> = { en: 'en-GB', zh: 'zh-CN' }
const Context = createContext<I18n | null>(null)

/** Put values into a text: `{name}` stands for the value of that name. A text that is missing (a state of a newer API) is empty. */
export function fill(text: string | undefined, values: Record<string, string | number> = {}): string {
  return (text ?? '').replace(/\{(\w+)\}/g, (whole, name: string) => (name in values ? `${values[name]}` : whole))
}

/** Read the catalogue of the reader's language; English is part of the first screen, others are loaded when chosen. */
export async function loadCatalogue(language: Language): Promise<Catalogue> {
  return language === 'zh' ? (await import('./zh')).zh : en
}

export function preferredLanguage(): Language {
  const chosen = readPreference('language')
  if (chosen === 'en' || chosen === 'zh') return chosen
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en'
}

export function I18nProvider({ initial, children }: { initial: [Language, Catalogue]; children: ReactNode }) {
  const [[language, catalogue], setCatalogue] = useState(initial)
  const choose = useCallback((next: Language) => {
    writePreference('language', next)
    void loadCatalogue(next).then((loaded) => {
      setCatalogue([next, loaded])
      setDocumentLanguage(next)
    })
  }, [])
  const value = useMemo<I18n>(
    () => ({ language, locale: LOCALES[language], t: (key, values) => fill(catalogue[key], values), choose }),
    [language, catalogue, choose],
  )
  return <Context value={value}>{children}</Context>
}

export function setDocumentLanguage(language: Language): void {
  document.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en'
}

export function useI18n(): I18n {
  const value = use(Context)
  if (value === null) throw new Error('useI18n is used outside I18nProvider')
  return value
}
