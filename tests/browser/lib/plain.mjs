// A plain static server, as any host is: what a site does behind it, it must do for visitors of a peer.

import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname, join } from 'node:path'

const types = {
  '.css': 'text/css; charset=utf-8', '.gz': 'application/gzip', '.html': 'text/html; charset=utf-8', '.ico': 'image/x-icon', '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json', '.png': 'image/png', '.svg': 'image/svg+xml', '.txt': 'text/plain; charset=utf-8', '.woff2': 'font/woff2', '.xml': 'application/xml',
}

/** Index pages, `404.html`, and `200.html` for pages that only a script knows. */
export class Plain {
  #server

  static async start(dir) {
    const plain = new Plain()
    plain.#server = createServer((request, response) => answer(dir, request, response))
    plain.#server.listen(0, '127.0.0.1')
    await once(plain.#server, 'listening')
    plain.url = `http://127.0.0.1:${plain.#server.address().port}`
    return plain
  }

  async stop() {
    this.#server.close()
    this.#server.closeAllConnections()
    await once(this.#server, 'close').catch(() => {})
  }
}

async function answer(dir, request, response) {
  const { pathname, search } = new URL(request.url, 'http://plain')
  const path = join(dir, decodeURIComponent(pathname))
  const found = await stat(path).catch(() => undefined)
  if (found?.isDirectory() && !pathname.endsWith('/')) return response.writeHead(301, { location: `${pathname}/${search}` }).end()
  const page = request.headers['sec-fetch-mode'] === 'navigate'
  const candidates = [[found?.isDirectory() ? join(path, 'index.html') : path, 200], ...(page ? [[join(dir, '200.html'), 200], [join(dir, '404.html'), 404]] : [])]
  for (const [file, status] of candidates) {
    if (!(await stat(file).catch(() => undefined))?.isFile()) continue
    response.writeHead(status, { 'content-type': types[extname(file)] ?? 'application/octet-stream' })
    return createReadStream(file).pipe(response)
  }
  response.writeHead(404, { 'content-type': 'text/plain' }).end('not found')
}
