// What the window takes while nobody does anything with it, next to a window of the same webview that shows nothing.
//
// Not a part of `make test`: `make measure` runs it, with programs built as they are shipped: what a debug build has in memory is mostly its own code.

import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cp, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { promised } from '../support/promise.mjs'
import { program } from './lib/app.mjs'
import { until } from './lib/driver.mjs'
import { memory, processor } from './lib/usage.mjs'

/** "At most 60 MB above an empty Tauri window of the same WebKit." */
const ABOVE_MB = 60
/** "0.5 % of a core at most." */
const PERCENT = 0.5
/** Until what a start brings has ended: pages are drawn, caches filled, peers looked for. */
const SETTLES_MS = 20_000
const WATCHED_MS = 20_000

const execute = promisify(execFile)
const empty = join(dirname(program), 'examples/empty')

const isShown = async (pid) => {
  const { stdout } = await execute('xdotool', ['search', '--onlyvisible', '--pid', pid, '--name', '.'])
  return stdout.trim() !== ''
}

/** Starts a program with a window. */
async function show(home, ...command) {
  const child = spawn(command[0], command.slice(1), { env: { ...process.env, HOME: home }, stdio: ['ignore', 'ignore', 'inherit'] })
  await until('a window', () => isShown(child.pid).catch(() => false))
  return child
}

async function end(child) {
  child.kill()
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close')
}

test('a window that is left alone takes little', async (t) => {
  const home = await mkdtemp(join(tmpdir(), 'goop2-rest-'))
  const folder = join(home, 'demo')
  await cp('../../peers/demo', folder, { recursive: true })
  // At once, so that both have the same share of the libraries that they share.
  const windows = [await show(home, empty), await show(home, program, 'window', folder)]
  await sleep(SETTLES_MS)
  const [before, since] = [await processor(windows[1].pid), performance.now()]
  await sleep(WATCHED_MS)
  const percent = ((await processor(windows[1].pid)) - before) / ((performance.now() - since) / 100_000)
  const [nothing, goop2] = await Promise.all(windows.map(({ pid }) => memory(pid)))
  await Promise.all(windows.map(end))
  await rm(home, { recursive: true, force: true, maxRetries: 5 })
  for (const { all, each } of [nothing, goop2]) t.diagnostic(`${all.toFixed(1)} MB: ${each.join(', ')}`)
  promised('the window at rest, of a core', percent, PERCENT, '%')
  promised('the window at rest, above an empty one', goop2.all - nothing.all, ABOVE_MB, 'MB')
})
