import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'
import { compressedFiles } from './build/compressedFiles.ts'
import { mantineVariables } from './build/mantineVariables.ts'

const DEMO_ENTRY = 'demo'

export default defineConfig({
  base: '/console/',
  plugins: [react(), mantineVariables(), compressedFiles()],
  build: {
    outDir: '../src/paimon/gateway/rest/console/built',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    manifest: 'manifest.json',
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      input: { index: 'index.html', [DEMO_ENTRY]: 'demo.html' },
      output: {
        // The API serves what lies in demo/ on the demo's chain only.
        entryFileNames: (chunk) => `${chunk.name === DEMO_ENTRY ? 'demo' : 'static'}/[name]-[hash].js`,
        chunkFileNames: 'static/[name]-[hash].js',
        assetFileNames: 'static/[name]-[hash][extname]',
      },
    },
  },
  test: { include: ['src/**/*.test.ts'], environment: 'node' },
} as Parameters<typeof defineConfig>[0])
