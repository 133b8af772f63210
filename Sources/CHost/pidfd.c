#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef P_PIDFD
#define P_PIDFD 3
#endif

int chost_pidfd_open(pid_t pid) { return (int)syscall(SYS_pidfd_open, pid, 0); }

int chost_pidfd_signal(int pidfd, int signal) { return (int)syscall(SYS_pidfd_send_signal, pidfd, signal, NULL, 0); }

int chost_pidfd_wait(int pidfd, int milliseconds) {
    struct pollfd watched = {.fd = pidfd, .events = POLLIN};
    int count;
    do count = poll(&watched, 1, milliseconds);
    while (count < 0 && errno == EINTR);
    return count > 0;
}

int chost_pidfd_ended(int pidfd) { return chost_pidfd_wait(pidfd, 0); }

int chost_reap(int pidfd, int *code, int *killed) {
    siginfo_t info = {0};
    int result;
    do result = waitid((idtype_t)P_PIDFD, (id_t)pidfd, &info, WEXITED | WNOHANG);
    while (result < 0 && errno == EINTR);
    if (result < 0) return -1;
    if (info.si_pid == 0) return 0;
    *killed = info.si_code != CLD_EXITED;
    *code = info.si_status;
    return 1;
}
