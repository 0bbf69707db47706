import '@mantine/core/styles.layer.css'
import 'virtual:mantine-variables.css'
import './shell/base.css'
import { MantineProvider } from '@mantine/core'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { RouterProvider } from '@tanstack/react-router'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { WagmiProvider } from 'wagmi'
import { hashFn } from 'wagmi/query'
import { ApiProblem } from './api/client'
import { I18nProvider, loadCatalogue, preferredLanguage, setDocumentLanguage } from './i18n'
import { LiveProvider } from './live/LiveProvider'
import { restoreSession } from './session/tokens'
import { router } from './shell/router'
import { theme } from './shell/theme'
import { ZoneProvider } from './shell/zone'
import { walletConfig } from './wallet/config'

const RETRIES_MAX = 2

/** Repeat what may pass by itself. What the API refuses is refused the second time too. */
function mayPass(error: Error): boolean {
  return error instanceof ApiProblem && (error.status === null || error.status >= 500)
}

const client = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 2_000,
      queryKeyHashFn: hashFn,
      networkMode: 'always',
      retry: (failures, error) => failures < RETRIES_MAX && mayPass(error),
      retryDelay: 500,
    },
    mutations: { networkMode: 'always', retry: false },
  },
})

async function start(): Promise<void> {
  const language = preferredLanguage()
  const [catalogue] = await Promise.all([loadCatalogue(language), restoreSession().catch(() => undefined)])
  setDocumentLanguage(language)
  createRoot(document.getElementById('console')!).render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto" withCssVariables={false} withGlobalClasses={false}>
        <I18nProvider initial={[language, catalogue]}>
          <ZoneProvider>
            <WagmiProvider config={walletConfig}>
              <QueryClientProvider client={client}>
                <LiveProvider>
                  <RouterProvider router={router} />
                </LiveProvider>
              </QueryClientProvider>
            </WagmiProvider>
          </ZoneProvider>
        </I18nProvider>
      </MantineProvider>
    </StrictMode>,
  )
}

void start()
