// The window with a mock peer: every state it has, without a backend.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

const ui = fileURLToPath(new URL('../../../ui', import.meta.url))

/** The development server, or with `built` the bundle that a build makes of the same, on a port of its own. */
export class Mock {
  #child

  static async start({ built = false } = {}) {
    const mock = new Mock()
    const vite = (...args) => spawn('node_modules/.bin/vite', [...args, '--mode', 'mock'], { cwd: ui, stdio: ['ignore', 'pipe', 'inherit'] })
    if (built) {
      const [code] = await once(vite('build', '--outDir', 'node_modules/.mock', '--logLevel', 'error'), 'exit')
      if (code !== 0) throw new Error('the mock was not built')
    }
    mock.#child = vite(...(built ? ['preview', '--outDir', 'node_modules/.mock'] : []), '--port', '0', '--clearScreen', 'false')
    for await (const line of createInterface({ input: mock.#child.stdout })) {
      const [url] = /http:\/\/\S+/.exec(line.replaceAll(/\x1b\[\d*m/g, '')) ?? []
      if (!url) continue
      mock.url = url
      return mock
    }
    throw new Error('the mock did not start')
  }

  at(scenario) {
    return `${this.url}?scenario=${scenario}`
  }

  async stop() {
    this.#child.kill()
  }
}
