/** CPU time of this process so far, user and system, all its threads. Nanoseconds, exact to microseconds. */
export function cpuNow(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) * 1000
}
