// Runs a program as user 1000: servers that will not run as root.
#include <unistd.h>

int main(int argc, char **argv)
{
	if (argc < 2 || setgid(1000) || setuid(1000))
		return 125;
	execvp(argv[1], argv + 1);
	return 127;
}
