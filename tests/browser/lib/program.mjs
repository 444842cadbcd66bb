// The built program on a folder made for one test, driven as a script would: by the JSON lines it prints.

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const top = fileURLToPath(new URL('../../../', import.meta.url))
export const program = process.env.GOOP2 ?? join(top, 'target/debug/goop2')

/** A start takes a fraction of a second; a machine that compiles beside it may need this. */
const READY_MS = 20_000
/** For anything it should say: more than any deadline it has itself. */
const EVENT_MS = 20_000
/** "Ctrl-C and SIGTERM shut down in order, within 2 s", and some for a busy machine. */
const STOP_MS = 5_000

/** `label` names it in failures, `dir` is its folder, `env` what its environment has besides. */
export class Program {
  #child
  #errors = []
  #events = []
  #listeners = new Set()

  /** Runs a subcommand on the folder, again if it ran before; gives what it says when it is ready. */
  async launch(subcommand) {
    const stderr = (this.#errors = [])
    this.#events = []
    this.#child = spawn(program, [subcommand, this.dir, '--json'], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...this.env } })
    this.#child.once('error', (error) => stderr.push(`${program}: ${error.message}`))
    this.#child.stderr.on('data', (data) => stderr.push(data))
    createInterface({ input: this.#child.stdout }).on('line', (line) => this.#hear(JSON.parse(line)))
    this.exited = new Promise((done) => this.#child.once('close', done))
    const gone = this.exited.then(() => assert.fail(`${this.label} ended: ${stderr.join('')}`))
    gone.catch(() => {})
    return Promise.race([this.event((event) => event.event === 'ready', READY_MS), gone])
  }

  /** The first event that fits, past ones of this run included. */
  async event(fits, patience = EVENT_MS) {
    const past = this.#events.find(fits)
    if (past) return past
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.#listeners.delete(listener)
        reject(new Error(`${this.label} did not say what was expected; it said ${JSON.stringify(this.#events)}`))
      }, patience)
      const listener = (event) => {
        if (!fits(event)) return
        clearTimeout(late)
        this.#listeners.delete(listener)
        resolve(event)
      }
      this.#listeners.add(listener)
    })
  }

  /** What it has logged in this run. */
  logged() {
    return Buffer.concat(this.#errors.map((data) => Buffer.from(data))).toString()
  }

  /** Megabytes from `/proc`: `VmRSS` is what the process holds now, `VmHWM` the most that it held since `forgetPeak`. */
  async memory(figure) {
    const status = await readFile(`/proc/${this.#child.pid}/status`, 'utf8')
    return (Number(new RegExp(`^${figure}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024) / 1e6
  }

  forgetPeak() {
    return writeFile(`/proc/${this.#child.pid}/clear_refs`, '5')
  }

  /** What was said so far no longer counts as an answer. */
  forget() {
    this.#events = []
  }

  #hear(event) {
    this.#events.push(event)
    for (const listener of this.#listeners) listener(event)
  }

  /** Ends it in order; it says goodbye. */
  async stop() {
    this.#child.kill('SIGTERM')
    const late = setTimeout(() => this.kill(), STOP_MS)
    await this.exited
    clearTimeout(late)
  }

  /** Ends it as a crash does. */
  async kill() {
    this.#child.kill('SIGKILL')
    await this.exited
  }

  async remove() {
    await this.stop()
    await rm(this.dir, { recursive: true, force: true })
  }
}
