import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { rolldown } from 'rolldown'

/** Makes one module of a TypeScript file and all that it imports: Node 20 starts no worker thread from TypeScript. */
export async function bundleThread(entry: string): Promise<ThreadBundle> {
  const folder = mkdtempSync(join(tmpdir(), 'pagoda-thread-'))
  const file = join(folder, 'thread.mjs')
  const resolve = { extensionAlias: { '.js': ['.ts', '.js'] } }
  const bundle = await rolldown({ input: entry, resolve, platform: 'node' })
  await bundle.write({ file, format: 'esm', sourcemap: 'inline' })
  return { file, remove: () => rmSync(folder, { recursive: true }) }
}

export interface ThreadBundle {
  /** What to give to `new Worker`. */
  readonly file: string
  remove(): void
}
