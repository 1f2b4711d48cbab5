/* Shared libraries: data, functions and thread-local variables across them, dlopen, dlsym, lazy and immediate binding. */
#define _GNU_SOURCE
#include "libshared.h"
#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

static __thread int own = 3;
__attribute__((constructor)) static void start(void) { printf("program: constructor\n"); }

static const char *base(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}
static int show(struct dl_phdr_info *info, size_t size, void *data) {
  printf("object %s, %d headers%s, tls %d\n", *info->dlpi_name ? base(info->dlpi_name) : "(program)", info->dlpi_phnum > 0, info->dlpi_addr % 4096 ? ", odd" : "", info->dlpi_tls_modid != 0);
  return 0;
}

int main(int argc, char **argv, char **envp) {
  printf("data %d, counter %d %d, tls %d own %d, %s\n", shared_data, shared_counter(), shared_counter(), *shared_tls(), own, shared_which());
  shared_data = 8;
  *shared_tls() += 2;
  printf("hook %d, through the library %d\n", shared_hook(), shared_calls_hook());
  dl_iterate_phdr(show, 0);
  void *plugin = dlopen("libplugin.so", RTLD_LAZY);
  if (!plugin) return printf("%s\n", dlerror()), 1;
  long (*run)(long) = dlsym(plugin, "plugin_run");
  printf("plugin %ld %ld\n", run(1), run(10));
  printf("again the same %d\n", dlopen("libplugin.so", RTLD_NOW) == plugin);
  printf("global %d\n", dlsym(RTLD_DEFAULT, "plugin_run") == 0);
  Dl_info info;
  printf("named %d: %s in %s\n", dladdr((void *)run, &info), info.dli_sname, base(info.dli_fname));
  dlclose(plugin), dlclose(plugin);
  printf("gone %d\n", dlopen("libplugin.so", RTLD_NOLOAD) == 0);
  printf("none: %s\n", dlopen("libnone.so", RTLD_NOW) ? "?" : dlerror());
  printf("no symbol: %d\n", dlsym(RTLD_DEFAULT, "no_such_symbol") == 0);
  printf("base %d entry %d phdr %d vdso %d\n", getauxval(AT_BASE) != 0, getauxval(AT_ENTRY) != 0, getauxval(AT_PHDR) != 0, getauxval(AT_SYSINFO_EHDR) != 0);
  return 0;
}
