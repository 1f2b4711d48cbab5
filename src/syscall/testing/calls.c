/* Carries out the memory calls of a script (cases.ts), each in a child that starts from the same layout, and prints the
 * result and a hash of what /proc/self/maps then says about the window.
 *
 *     riscv64-linux-gnu-gcc -O2 -static -o calls calls.c && calls < script > log        (on Linux 6.12, riscv64)
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define BASE 0x1000000000ul
#define PAGE 4096ul
#define WINDOW (0x2000 * PAGE)

static void map(unsigned long page, unsigned long pages, int prot, int flags, int fd)
{
	if (mmap((void *)(BASE + page * PAGE), pages * PAGE, prot, flags | MAP_FIXED, fd, 0) == MAP_FAILED)
		_exit(99);
}

static void layout(void)
{
	int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	map(0, 4, PROT_READ | PROT_WRITE, anon, -1);
	*(volatile char *)BASE = 1;
	*(volatile char *)(BASE + PAGE) = 1;
	map(5, 1, PROT_READ, anon, -1);
	map(6, 2, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
	map(8, 2, PROT_READ | PROT_WRITE, MAP_SHARED, 10);
	map(10, 1, PROT_READ, MAP_SHARED, 11);
	map(11, 1, PROT_NONE, anon, -1);
	map(12, 2, PROT_READ | PROT_EXEC, MAP_PRIVATE, 10);
	map(40, 1, PROT_READ | PROT_WRITE, anon | MAP_GROWSDOWN, -1);
}

static char text[1 << 20];

static uint32_t hash(int verbose)
{
	uint32_t h = 2166136261u;
	long n = 0, got;
	int fd = open("/proc/self/maps", O_RDONLY);
	while ((got = read(fd, text + n, sizeof text - 1 - n)) > 0)
		n += got;
	text[n] = 0;
	for (char *line = strtok(text, "\n"); line; line = strtok(0, "\n")) {
		unsigned long start, end, offset;
		char prot[5], out[100];
		if (sscanf(line, "%lx-%lx %4s %lx", &start, &end, prot, &offset) != 4)
			continue;
		if (start < BASE || start >= BASE + WINDOW)
			continue;
		snprintf(out, sizeof out, "%lx-%lx %s %lx\n", (start - BASE) / PAGE, (end - BASE) / PAGE, prot, offset);
		if (verbose)
			fprintf(stderr, "  %s", out);
		for (char *c = out; *c; c++)
			h = (h ^ (unsigned char)*c) * 16777619u;
	}
	return h;
}

static void run(const char *name, long number, unsigned long *a, int verbose)
{
	layout();
	long result = syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (result == -1)
		printf("-%d", errno);
	else if ((unsigned long)result - BASE < WINDOW)
		printf("@%lx", ((unsigned long)result - BASE) / PAGE);
	else
		printf(result == 0 ? "0" : "elsewhere");
	printf(" %08x\n", hash(verbose));
	fflush(stdout);
	_exit(0);
}

int main(int argc, char **argv)
{
	char name[20];
	long number;
	unsigned long a[6];
	int pipes[2];
	int file = memfd_create("file", 0), again;
	char path[40];
	if (ftruncate(file, PAGE + 100))
		return 1;
	dup2(file, 10);
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	again = open(path, O_RDONLY);
	dup2(again, 11);
	again = open(path, O_WRONLY);
	dup2(again, 12);
	dup2(open("/", O_RDONLY | O_DIRECTORY), 13);
	if (pipe(pipes))
		return 1;
	dup2(pipes[0], 14);
	while (scanf("%19s %ld %lx %lx %lx %lx %lx %lx", name, &number, a, a + 1, a + 2, a + 3, a + 4, a + 5) == 8) {
		int status;
		pid_t child = fork();
		if (child == 0)
			run(name, number, a, argc > 1);
		waitpid(child, &status, 0);
		if (status != 0) {
			printf("died\n");
			fflush(stdout);
		}
	}
	return 0;
}
