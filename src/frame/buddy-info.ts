/** The free blocks of a machine as Linux has them: its orders end at 10, so a larger block is shown as several of that. */

/** MAX_PAGE_ORDER. */
export const LINUX_ORDER_MAX = 10

/** Free blocks of orders 0 to 10, from those of each order. */
export function linuxOrders(perOrder: readonly number[]): number[] {
  const counts = new Array<number>(LINUX_ORDER_MAX + 1).fill(0)
  perOrder.forEach((blocks, order) => {
    counts[Math.min(order, LINUX_ORDER_MAX)]! += blocks * 2 ** Math.max(0, order - LINUX_ORDER_MAX)
  })
  return counts
}

/** The line of a zone in /proc/buddyinfo. */
export function buddyInfo(perOrder: readonly number[], name: string = ZONE_NAMES[0]): string {
  const counts = linuxOrders(perOrder).map((count) => `${`${count}`.padStart(6)} `)
  return `Node 0, zone ${name.padStart(8)} ${counts.join('')}\n`
}

/** Rising. On riscv64 the first has what lies below 4 GiB; where all of RAM is one zone, it is that. The last two never have any. */
export const ZONE_NAMES = ['DMA32', 'Normal', 'Movable', 'Device'] as const
