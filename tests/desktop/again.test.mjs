// A start of the program while it quits: the window comes, of one process or the other.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { after, before, test } from 'node:test'
import { desktop, pidOfWindow, program } from './lib/app.mjs'
import { kill, until } from './lib/driver.mjs'

const execute = promisify(execFile)

let user, window, pid

before(async () => {
  user = await desktop()
  const folder = join(user.peers, 'mira')
  await mkdir(folder, { recursive: true })
  await writeFile(join(folder, 'goop.json'), JSON.stringify({ profile: { label: 'Mira Sol' } }))
  window = await user.open()
  await window.says('Hello, Mira Sol')
  pid = await pidOfWindow()
})

after(async () => {
  await window?.end()
  // What the test started is no child of the driver.
  await pidOfWindow().then(kill, () => {})
  await user?.remove()
})

const isShown = async (pid) => {
  const { stdout } = await execute('xdotool', ['search', '--onlyvisible', '--pid', pid, '--name', '^Goop2$'])
  return stdout.trim() !== ''
}

test('a start while the program quits shows the window', async () => {
  // The window may be gone before the driver has an answer.
  await window.run(() => void window.__TAURI_INTERNALS__.invoke('quit')).catch(() => {})
  spawn(program, [], { stdio: 'ignore' }).unref()
  const other = await until('another process', async () => {
    const now = await pidOfWindow().catch(() => pid)
    return now !== pid && now
  })
  await until('its window', () => isShown(other).catch(() => false))
  assert.notEqual(other, pid)
})
