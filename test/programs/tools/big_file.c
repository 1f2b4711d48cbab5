/* Reads, maps, writes and sums a file that may be larger than memory: big_file PATH MEBIBYTES. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PG 4096L
static uint64_t sum_read(int fd, long bytes) {
  static unsigned char buffer[65536];
  uint64_t sum = 0;
  lseek(fd, 0, SEEK_SET);
  for (long done = 0; done < bytes;) {
    long n = read(fd, buffer, sizeof buffer);
    if (n <= 0) { printf("read: %ld at %ld\n", n, done); exit(1); }
    for (long i = 0; i < n; i += 512) sum = sum * 31 + buffer[i];
    done += n;
  }
  return sum;
}
static uint64_t sum_mapped(unsigned char *map, long bytes) {
  uint64_t sum = 0;
  for (long i = 0; i < bytes; i += 512) sum = sum * 31 + map[i];
  return sum;
}
int main(int argc, char **argv) {
  int fd = open(argv[1], O_RDWR);
  long bytes = atol(argv[2]) << 20;
  uint64_t before = sum_read(fd, bytes);
  unsigned char *map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  printf("read and mapped agree: %d\n", before == sum_mapped(map, bytes));
  for (long i = 0; i < bytes; i += PG) map[i] ^= 0x5a;
  uint64_t after = sum_mapped(map, bytes);
  printf("changed: %d\n", after != before);
  printf("written and read agree: %d\n", after == sum_read(fd, bytes));
  unsigned char *own = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
  for (long i = 0; i < bytes; i += 64 * PG) own[i + 7] = 1;
  printf("private: %d\n", own[7] == 1 && sum_mapped(own, bytes) == after);
  unsigned char *page = malloc(bytes / 8);
  memset(page, 3, bytes / 8);
  lseek(fd, 0, SEEK_SET);
  long n = read(fd, page, bytes / 8);
  printf("one large read: %d\n", n == bytes / 8 && page[0] == map[0] && page[n - 1] == map[n - 1]);
  n = pwrite(fd, page, bytes / 8, bytes / 2);
  printf("one large write: %d\n", n == bytes / 8 && !memcmp(map + bytes / 2, page, n));
  printf("msync %d\n", msync(map, bytes, MS_SYNC));
  return 0;
}
