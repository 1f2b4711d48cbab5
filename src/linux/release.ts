/** What uname(2) and /proc/version call the kernel: whose behaviour Pagoda follows, and who it is. */
export const LINUX_RELEASE = '6.12.0-pagoda'
