/* SPDX-License-Identifier: Apache-2.0
 * measure PROGRAM ARGUMENT...: runs it and writes what it took to file descriptor 3, as JSON.
 */

#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) { return t.tv_sec + t.tv_usec / 1e6; }

int main(int argc, char **argv) {
  if (argc < 2) return 2;
  double begin = now();
  pid_t pid = fork();
  if (pid == 0) {
    close(3);
    execvp(argv[1], argv + 1);
    _exit(127);
  }
  int status;
  struct rusage used;
  if (pid < 0 || wait4(pid, &status, 0, &used) < 0) return 1;
  dprintf(3, "{\"cpu_seconds\":%.4f,\"wall_seconds\":%.4f,\"peak_kb\":%ld}\n",
          seconds(used.ru_utime) + seconds(used.ru_stime), now() - begin, used.ru_maxrss);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
