/** The few files of /sys that programs look at: how many processors there are. */
import type { FileEnvironment } from '../environment.js'
import { FilesystemMagic } from '../flags.js'
import type { Vfs } from '../vfs.js'
import { TRANSPARENT_HUGE_PAGES } from './huge-page-files.js'
import type { MadeUp } from './proc-filesystem.js'
import { directory, file, type ProcNode } from './proc-node.js'
import { MEMORY_FOLDERS, NODE_FOLDER } from './sysfs-memory.js'

/** A list of processor numbers: `0`, `0-3`. */
function allProcessors({ mm }: FileEnvironment): string {
  const last = mm.tlbs.hartCount - 1
  return last === 0 ? '0\n' : `0-${last}\n`
}

const processors = file((_vfs, _process, env) => allProcessors(env))

/** Processors share nothing below their package. */
function topologyOf(number: number): ProcNode {
  const own = file(() => `${(2 ** number).toString(16)}\n`)
  const list = file(() => `${number}\n`)
  return directory({
    core_cpus: own,
    core_cpus_list: list,
    core_id: list,
    package_cpus_list: processors,
    physical_package_id: file(() => '0\n'),
    thread_siblings: own,
    thread_siblings_list: list,
  })
}

/** `cpu0` and so on: a folder for each processor. */
function processorFolders({ env }: Vfs): Record<string, ProcNode> {
  const numbers = Array.from({ length: env.mm.tlbs.hartCount }, (_, number) => number)
  const online = file(() => '1\n', 0o644)
  return Object.fromEntries(
    numbers.map((number) => [`cpu${number}`, directory({ online, topology: topologyOf(number) })]),
  )
}

const cpu = directory(
  {
    online: processors,
    possible: processors,
    present: processors,
    offline: file(() => '\n'),
    kernel_max: file(() => '63\n'),
    isolated: file(() => '\n'),
  },
  processorFolders,
)

const only = file(() => '0\n')
const node = directory({
  has_cpu: only,
  has_memory: only,
  has_normal_memory: only,
  online: only,
  possible: only,
  node0: NODE_FOLDER,
})

export const SYSFS: MadeUp = {
  tree: directory({
    block: directory({}),
    bus: directory({}),
    class: directory({}),
    dev: directory({}),
    devices: directory({ system: directory({ cpu, node }) }),
    firmware: directory({}),
    fs: directory({}),
    kernel: directory({ mm: directory({ transparent_hugepage: TRANSPARENT_HUGE_PAGES, ...MEMORY_FOLDERS }) }),
    module: directory({}),
    power: directory({}),
  }),
  hasProcesses: false,
  magic: FilesystemMagic.sysfs,
}
