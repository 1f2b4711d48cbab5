/** `pagoda/linux`: unmodified riscv64 Linux programs on the memory manager. */
export { type BootedLinux, type BootOptions, bootLinux } from './boot.js'
export { Clock, type ClockMode } from './clock.js'
export type { ExecProblem } from './exec.js'
export { Files, type MountOptions } from './fs/file-services.js'
export type { HostDirectory, HostHandle, HostListed, HostStat } from './fs/host-directory.js'
export { callbackOutput, fixedInput, type Host, type HostInput, type HostOutput } from './host.js'
export { Linux, type LinuxOptions } from './linux.js'
export type { CrashReport, ExitReport, MemoryReport } from './report.js'
