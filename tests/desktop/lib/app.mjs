// The program with its window, and the desktop around it.

import assert from 'node:assert/strict'
import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Driver, kill, until } from './driver.mjs'

const here = fileURLToPath(new URL('.', import.meta.url))
const top = join(here, '../../..')
export const program = process.env.GOOP2 ?? join(top, 'target/debug/goop2')
/** "Ctrl-C and SIGTERM shut down in order, within 2 s", and some for a busy machine. */
const STOP_MS = 10_000
const execute = promisify(execFile)
/** Of the mouse in one drag, the second half of them where it ends. */
const MOVES = 40
/** Drags of the same, and looks at what comes of each. */
const TRIES = 4
const LOOKS = 100
const LOOK_MS = 100
/** Debian's, which has the bindings of the session bus. */
const PYTHON = '/usr/bin/python3'

/** The home of one test file's user, set before the driver starts: programs take it from there. */
export async function desktop() {
  const home = await mkdtemp(join(tmpdir(), 'goop2-home-'))
  process.env.HOME = home
  for (const name of ['XDG_DATA_HOME', 'XDG_CONFIG_HOME', 'XDG_CACHE_HOME']) delete process.env[name]
  const driver = await Driver.start()
  return {
    home,
    driver,
    peers: join(home, '.local/share/goop2/peers'),
    async open(...args) {
      const window = await driver.open(program, args)
      window.pid = Number(await pidOfWindow())
      return window
    },
    async remove() {
      await driver.stop()
      // The bus is that of the next file too, whose program would hand over to what is still called the running one.
      await until('the end of the program', () => pidOfWindow().then(kill, () => true))
      await rm(home, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** Starts the program again beside the one that runs; it hands over what it was started with, and ends. */
export async function startAgain(...args) {
  await execute(program, args, { timeout: STOP_MS })
}

/** The process with the window. */
export async function pidOfWindow() {
  const name = 'org.goop2.app.SingleInstance'
  const { stdout } = await execute('gdbus', ['call', '--session', '--dest', 'org.freedesktop.DBus', '--object-path', '/org/freedesktop/DBus', '--method', 'org.freedesktop.DBus.GetConnectionUnixProcessID', name])
  return /\d+(?=,)/.exec(stdout.replace('uint32 ', ''))[0]
}

/** Takes the port of the running viewer away from it. */
export async function deafen(pid, port) {
  await execute(PYTHON, [join(here, 'deafen.py'), pid, String(port)])
}

/** Lets the next call of a function in the running program panic, and those after it, until what it answers is called. */
export async function panicIn(pid, name) {
  const child = spawn(PYTHON, [join(here, 'panic.py'), pid, name], { stdio: ['pipe', 'pipe', 'inherit'] })
  const [line] = await once(createInterface({ input: child.stdout }), 'line')
  assert.equal(line, 'done')
  return async () => {
    child.stdin.end()
    const [code] = await once(child, 'close')
    assert.equal(code, 0)
  }
}

/** The keyboard of the desktop. WebDriver's keys go past the window, into its page. */
export const keyboard = {
  press: (keys) => atKeyboard('key', keys),
  type: (text) => atKeyboard('type', text),
}

const atKeyboard = (...what) => execute('xdotool', ['search', '--onlyvisible', '--name', '^Goop2$', 'windowfocus', '--sync', ...what], { timeout: STOP_MS })

/** What the screen shows at these places, as CSS writes colors once computed. */
export async function pixels(...places) {
  const { stdout } = await execute(PYTHON, [join(here, 'pixels.py'), ...places.map(String)])
  return stdout.trim().split('\n')
}

/** The ports on which a process listens, TCP and UDP; without the one that the driver gave WebKit. */
export async function listening(pid) {
  const environment = await readFile(`/proc/${pid}/environ`, 'utf8')
  const driver = /WEBKIT_INSPECTOR_SERVER=\S*?:(\d+)/.exec(environment)?.[1]
  return (await sockets(pid)).map((address) => /\d+$/.exec(address)[0]).filter((port) => port !== driver)
}

/** Those of its sockets that other computers can reach. */
export async function reachable(pid) {
  return (await sockets(pid)).filter((address) => !/^(127\.0\.0\.1|\[::1\]|\[::ffff:127\.0\.0\.1\]):/.test(address))
}

async function sockets(pid) {
  const { stdout } = await execute('ss', ['-Htulnp'])
  const lines = stdout.split('\n').filter((line) => line.includes(`pid=${pid},`))
  return lines.map((line) => /\S+:\d+(?=\s)/.exec(line)[0])
}

/** A part of the desktop on the session bus, which says line by line what programs ask of it. */
class Service {
  #lines = []
  #waiting = []

  async launch(script) {
    this.child = spawn(PYTHON, [join(here, script)], { stdio: ['pipe', 'pipe', 'inherit'] })
    createInterface({ input: this.child.stdout }).on('line', (line) => {
      const next = this.#waiting.shift()
      if (next) next(line)
      else this.#lines.push(line)
    })
    const [first, ...said] = (await this.line()).split(' ')
    assert.equal(first, 'ready')
    this.said = said
    return this
  }

  line() {
    const line = this.#lines.shift()
    return line === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(line)
  }

  stop() {
    this.child.kill()
  }
}

/** A tray like that of a desktop. */
export class Tray extends Service {
  static start = () => new Tray().launch('tray.py')

  /** The entries of the menu. */
  async menu() {
    this.child.stdin.write('menu\n')
    return JSON.parse(await this.line())
  }

  has(entry) {
    return until(`“${entry}” in the tray`, async () => (await this.menu()).includes(entry))
  }

  async click(entry) {
    this.child.stdin.write(`${entry}\n`)
    assert.equal(await this.line(), 'clicked')
  }
}

/** A window of another program. */
export class Other extends Service {
  static start = () => new Other().launch('other.py')

  /** The answer to one word. */
  says(word) {
    this.child.stdin.write(`${word}\n`)
    return this.line()
  }
}

/** A file manager, from which a person drags files. */
export class Files extends Service {
  static start = () => new Files().launch('drag.py')

  /**
   * Drags these to a place in the window, given from its corner, and lets go, until `done`. On a busy machine, a window that has not
   * yet heard what is over it when the mouse lets go takes nothing, and a person drags once more.
   */
  async drag(paths, place, done) {
    this.child.stdin.write(`${JSON.stringify(paths)}\n`)
    assert.equal(await this.line(), 'noted')
    for (let tried = 0; tried < TRIES; tried++) {
      const taken = (await this.#once(place)) === 'taken'
      for (let look = 0; taken && look < LOOKS; look++) {
        if (await done()) return
        await sleep(LOOK_MS)
      }
    }
    assert.fail('The window took nothing of what was dropped on it.')
  }

  async #once({ x, y }) {
    const mouse = (...what) => execute('xdotool', what.map(String), { timeout: STOP_MS })
    const [fromX, fromY] = this.said.map(Number)
    await mouse('mousemove', fromX, fromY, 'mousedown', 1)
    // A drag begins when the mouse has moved some way, and what is below it learns of it as it moves there.
    for (let part = 1; part <= MOVES; part++) {
      const at = (from, to) => Math.round(from + (to - from) * Math.min(1, (2 * part) / MOVES))
      await mouse('mousemove', at(fromX, x) + (part % 2), at(fromY, y), 'sleep', '0.04')
    }
    await mouse('mouseup', 1)
    return this.line()
  }
}

/** What a desktop shows when programs have something to say. */
export class Notifications extends Service {
  static start = () => new Notifications().launch('notifications.py')

  /** The title and the text of the next one. */
  async next() {
    return JSON.parse(await this.line())
  }
}

/** The only peer in a home. */
export async function onlyPeer(peers) {
  const [folder, ...more] = await readdir(peers)
  assert.deepEqual(more, [])
  const dir = join(peers, folder)
  return { dir, config: JSON.parse(await readFile(join(dir, 'goop.json'), 'utf8')) }
}
