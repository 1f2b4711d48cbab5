/** The core in a browser: no Node import anywhere in it, and programs run in Debian's Chromium on shared and on plain memory. */
import { readFileSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { type Browser, chromium, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { serve } from '../examples/browser/serve.mjs'
import { assemble } from '../src/hart/testing/assembler.js'
import { call, elfImage, TEXT } from '../src/linux/testing/elf-image.js'
import { findOracle } from './setup/oracles.js'

const dist = fileURLToPath(new URL('../dist', import.meta.url))
const executablePath = findOracle('chromium')
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]

/** What a bundle imports, with the chunks it shares: names of packages and of Node's modules. */
function foreignImports(entry: string, seen = new Set<string>()): string[] {
  if (seen.has(entry)) return []
  seen.add(entry)
  const text = readFileSync(`${dist}/${entry}`, 'utf8')
  const names = [...text.matchAll(/^(?:import|\} from|export .* from)\b[^'"]*["']([^"']+)["'];?$/gm)].map(
    (m) => m[1]!,
  )
  const dynamic = [...text.matchAll(/\b(?:import|require)\(\s*["']([^"']+)["']/g)].map((m) => m[1]!)
  return [...names, ...dynamic].flatMap((name) =>
    name.startsWith('./') ? foreignImports(name.slice(2), seen) : [name],
  )
}

test('the core imports nothing, the command only what Node has', () => {
  for (const entry of ['index.js', 'hart.js', 'linux.js']) {
    const seen = new Set<string>()
    expect(foreignImports(entry, seen)).toEqual([])
    expect(seen.size, `${entry} shares chunks`).toBeGreaterThan(1)
  }
  const script = ['command.cjs', 'late.cjs'].map((name) => readFileSync(`${dist}/${name}`, 'utf8')).join('')
  const command = [...script.matchAll(/\brequire\([`"']([^`"']+)/g)].map((m) => m[1]!)
  expect(command).toContain('node:fs')
  expect(command.filter((name) => !name.startsWith('node:'))).toEqual([])
})

/** Prints a line and exits with 42. */
function hello(): Buffer {
  const text = Buffer.from('Hello from a tiny program\n')
  const code = assemble(call(64, 1, TEXT + 0x2000, text.length) + call(93, 42), TEXT)
  const segments = [
    { address: TEXT, bytes: code },
    { address: TEXT + 0x2000, bytes: text },
  ]
  return Buffer.from(elfImage({ segments }))
}

const ended = /ended with exit code (\d+), [\d,]+ instructions/
const textOf = async (page: Page, selector: string) => (await page.locator(selector).textContent()) ?? ''

async function waitForEnd(page: Page, name: string): Promise<string> {
  await page.locator('#status', { hasText: new RegExp(`${name} (ended|died)`) }).waitFor()
  return textOf(page, '#status')
}

describe.skipIf(executablePath === undefined)('in Chromium', () => {
  let browser: Browser
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: executablePath!, args: FLAGS })
  })
  afterAll(() => browser?.close())

  const kinds = [
    ['isolated: shared memory', true, 'Its RAM is shared memory.'],
    ['not isolated: plain memory', false, 'Its RAM is plain memory.'],
  ] as const
  test.each(kinds)('%s', async (_, isolated, memory) => {
    const server: Server = await serve({ isolated })
    const page = await browser.newPage()
    const errors: string[] = []
    page.on('pageerror', (error) => errors.push(String(error)))
    page.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
    try {
      await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/examples/browser/`)
      expect(await page.evaluate('crossOriginIsolated')).toBe(isolated)
      expect(ended.exec(await waitForEnd(page, 'tour.elf'))?.[1]).toBe('0')
      expect(await textOf(page, '#memory')).toBe(memory)
      expect(await textOf(page, '#output')).toContain('heap: 9592 primes below 100,000')
      expect(await textOf(page, '#maps')).toMatch(/^3f.* \[vdso\]$/m)
      const file = { name: 'hello.elf', mimeType: 'application/octet-stream', buffer: hello() }
      await page.locator('#file').setInputFiles(file)
      expect(ended.exec(await waitForEnd(page, 'hello.elf'))?.[1]).toBe('42')
      expect(await textOf(page, '#output')).toBe('Hello from a tiny program\n')
      expect(errors).toEqual([])
    } finally {
      await page.close()
      server.close()
    }
  })
})
