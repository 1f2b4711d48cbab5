/** struct signalfd_siginfo (include/uapi/linux/signalfd.h): a siginfo_t with a place for each field. */
import { Signal, SignalCode } from '../../signal-numbers.js'

export const SIGNALFD_INFO_BYTES = 128

/** In siginfo_t: what follows the code is a union. */
const Info = { signal: 0, errno: 4, code: 8, first: 16, second: 20, third: 24, times: 32 } as const
const Out = {
  pid: 12,
  uid: 16,
  tid: 24,
  overrun: 32,
  status: 40,
  int: 44,
  ptr: 48,
  utime: 56,
  stime: 64,
  addr: 72,
} as const

const FAULTS: ReadonlySet<number> = new Set([Signal.SEGV, Signal.BUS, Signal.ILL, Signal.FPE, Signal.TRAP])

/** Which of the union's layouts a siginfo_t has (siginfo_layout of kernel/signal.c). */
function layoutOf(signal: number, code: number): 'fault' | 'child' | 'timer' | 'kill' | 'queue' {
  if (code > 0 && code < SignalCode.kernel) {
    if (FAULTS.has(signal)) return 'fault'
    if (signal === Signal.CHLD) return 'child'
    return 'kill'
  }
  if (code === SignalCode.timer) return 'timer'
  return code === SignalCode.user || code === SignalCode.tkill || code === SignalCode.kernel
    ? 'kill'
    : 'queue'
}

export function encodeSignalfdInfo(info: Uint8Array): Uint8Array {
  const from = new DataView(info.buffer, info.byteOffset)
  const out = new DataView(new ArrayBuffer(SIGNALFD_INFO_BYTES))
  const copy = (at: number, source: number) => out.setUint32(at, from.getUint32(source, true), true)
  const copyLong = (at: number, source: number) => {
    copy(at, source)
    copy(at + 4, source + 4)
  }
  copy(0, Info.signal)
  copy(4, Info.errno)
  copy(8, Info.code)
  const layout = layoutOf(from.getInt32(Info.signal, true), from.getInt32(Info.code, true))
  if (layout === 'fault') copyLong(Out.addr, Info.first)
  else {
    copy(layout === 'timer' ? Out.tid : Out.pid, Info.first)
    copy(layout === 'timer' ? Out.overrun : Out.uid, Info.second)
  }
  if (layout === 'child') {
    copy(Out.status, Info.third)
    copyLong(Out.utime, Info.times)
    copyLong(Out.stime, Info.times + 8)
  }
  if (layout === 'timer' || layout === 'queue') {
    copy(Out.int, Info.third)
    copyLong(Out.ptr, Info.third)
  }
  return new Uint8Array(out.buffer)
}
