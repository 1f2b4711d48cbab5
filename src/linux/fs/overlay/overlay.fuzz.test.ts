/**
 * The same calls on an overlay and on a tmpfs that got a naive copy of the merged folders before: every answer, every file's
 * contents and attributes, and the order of every listing must be the same.
 */
import { expect, test } from 'vitest'
import { Random } from '../../../base/random.js'
import { SEED } from '../../../base/testing.js'
import { At, FileType, Open } from '../flags.js'
import { AT_FDCWD, FileMachine } from '../testing/file-machine.js'
import { type HostNode, MemoryHost } from '../testing/memory-host.js'

const STEPS = Number(process.env.PAGODA_FUZZ_STEPS ?? 1500)
const NAMES = ['a', 'b', 'c', 'd']

function randomPath(random: Random): string {
  return Array.from({ length: random.between(1, 3) }, () => random.pick(NAMES)).join('/')
}

function isFolder(top: HostNode, names: readonly string[]): boolean {
  const node = names.reduce<HostNode | undefined>((at, name) => at?.children.get(name), top)
  return node?.type === FileType.directory
}

/** A random folder with everything below `r`; what cannot be made there is left out. */
function randomLayer(random: Random): MemoryHost {
  const host = new MemoryHost()
  host.makeDirectory('r', 0o755)
  const make = (path: string) => {
    const kind = random.below(10)
    if (kind < 4) return host.makeDirectory(path, 0o755)
    if (kind < 5) return host.symlink(path, random.pick(['a', '../b', '/r/c', 'd/a']))
    if (host.createFile(path, 0o644) === 0) host.put(path, `${path} `.repeat(random.below(1200)))
    return 0
  }
  for (let i = 0; i < 25; i++) {
    const path = `r/${randomPath(random)}`
    if (isFolder(host.root, path.split('/').slice(0, -1))) make(path)
  }
  return host
}

/** The uppermost node of a name, its children merged with those of folders below it. */
function merge(nodes: readonly HostNode[]): HostNode {
  const top = nodes[0]!
  const end = nodes.findIndex((node) => node.type !== FileType.directory)
  const folders = end < 0 ? nodes : nodes.slice(0, end)
  const names = new Set(folders.flatMap((node) => [...node.children.keys()]))
  const children = new Map<string, HostNode>()
  for (const name of [...names].sort()) {
    children.set(name, merge(folders.flatMap(({ children: of }) => of.get(name) ?? [])))
  }
  return { ...top, children }
}

/** All that a host folder is. */
function textOf({ root }: MemoryHost): string {
  return JSON.stringify(root, (_key, value) => (value instanceof Map ? [...value] : value))
}

/** Makes the merged tree with the guest's own calls. */
function copyInto(machine: FileMachine, path: string, node: HostNode): void {
  if (node.type === FileType.symlink) machine.call('symlinkat', node.target, AT_FDCWD, path)
  if (node.type === FileType.regular) machine.writeFile(path, new TextDecoder().decode(node.bytes))
  if (node.type !== FileType.directory) return
  machine.call('mkdirat', AT_FDCWD, path, 0o755)
  for (const [name, child] of node.children) copyInto(machine, `${path}/${name}`, child)
}

type Step = (machine: FileMachine) => unknown

function writeAt(machine: FileMachine, path: string, offset: number, text: string): number {
  const fd = machine.open(path, Open.readWrite)
  if (fd < 0) return fd
  const result = machine.call('pwrite64', fd, text, text.length, offset)
  machine.call('close', fd)
  return result
}

function attributes(machine: FileMachine, path: string): unknown {
  const stat = machine.stat(path, At.symlinkNoFollow)
  return typeof stat === 'number' ? stat : [stat.mode, stat.size, stat.links]
}

/** Everything below a path; a link is not gone through, or it may lead upwards for ever. */
function picture(machine: FileMachine, path: string): unknown {
  const own = [attributes(machine, path), machine.readFile(path)]
  const stat = machine.stat(path, At.symlinkNoFollow)
  if (typeof stat === 'number' || (stat.mode & FileType.mask) === FileType.symlink) return own
  const names = machine.names(path)
  if (typeof names === 'number') return [...own, names]
  return [...own, names.map((name) => [name, picture(machine, `${path}/${name}`)])]
}

function randomStep(random: Random): Step {
  const [one, other] = [`/r/${randomPath(random)}`, `/r/${randomPath(random)}`]
  const number = random.below(9000)
  const steps: Step[] = [
    (m) => m.readFile(one),
    (m) => m.names(one),
    (m) => attributes(m, one),
    (m) => m.writeFile(one, `new ${number}`),
    (m) => writeAt(m, one, number, 'written'),
    (m) => m.call('truncate', one, number),
    (m) => m.call('mkdirat', AT_FDCWD, one, 0o700),
    (m) => m.call('unlinkat', AT_FDCWD, one, 0),
    (m) => m.call('unlinkat', AT_FDCWD, one, At.removeDirectory),
    (m) => m.call('renameat2', AT_FDCWD, one, AT_FDCWD, other, 0),
    (m) => m.call('renameat2', AT_FDCWD, one, AT_FDCWD, other, random.below(3)),
    (m) => m.call('linkat', AT_FDCWD, one, AT_FDCWD, other, 0),
    (m) => m.call('symlinkat', random.pick(['a', '/r/b', '../c']), AT_FDCWD, one),
    (m) => m.call('fchmodat', AT_FDCWD, one, number & 0o777),
  ]
  return random.pick(steps)
}

test('an overlay and a copy behave alike', () => {
  const random = new Random(SEED)
  for (let done = 0; done < STEPS; done += 100) {
    const layers = Array.from({ length: random.between(1, 3) }, () => randomLayer(random))
    const before = layers.map(textOf)
    const overlay = new FileMachine(8, '/', layers)
    const copy = new FileMachine(8)
    copyInto(copy, '/r', merge(layers.map(({ root }) => root)).children.get('r')!)
    for (let step = 0; step < 100; step++) {
      const where = `PAGODA_SEED=${SEED}, step ${done + step}`
      const seed = random.uint32()
      const [mine, naive] = [overlay, copy].map((machine) => randomStep(new Random(seed))(machine))
      expect(mine, where).toEqual(naive)
      if (step % 20 === 19) expect(picture(overlay, '/r'), where).toEqual(picture(copy, '/r'))
    }
    overlay.check()
    expect(layers.map(textOf)).toEqual(before)
  }
})
