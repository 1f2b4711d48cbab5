/** The few files of /sys that programs look at: how many processors there are. */
import type { FileEnvironment } from '../environment.js'
import { FilesystemMagic } from '../flags.js'
import type { Vfs } from '../vfs.js'
import { transparentHugePages } from './huge-page-files.js'
import type { MadeUp } from './proc-filesystem.js'
import { directory, file, folder, ProcDirectory, type ProcEntries, type ProcNode } from './proc-node.js'
import { memoryFolders, nodeFolder } from './sysfs-memory.js'

/** A list of processor numbers: `0`, `0-3`. */
function allProcessors({ mm }: FileEnvironment): string {
  const last = mm.tlbs.hartCount - 1
  return last === 0 ? '0\n' : `0-${last}\n`
}

const processors = () => file((_vfs, _process, env) => allProcessors(env))

/** Processors share nothing below their package. */
function topologyOf(number: number): ProcNode {
  const own = file(() => `${(2 ** number).toString(16)}\n`)
  const list = file(() => `${number}\n`)
  return directory(() => ({
    core_cpus: own,
    core_cpus_list: list,
    core_id: list,
    package_cpus_list: processors(),
    physical_package_id: file(() => '0\n'),
    thread_siblings: own,
    thread_siblings_list: list,
  }))
}

/** `cpu0` and so on: a folder for each processor. */
function processorFolders({ env }: Vfs): Record<string, ProcNode> {
  const numbers = Array.from({ length: env.mm.tlbs.hartCount }, (_, number) => number)
  const online = file(() => '1\n', 0o644)
  return Object.fromEntries(
    numbers.map((number) => [`cpu${number}`, directory(() => ({ online, topology: topologyOf(number) }))]),
  )
}

function processorFiles(): ProcEntries {
  const all = processors()
  return {
    online: all,
    possible: all,
    present: all,
    offline: file(() => '\n'),
    kernel_max: file(() => '63\n'),
    isolated: file(() => '\n'),
  }
}

function nodeFiles(): ProcEntries {
  const only = file(() => '0\n')
  return {
    has_cpu: only,
    has_memory: only,
    has_normal_memory: only,
    online: only,
    possible: only,
    node0: folder(nodeFolder),
  }
}

function systemDevices(): ProcEntries {
  return {
    cpu: new ProcDirectory([processorFiles], 0o555, processorFolders),
    node: directory(nodeFiles),
  }
}

function kernelFolders(): ProcEntries {
  return {
    mm: directory(() => ({ transparent_hugepage: folder(transparentHugePages), ...memoryFolders() })),
  }
}

function top(): ProcEntries {
  const empty = directory()
  return {
    block: empty,
    bus: empty,
    class: empty,
    dev: empty,
    devices: directory(() => ({ system: directory(systemDevices) })),
    firmware: empty,
    fs: empty,
    kernel: directory(kernelFolders),
    module: empty,
    power: empty,
  }
}

export const SYSFS: MadeUp = {
  tree: directory(top),
  hasProcesses: false,
  magic: FilesystemMagic.sysfs,
}
