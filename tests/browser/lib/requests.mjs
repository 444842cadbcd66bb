// Every kind of request that a page can make. Each runs in the page itself and gets an address; none waits for an answer, since
// the page may not be allowed to see one.

/** The policy directive it falls under, and the request. */
export const requests = {
  'fetch': ['connect-src', (url) => void fetch(url, { credentials: 'include' }).catch(() => {})],
  'fetch without CORS': ['connect-src', (url) => void fetch(url, { mode: 'no-cors', method: 'POST', body: 'x' }).catch(() => {})],
  'XMLHttpRequest': ['connect-src', (url) => {
    const request = new XMLHttpRequest()
    request.open('GET', url)
    request.send()
  }],
  'beacon': ['connect-src', (url) => void navigator.sendBeacon(url, 'x')],
  'ping of a link': ['connect-src', (url) => {
    const link = Object.assign(document.createElement('a'), { href: '#there', ping: url })
    document.body.append(link)
    link.click()
  }],
  'EventSource': ['connect-src', (url) => void new EventSource(url)],
  'WebSocket': ['connect-src', (url) => {
    try {
      new WebSocket(url.replace(/^http/, 'ws'))
    } catch { /* refused before it began */ }
  }],
  'worker': ['connect-src', (url) => {
    const text = `fetch(${JSON.stringify(url)}, { mode: 'no-cors' }).catch(() => {})`
    const worker = new Worker(URL.createObjectURL(new Blob([`addEventListener('securitypolicyviolation', (event) => postMessage(event.effectiveDirective)); ${text}`])))
    worker.onmessage = ({ data }) => document.dispatchEvent(new SecurityPolicyViolationEvent('securitypolicyviolation', { effectiveDirective: data, blockedURI: url, bubbles: true }))
  }],
  'image': ['img-src', (url) => void Object.assign(new Image(), { src: url })],
  'style of an element': ['img-src', (url) => {
    document.body.style.backgroundImage = `url(${url})`
  }],
  'script': ['script-src-elem', (url) => document.body.append(Object.assign(document.createElement('script'), { src: url }))],
  'import': ['script-src-elem', (url) => void import(url).catch(() => {})],
  'style sheet': ['style-src-elem', (url) => document.head.append(Object.assign(document.createElement('link'), { rel: 'stylesheet', href: url }))],
  'font': ['font-src', (url) => void new FontFace('x', `url(${url})`).load().catch(() => {})],
  'video': ['media-src', (url) => document.body.append(Object.assign(document.createElement('video'), { src: url, preload: 'auto' }))],
  'object': ['object-src', (url) => document.body.append(Object.assign(document.createElement('object'), { data: url, type: 'text/html' }))],
  'prefetch': ['default-src', (url) => document.head.append(Object.assign(document.createElement('link'), { rel: 'prefetch', href: url }))],
  'frame': ['frame-src', (url) => document.body.append(Object.assign(document.createElement('iframe'), { src: url }))],
  'frame that goes on': ['frame-src', (url) => {
    const frame = document.createElement('iframe')
    document.body.append(frame)
    frame.contentWindow.location.href = url
  }],
  'form': ['form-action', (url) => {
    const frame = Object.assign(document.createElement('iframe'), { name: 'inner', srcdoc: 'x' })
    const form = Object.assign(document.createElement('form'), { action: url, method: 'post', target: 'inner' })
    document.body.append(frame, form)
    form.submit()
  }],
}
