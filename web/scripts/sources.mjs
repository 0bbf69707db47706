// The hash of everything that the built console and its checks depend on.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { spawnSync } from 'node:child_process'

export const WEB = dirname(dirname(fileURLToPath(import.meta.url)))
export const OPENAPI = join(WEB, '..', 'docs', 'reference', 'openapi.json')
export const BUILT = join(WEB, '..', 'src', 'paimon', 'gateway', 'rest', 'console', 'built')
const SCHEMA = join(WEB, 'src', 'api', 'schema.d.ts')

function filesBelow(folder) {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => join(folder, name))
    .filter((file) => statSync(file).isFile())
}

export function sourcesHash() {
  const folders = ['src', 'build', 'scripts'].flatMap((name) => filesBelow(join(WEB, name)))
  const files = readdirSync(WEB).map((name) => join(WEB, name)).filter((file) => statSync(file).isFile())
  const hash = createHash('sha256')
  for (const file of [...folders, ...files, OPENAPI].filter((file) => file !== SCHEMA).sort()) {
    hash.update(`${file.slice(WEB.length)}\0`).update(readFileSync(file)).update('\0')
  }
  return hash.digest('hex')
}

/** Whether the step that wrote this stamp saw the same sources. */
export function isUpToDate(stamp, hash) {
  return existsSync(stamp) && readFileSync(stamp, 'utf8') === hash
}

export function writeStamp(stamp, hash) {
  mkdirSync(dirname(stamp), { recursive: true })
  writeFileSync(stamp, hash)
}

/** Run a program; end this one with its exit code when it fails. */
export function run(program, ...args) {
  const result = spawnSync(program, args, { cwd: WEB, stdio: ['ignore', 'inherit', 'inherit'], env: { ...process.env, NO_COLOR: '1' } })
  if (result.error) console.error(`${program} cannot be run: ${result.error.message}`)
  if (result.status !== 0) process.exit(result.status ?? 1)
}

/** Install the packages of the lock file, unless they are there. */
export function install() {
  const lock = readFileSync(join(WEB, 'package-lock.json'), 'utf8')
  const stamp = join(WEB, 'node_modules', '.lock')
  if (isUpToDate(stamp, lock)) return
  console.log('· packages of the console into web/node_modules')
  run('npm', 'ci', '--silent', '--no-audit', '--no-fund')
  writeStamp(stamp, lock)
}

/** Write the API's types as the committed OpenAPI document has them. */
export function generateTypes() {
  const generate = ['node_modules/.bin/openapi-typescript', OPENAPI, '--output', SCHEMA]
  const result = spawnSync(generate[0], generate.slice(1), { cwd: WEB, encoding: 'utf8' })
  if (result.status !== 0) {
    console.error(`the API's types cannot be made: ${result.stderr}${result.stdout}`)
    process.exit(1)
  }
}
