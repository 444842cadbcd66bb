// A program on this machine that visited pages must not reach. It answers whoever comes, and remembers.

import { once } from 'node:events'
import { createServer } from 'node:http'

export class Canary {
  #server
  #waiting = new Set()
  /** Request lines of those who spoke HTTP. */
  requests = []
  cookies = []
  /** Connections on which anything was said, in whatever language. (Browsers open some ahead, and say nothing.) */
  heard = 0

  /** On every address of this machine. */
  static async start() {
    const canary = new Canary()
    canary.#server = createServer((request, response) => canary.#answer(request, response))
    canary.#server.on('upgrade', (request, socket) => {
      canary.#note(request)
      socket.destroy()
    })
    canary.#server.on('connection', (socket) => socket.once('data', () => canary.heard++))
    canary.#server.listen(0, '::')
    await once(canary.#server, 'listening')
    canary.port = canary.#server.address().port
    canary.url = canary.at('127.0.0.1')
    return canary
  }

  at(host, scheme = 'http') {
    return `${scheme}://${host}:${this.port}/`
  }

  /** Once somebody asked for this path. */
  async asked(path) {
    if (this.requests.some((line) => line.endsWith(` ${path}`))) return
    await new Promise((done) => this.#waiting.add({ path, done }))
  }

  /** A page without any policy, of which everything but its being elsewhere is harmless. */
  #answer(request, response) {
    this.#note(request)
    request.resume()
    response.writeHead(200, { 'content-type': 'text/html', 'access-control-allow-origin': request.headers.origin ?? '*', 'access-control-allow-credentials': 'true' })
    response.end('<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><title>Elsewhere</title>Elsewhere')
  }

  #note({ method, url, headers }) {
    this.requests.push(`${method} ${url}`)
    this.cookies.push(headers.cookie ?? '')
    for (const waiting of this.#waiting) {
      if (waiting.path !== url) continue
      this.#waiting.delete(waiting)
      waiting.done()
    }
  }

  async stop() {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close').catch(() => {})
  }
}
