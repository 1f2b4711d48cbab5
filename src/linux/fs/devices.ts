/** Character devices, and the host's three streams, which are open files without a name. */
import { EAGAIN, EINVAL, EIO, ENOSPC } from '../../base/errno.js'
import type { Host, HostInput, HostOutput } from '../host.js'
import { type FileEnvironment, FileWait } from './environment.js'
import { deviceNumber, POLL_ALWAYS, Poll } from './flags.js'
import type { Inode } from './nodes.js'

/** What a device does. `-EAGAIN`: not now; it is ready when one of the streams of `waitsFor` is. */
export interface Device {
  read(target: Uint8Array): number
  write(source: Uint8Array): number
  /** Poll bits that hold now. */
  poll(): number
  /** FileWait bits. */
  readonly waitsFor: number
  /** `stream`: lseek is ESPIPE; `still`: lseek answers 0. */
  readonly seek: 'stream' | 'still'
  readonly terminal: HostOutput | undefined
  /** What is written is not even looked at. */
  readonly discards?: boolean
}

/** Name of a device node in /dev, and its numbers. */
export const DEVICE_NODES: readonly (readonly [name: string, major: number, minor: number, mode: number])[] =
  [
    ['null', 1, 3, 0o666],
    ['zero', 1, 5, 0o666],
    ['full', 1, 7, 0o666],
    ['random', 1, 8, 0o666],
    ['urandom', 1, 9, 0o666],
    ['tty', 5, 0, 0o666],
    ['console', 5, 1, 0o600],
    ['userfaultfd', 10, 257, 0o600],
  ]

export const DEVICE_ZERO = deviceNumber(1, 5)
/** Where Debian's kernel has it: the numbers of such devices are given at boot. */
export const DEVICE_USERFAULT = deviceNumber(10, 257)
export const DEVICE_TTY = deviceNumber(5, 0)
const DEVICE_CONSOLE = deviceNumber(5, 1)
/** The terminal that the streams are, if they are one. */
export const DEVICE_PTS = deviceNumber(136, 0)

const ALWAYS = {
  poll: () => POLL_ALWAYS,
  waitsFor: 0,
  seek: 'still',
  terminal: undefined,
} as const

const sink: Device = { ...ALWAYS, read: () => 0, write: (source) => source.length, discards: true }
const zero: Device = { ...sink, read: (target) => target.fill(0).length }
const full: Device = { ...zero, write: () => -ENOSPC, discards: false }

/** Made for its ioctl(2) (calls/userfault-calls.ts). */
const userfault: Device = { ...ALWAYS, read: () => -EINVAL, write: () => -EINVAL }

export class Devices {
  readonly #byNumber: ReadonlyMap<number, Device>
  readonly #streams: ReadonlyMap<string, Device>
  readonly host: Host

  constructor(env: FileEnvironment) {
    this.host = env.host
    const random = randomDevice(env)
    const terminal = terminalDevice(env.host)
    this.#byNumber = new Map([
      [deviceNumber(1, 3), sink],
      [DEVICE_ZERO, zero],
      [deviceNumber(1, 7), full],
      [deviceNumber(1, 8), random],
      [deviceNumber(1, 9), random],
      [DEVICE_TTY, terminal],
      [DEVICE_CONSOLE, terminal],
      [DEVICE_USERFAULT, userfault],
    ])
    const { stdin, stdout, stderr } = env.host
    this.#streams = new Map([
      ['stdin', inputDevice(stdin, stdout)],
      ['stdout', outputDevice(stdout, FileWait.stdout)],
      ['stderr', outputDevice(stderr, FileWait.stderr)],
    ])
  }

  /** The device behind a node, `undefined` when there is none (-ENXIO). */
  of(inode: Inode): Device | undefined {
    return inode.key === '' ? this.#byNumber.get(inode.rdev) : this.#streams.get(inode.key)
  }

  /** Whether the machine has a controlling terminal: what /dev/tty opens. */
  get hasTerminal(): boolean {
    const { stdin, stdout, stderr } = this.host
    return [stdin, stdout, stderr].some((stream) => stream.terminal === true)
  }
}

function randomDevice(env: FileEnvironment): Device {
  return {
    ...ALWAYS,
    read: (target) => {
      env.randomBytes(target)
      return target.length
    },
    write: (source) => source.length,
  }
}

function inputDevice(input: HostInput, output: HostOutput): Device {
  return {
    read: (target) => input.read(target),
    write: (source) => (input.terminal ? output.write(source) : -EIO),
    poll: () => (input.isReady() ? Poll.in | Poll.readNormal : 0),
    waitsFor: FileWait.stdin,
    seek: 'stream',
    terminal: input.terminal ? output : undefined,
  }
}

function outputDevice(output: HostOutput, waitsFor: number): Device {
  return {
    read: () => (output.terminal ? -EAGAIN : -EINVAL),
    write: (source) => output.write(source),
    poll: () => (output.isReady() ? Poll.out | Poll.writeNormal : 0),
    waitsFor,
    seek: 'stream',
    terminal: output.terminal ? output : undefined,
  }
}

/** Reads what is typed and writes to the screen. */
function terminalDevice({ stdin, stdout }: Host): Device {
  const input = inputDevice(stdin, stdout)
  const output = outputDevice(stdout, FileWait.stdout)
  return {
    read: input.read,
    write: output.write,
    poll: () => input.poll() | output.poll(),
    waitsFor: FileWait.stdin | FileWait.stdout,
    seek: 'stream',
    terminal: stdout,
  }
}
