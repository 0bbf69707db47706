import { convertCssVariables, defaultCssVariablesResolver, mergeMantineTheme, DEFAULT_THEME } from '@mantine/core'
import type { Plugin } from 'vite'
import { theme } from '../src/shell/theme.ts'

const MODULE = 'virtual:mantine-variables.css'

/** Make the theme's CSS variables at build time: at run time Mantine writes them as an inline style, which our CSP forbids. */
export function mantineVariables(): Plugin {
  return {
    name: 'mantine-variables',
    resolveId: (id) => (id === MODULE ? `\0${MODULE}` : null),
    load: (id) => (id === `\0${MODULE}` ? variables() : null),
  }
}

function variables(): string {
  return convertCssVariables(defaultCssVariablesResolver(mergeMantineTheme(DEFAULT_THEME, theme)), ':root')
}
