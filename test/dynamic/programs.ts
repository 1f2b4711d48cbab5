/**
 * Dynamically linked programs and their libraries, built from this folder with the cross compiler's glibc, and files that
 * are broken in one way each. One set of files in the guest, for Pagoda and for the real kernel.
 */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const folder = fileURLToPath(new URL('.', import.meta.url))
const cache = join(folder, '..', '..', '.cache', 'dynamic')
const sysroot = '/usr/riscv64-linux-gnu/lib'
const LOADER = 'ld-linux-riscv64-lp64d.so.1'

/** Of the sources: what the recorded reference is tied to. */
export const sourceHash = hashOf(
  readdirSync(folder).filter((name) => /\.(c|cc|h)$|^programs\.ts$/.test(name)),
)

/** Whether the compilers and their libraries are here. */
export const isAvailable = existsSync(join(sysroot, LOADER)) && existsSync(join(sysroot, 'libstdc++.so.6'))

function hashOf(names: readonly string[]): string {
  const hash = createHash('sha256')
  for (const name of [...names].sort()) hash.update(readFileSync(join(folder, name)))
  return hash.digest('hex').slice(0, 16)
}

/** Options of each file to build; its sources come first. */
const BUILDS: readonly (readonly [output: string, ...options: string[]])[] = [
  ['lib/libshared.so', 'libshared.c', '-shared', '-fPIC', '-Wl,-soname,libshared.so'],
  ['lib/libplugin.so', 'libplugin.c', '-shared', '-fPIC', 'lib/libshared.so'],
  ['lib/libpreload.so', 'libpreload.c', '-shared', '-fPIC'],
  ['lib/libthrow.so', 'libthrow.cc', '-shared', '-fPIC'],
  ['t/linking', 'linking.c', 'lib/libshared.so', '-pie', '-fPIE'],
  ['t/linking-nopie', 'linking.c', 'lib/libshared.so', '-no-pie', '-fno-pie'],
  ['t/linking-now', 'linking.c', 'lib/libshared.so', '-pie', '-fPIE', '-Wl,-z,now'],
  ['t/layout', 'layout.c', '-pie', '-fPIE'],
  ['t/layout-nopie', 'layout.c', '-no-pie', '-fno-pie'],
  ['t/layout-64k', 'layout.c', '-pie', '-fPIE', '-Wl,-z,max-page-size=65536'],
  ['t/layout-execstack', 'layout.c', '-pie', '-fPIE', '-Wl,-z,execstack'],
  ['t/layout-static', 'layout.c', '-static'],
  ['t/clocks', 'clocks.c', '-pie', '-fPIE'],
  ['t/exceptions', 'exceptions.cc', 'lib/libthrow.so', '-pie', '-fPIE', '-fnon-call-exceptions'],
  ['t/crash', 'crash.c', 'lib/libshared.so', '-pie', '-fPIE'],
  ['t/arguments', 'arguments.c', '-pie', '-fPIE'],
  ['t/arguments-static', 'arguments.c', '-static'],
]
const LIBRARIES = [LOADER, 'libc.so.6', 'libm.so.6', 'libgcc_s.so.1', 'libstdc++.so.6']

const TEXTS: Readonly<Record<string, string>> = {
  's/plain': '#!/t/arguments one two  three \n',
  's/nonewline': '#!  /t/arguments',
  's/2': '#!/s/plain\n',
  's/3': '#!/s/2 x\n',
  's/4': '#!/s/3\n',
  's/5': '#!/s/4\n',
  's/6': '#!/s/5\n',
  's/absent': '#!/nowhere\n',
  's/none': '#!\n',
  's/blank': '#! \t \n',
  's/nothing': '#!',
  's/folder': '#!/t\n',
  's/zero': '#!/t/arguments \0 x\n',
  's/long': `#!/t/arguments ${'x'.repeat(400)}\n`,
  's/cut': `#!/t/${'x'.repeat(400)}\n`,
  's/of-empty': '#!/s/empty\n',
  's/empty': '',
  's/text': 'hello',
}

const PT_LOAD = 1
const PT_INTERP = 3

/** A dynamic program under change. */
class Patch {
  readonly bytes: Uint8Array
  readonly view: DataView

  constructor(original: Uint8Array) {
    this.bytes = original.slice()
    this.view = new DataView(this.bytes.buffer)
  }

  /** Places of the program headers of a type. */
  headers(type: number): number[] {
    const first = Number(this.view.getBigUint64(32, true))
    const all = Array.from({ length: this.view.getUint16(56, true) }, (_, i) => first + i * 56)
    return all.filter((at) => this.view.getUint32(at, true) === type)
  }

