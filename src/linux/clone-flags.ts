/** What clone(2), clone3(2), unshare(2) and setns(2) are told by bits. */

/** include/uapi/linux/sched.h; the lowest byte is the exit signal in clone(2). */
export const CloneFlag = {
  newTime: 0x80,
  memory: 0x100,
  surroundings: 0x200,
  files: 0x400,
  signalActions: 0x800,
  pidFile: 0x1000,
  traced: 0x2000,
  vfork: 0x4000,
  parent: 0x8000,
  thread: 0x1_0000,
  newMounts: 0x2_0000,
  semaphores: 0x4_0000,
  setTls: 0x8_0000,
  parentSetTid: 0x10_0000,
  childClearTid: 0x20_0000,
  detached: 0x40_0000,
  untraced: 0x80_0000,
  childSetTid: 0x100_0000,
  newCgroup: 0x200_0000,
  newUts: 0x400_0000,
  newIpc: 0x800_0000,
  newUser: 0x1000_0000,
  newPid: 0x2000_0000,
  newNet: 0x4000_0000,
} as const
