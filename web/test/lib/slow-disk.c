/* Makes each fsync take FSYNC_MS longer, as on an SD card: loaded before the C library. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <time.h>

static void wait(void) {
  const char *ms = getenv("FSYNC_MS");
  struct timespec time = {0, (ms ? atol(ms) : 0) * 1000000L};
  nanosleep(&time, 0);
}

int fsync(int file) {
  wait();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(file);
}

int fdatasync(int file) {
  wait();
  return ((int (*)(int))dlsym(RTLD_NEXT, "fdatasync"))(file);
}