  interpreter(path: string, length = path.length + 1): void {
    const [header] = this.headers(PT_INTERP)
    const at = Number(this.view.getBigUint64(header! + 8, true))
    this.bytes.set(new TextEncoder().encode(`${path}\0`), at)
    this.view.setBigUint64(header! + 32, BigInt(length), true)
  }
}

const PATCHES: Readonly<Record<string, (patch: Patch) => void>> = {
  'b/i-absent': (p) => p.interpreter('/nope/ld.so'),
  'b/i-text': (p) => p.interpreter('/s/text'),
  'b/i-unended': (p) => p.interpreter('/s/text', 7),
  'b/i-short': (p) => p.interpreter('', 1),
  'b/i-folder': (p) => p.interpreter('/lib'),
  'b/i-relative': (p) => p.interpreter(`lib/${LOADER}`),
  'b/i-x86': (p) => p.interpreter('/b/x86'),
  'b/i-static': (p) => p.interpreter('/t/arguments-static'),
  'b/i-dynamic': (p) => p.interpreter('/t/arguments'),
  'b/i-empty': (p) => p.interpreter('/b/empty'),
  'b/i-object': (p) => p.interpreter('/b/object'),
  'b/i-script': (p) => p.interpreter('/s/plain'),
  'b/i-beyond': (p) => p.view.setBigUint64(p.headers(PT_INTERP)[0]! + 8, 1n << 40n, true),
  'b/empty': (p) => {
    for (const at of p.headers(PT_LOAD)) p.view.setUint32(at, 0, true)
  },
  'b/shrunk': (p) => {
    for (const at of p.headers(PT_LOAD)) p.view.setBigUint64(at + 40, 1n, true)
  },
  'b/object': (p) => p.view.setUint16(16, 1, true),
  'b/entry-0': (p) => p.view.setBigUint64(24, 0n, true),
  'b/x86': (p) => p.view.setUint16(18, 62, true),
  'b/no-headers': (p) => p.view.setUint16(56, 0, true),
  'b/header-size': (p) => p.view.setUint16(54, 32, true),
}

/** Command lines; words with '=' in front are the environment. */
export const COMMANDS: readonly string[] = [
  ...['linking', 'linking-nopie', 'linking-now'].map((name) => `/t/${name}`),
  'LD_BIND_NOW=1 /t/linking',
  'LD_PRELOAD=libpreload.so /t/linking',
  'LD_PRELOAD=libnone.so /t/arguments',
  'LD_LIBRARY_PATH=/nowhere:/lib /t/linking-nopie',
  ...['layout', 'layout-nopie', 'layout-64k', 'layout-execstack', 'layout-static'].map(
    (name) => `/t/${name}`,
  ),
  `/lib/${LOADER} /t/layout`,
  `/lib/${LOADER} --argv0 other /t/arguments a`,
  `/lib/${LOADER} /t/nothing`,
  `/lib/${LOADER} --verify /t/arguments-static`,
  '/t/clocks',
  '/t/exceptions',
  '/t/crash',
  '/t/arguments a bc',
  ...Object.keys(TEXTS).map((path) => `/${path} a b`),
  ...Object.keys(PATCHES).map((path) => `/${path}`),
]

/** What is only there when built: guest paths without the first slash, and where they are. */
export function build(): ReadonlyMap<string, Uint8Array> {
  const output = join(cache, sourceHash)
  if (!existsSync(output)) compileAll(output)
  const files = new Map<string, Uint8Array>()
  for (const [path] of BUILDS) files.set(path, bytesOf(join(output, path)))
  for (const name of LIBRARIES) files.set(`lib/${name}`, bytesOf(join(sysroot, name)))
  for (const [path, text] of Object.entries(TEXTS)) files.set(path, new TextEncoder().encode(text))
  const original = files.get('t/arguments')!
  for (const [path, change] of Object.entries(PATCHES)) {
    const patch = new Patch(original)
    change(patch)
    files.set(path, patch.bytes)
  }
  return files
}

/** Not a Buffer: its slice() is no copy. */
const bytesOf = (path: string) => new Uint8Array(readFileSync(path))

function compileAll(output: string): void {
  const temporary = `${output}.${process.pid}`
  for (const part of ['lib', 't']) mkdirSync(join(temporary, part), { recursive: true })
  for (const [path, source, ...options] of BUILDS) {
    const compiler = source!.endsWith('.cc') ? 'riscv64-linux-gnu-g++' : 'riscv64-linux-gnu-gcc'
    const flags = ['-O1', '-w', '-o', path, join(folder, source!), ...options]
    execFileSync(compiler, flags, { cwd: temporary, stdio: 'pipe' })
  }
  rmSync(output, { recursive: true, force: true })
  renameSync(temporary, output)
}
