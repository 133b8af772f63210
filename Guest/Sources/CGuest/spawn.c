#include "cguest.h"

/* Between vfork and exec the child runs in its parent's memory: system calls only, and what it stores is seen there. */
static volatile int failed_errno;
static const char *volatile failed_step;

static _Noreturn void fail(const char *step) {
    failed_errno = errno;
    failed_step = step;
    _exit(127);
}

static _Noreturn void become(const struct guest_spawn_order *order) {
    sigset_t none;
    setsid();
    /* PID 1 may not be killed for want of memory; what it starts may. */
    int score = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
    if (score >= 0) (void)!write(score, "0", 1);
    if (order->group >= 0 && write(order->group, "0", 1) < 0) fail("enter its cgroup");
    if (dup2(order->input, 0) < 0 || dup2(order->output, 1) < 0 || dup2(order->error, 2) < 0) fail("set its streams");
    if (chdir(order->folder) != 0) fail("enter its working directory");
    /* The only one that we ignore; handlers end with the exec. */
    signal(SIGPIPE, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(order->path, order->arguments, order->environment);
    fail("start its program");
}

int guest_spawn(const struct guest_spawn_order *order, int *error, const char **step) {
    sigset_t all, before;
    failed_errno = 0;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid_t child = vfork();
    if (child == 0) become(order);
    sigprocmask(SIG_SETMASK, &before, NULL);
    *step = "fork";
    if (child < 0) {
        *error = errno;
        return -1;
    }
    if (failed_errno != 0) {
        *error = failed_errno;
        *step = failed_step;
        while (waitpid(child, NULL, 0) < 0 && errno == EINTR) {}
        return -1;
    }
    return child;
}
