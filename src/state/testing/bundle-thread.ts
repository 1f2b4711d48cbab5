import { rolldown } from 'rolldown'

/** Makes one module of a TypeScript file and all that it imports: Node 20 starts no worker thread from TypeScript. */
export async function bundleThread(entry: string, outfile: string): Promise<void> {
  const resolve = { extensionAlias: { '.js': ['.ts', '.js'] } }
  const bundle = await rolldown({ input: entry, resolve, platform: 'node' })
  await bundle.write({ file: outfile, format: 'esm', sourcemap: 'inline' })
}
