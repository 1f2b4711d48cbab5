/* Files in /tmp: creating, reading, writing, seeking, truncating, directories, errnos. */
#define _GNU_SOURCE
#include <dirent.h>
#include "errno_name.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void is(const char *what, long r) { printf("%s: %ld %s\n", what, r, r == -1 ? errno_name(errno) : ""); }
static int order(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

int main(void) {
  umask(022);
  is("chdir", chdir("/tmp"));
  is("mkdir", mkdir("box", 0777));
  is("mkdir again", mkdir("box", 0777));
  is("mkdir missing", mkdir("nowhere/box", 0777));
  int fd = open("box/a", O_RDWR | O_CREAT | O_EXCL, 0666);
  printf("fd %d\n", fd);
  is("exclusive", open("box/a", O_RDWR | O_CREAT | O_EXCL, 0666));
  is("missing", open("box/zz", O_RDONLY));
  is("a directory", open("box", O_WRONLY));
  is("not a directory", open("box/a/b", O_RDONLY));
  is("write", write(fd, "hello, world\n", 13));
  is("seek", lseek(fd, 7, SEEK_SET));
  char b[64] = {0};
  is("read", read(fd, b, 5));
  printf("[%s]\n", b);
  is("seek end", lseek(fd, 10, SEEK_END));
  is("write beyond", write(fd, "x", 1));
  struct stat st;
  is("stat", fstat(fd, &st));
  printf("size %ld mode %o links %ld blocks %d blksize %ld\n", st.st_size, st.st_mode, (long)st.st_nlink, st.st_blocks > 0, (long)st.st_blksize);
  memset(b, 'z', sizeof b);
  printf("pread %zd hole %d %d\n", pread(fd, b, 64, 10), b[4], b[12]);
  is("pwrite", pwrite(fd, "ABC", 3, 2));
  struct iovec v[2] = {{b, 4}, {b + 10, 5}};
  is("lseek", lseek(fd, 0, SEEK_SET));
  is("readv", readv(fd, v, 2));
  printf("%.4s|%.5s\n", b, b + 10);
  is("bad seek", lseek(fd, -1, SEEK_SET));
  is("truncate", ftruncate(fd, 5));
  is("append", open("box/a", O_WRONLY | O_APPEND));
  is("write append", write(4, "++", 2));
  is("size", lseek(4, 0, SEEK_END));
  is("close", close(4));
  is("close again", close(4));
  is("read closed", read(4, b, 1));
  is("read of write-only", (open("box/w", O_WRONLY | O_CREAT, 0600), read(4, b, 1)));
  is("dup", dup(fd));
  is("dup2", dup2(fd, 9));
  is("cloexec", fcntl(9, F_GETFD));
  is("flags", fcntl(9, F_GETFL) & O_ACCMODE);
  is("symlink", symlink("a", "box/link"));
  memset(b, 0, sizeof b);
  is("readlink", readlink("box/link", b, sizeof b));
  printf("%s\n", b);
  is("lstat", lstat("box/link", &st));
  printf("link %d size %ld\n", S_ISLNK(st.st_mode), st.st_size);
  is("stat through", stat("box/link", &st));
  printf("size %ld\n", st.st_size);
  is("loop", symlink("loop", "box/loop"));
  is("open loop", open("box/loop", O_RDONLY));
  is("hard link", link("box/a", "box/b"));
  is("links", (stat("box/a", &st), st.st_nlink));
  is("rename", rename("box/b", "box/c"));
  is("rename missing", rename("box/b", "box/d"));
  is("rmdir full", rmdir("box"));
  is("unlink directory", unlink("box"));
  is("access", access("box/c", R_OK | W_OK));
  is("access x", access("box/c", X_OK));
  is("chmod", chmod("box/c", 0751));
  is("mode", (stat("box/c", &st), st.st_mode & 07777));
  struct dirent **list;
  int n = scandir("box", &list, NULL, order);
  for (int i = 0; i < n; i++) printf("%s(%d) ", list[i]->d_name, list[i]->d_type);
  puts("");
  printf("cwd %s\n", getcwd(b, sizeof b));
  is("getcwd short", (long)getcwd(b, 2) == 0 ? -1 : 0);
  char *m = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  m[0] = 'M';
  is("grow", ftruncate(fd, 5000));
  m[4999] = '!';
  is("pread", pread(fd, b, 1, 4999));
  printf("%c %c\n", b[0], (pread(fd, b, 1, 0), b[0]));
  is("write seen", pwrite(fd, "W", 1, 100));
  printf("%c\n", m[100]);
  char *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  p[1] = 'P';
  printf("%c %c\n", p[1], m[1]);
  m[2] = 'Q';
  printf("%c\n", p[2]);
  is("unlink open", unlink("box/a"));
  is("still there", pread(fd, b, 3, 0));
  FILE *f = fopen("box/text", "w+");
  for (int i = 0; i < 1000; i++) fprintf(f, "line %d\n", i);
  rewind(f);
  long sum = 0;
  int x;
  while (fscanf(f, "line %d\n", &x) == 1) sum += x;
  printf("sum %ld at %ld\n", sum, ftell(f));
  fclose(f);
  is("null", (fd = open("/dev/null", O_RDWR), write(fd, b, 64)));
  is("null read", read(fd, b, 64));
  is("zero", (fd = open("/dev/zero", O_RDWR), read(fd, b, 64)));
  printf("%d\n", b[63]);
  is("full", write(open("/dev/full", O_WRONLY), b, 1));
  is("urandom", read(open("/dev/urandom", O_RDONLY), b, 64));
  is("isatty", isatty(fd));
  is("efault", read(fd, (void *)8, 10));
  is("open efault", open((void *)8, O_RDONLY));
  is("empty name", open("", O_RDONLY));
  memset(b, 'n', sizeof b);
  char name[300];
  memset(name, 'n', 299), name[299] = 0;
  is("long name", open(name, O_RDONLY));
  return 0;
}
