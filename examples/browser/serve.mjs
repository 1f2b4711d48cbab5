/**
 * Serves the page: node examples/browser/serve.mjs [--plain] [PORT]
 * Without --plain it sends the two headers that let a page have shared memory.
 */
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import { extname } from 'node:path'
import { argv } from 'node:process'
import { fileURLToPath, pathToFileURL } from 'node:url'

const project = new URL('../../', import.meta.url)
const FOLDERS = ['/dist/', '/examples/']
const TYPES = { '.html': 'text/html', '.js': 'text/javascript', '.map': 'application/json' }
const ISOLATION = {
  'Cross-Origin-Opener-Policy': 'same-origin',
  'Cross-Origin-Embedder-Policy': 'require-corp',
}

async function respond(request, response, headers) {
  const { pathname } = new URL(request.url, 'http://localhost') // without any ..
  const path = pathname.endsWith('/') ? `${pathname}index.html` : pathname
  try {
    if (!FOLDERS.some((folder) => path.startsWith(folder))) throw new Error('not one of ours')
    const body = await readFile(fileURLToPath(new URL(`.${path}`, project)))
    const type = TYPES[extname(path)] ?? 'application/octet-stream'
    response.writeHead(200, { ...headers, 'Content-Type': type }).end(body)
  } catch {
    response.writeHead(404).end('not found\n')
  }
}

/** Resolves to a server that listens on this machine only; port 0 is any free one. */
export function serve({ isolated = true, port = 0 } = {}) {
  const headers = isolated ? ISOLATION : {}
  const server = createServer((request, response) => respond(request, response, headers))
  return new Promise((resolve, reject) => {
    server.once('error', reject).listen(port, '127.0.0.1', () => resolve(server))
  })
}

if (import.meta.url === pathToFileURL(argv[1] ?? '').href) {
  const port = argv.slice(2).find((word) => /^\d+$/.test(word)) ?? '8080'
  const server = await serve({ isolated: !argv.includes('--plain'), port: Number(port) })
  console.log(`http://127.0.0.1:${server.address().port}/examples/browser/`)
}
