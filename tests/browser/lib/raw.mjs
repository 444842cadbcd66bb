// HTTP by hand: everything that no browser and no library would send.

import { connect } from 'node:net'

/** Of a connection that says nothing more: longer than a busy machine stands still. */
const SILENCE_MS = 20_000

/** One request as written, one answer, on a connection of its own. */
export async function raw(port, line, headers = [], body = '', address = '127.0.0.1') {
  const socket = connect(port, address)
  const length = body ? [['Content-Length', Buffer.byteLength(body)]] : []
  const fields = [...headers, ...length, ['Connection', 'close']].map(([name, value]) => `${name}: ${value}\r\n`)
  socket.write(`${line} HTTP/1.1\r\n${fields.join('')}\r\n${body}`)
  let text = ''
  // An event stream never ends by itself; its beginning says enough.
  for await (const chunk of socket.setTimeout(SILENCE_MS, () => socket.destroy()).setEncoding('utf8')) {
    text += chunk
    if (/^content-type: text\/event-stream/im.test(text)) break
  }
  const [head, ...rest] = text.split('\r\n\r\n')
  const [status, ...lines] = head.split('\r\n')
  const answered = lines.map((line) => /^(.*?):\s*(.*)$/.exec(line)).map(([, name, value]) => [name.toLowerCase(), value])
  return { status: Number(status.split(' ')[1]), headers: Object.fromEntries(answered), text: rest.join('\r\n\r\n') }
}
