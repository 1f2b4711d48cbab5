/** What the figures were measured on. */
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import os from 'node:os'

export interface MachineDescription {
  readonly cpu: string
  readonly cpus: number
  readonly node: string
  readonly v8: string
  /** Such as `Linux 6.12.9 x64`. */
  readonly kernel: string
  /** A hypervisor, a container, or none of them: as well as it can be seen from inside. */
  readonly virtualised: string
  /** Of the last minute, at the start. */
  readonly load: number
}

export function describeMachine(): MachineDescription {
  const { node, v8 } = process.versions
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    cpus: os.cpus().length,
    node,
    v8: v8 ?? 'unknown',
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    virtualised: virtualisation(),
    load: Math.round(os.loadavg()[0]! * 100) / 100,
  }
}

function virtualisation(): string {
  const detected = spawnSync('systemd-detect-virt', { encoding: 'utf8' }).stdout?.trim()
  const names = [hasHypervisorFlag() ? 'hypervisor' : '', detected === 'none' ? '' : (detected ?? '')]
  return names.filter((name) => name !== '').join(', ') || 'no'
}

/** The CPU says so itself (x86). */
function hasHypervisorFlag(): boolean {
  try {
    return /^flags\s*:.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
  } catch {
    return false
  }
}
