#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1U << 2)
#endif

// In the child only what is safe after a fork from a process with threads: system calls. Those that change ids are made
// directly, since glibc's functions would signal threads that the child does not have.

static int make_mounts(const struct chost_spawn *spawn) {
    if (unshare(CLONE_NEWNS) < 0 || mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) return -1;
    for (const char *const *folder = spawn->hidden; folder && *folder; folder++) {
        int flags = MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC;
        if (mount("none", *folder, "tmpfs", flags, "size=4k,mode=555") < 0 && errno != ENOENT) return -1;
    }
    return 0;
}

static void fail(int report, int step) {
    struct chost_failure failure = {step, errno};
    // Less than PIPE_BUF: it arrives whole, or the parent has gone.
    if (write(report, &failure, sizeof failure) < 0) _exit(125);
    _exit(step == chost_step_exec ? 127 : 126);
}

static int join_cgroups(const struct chost_spawn *spawn) {
    for (int i = 0; i < spawn->cgroup_count; i++)
        if (write(spawn->cgroups[i], "0", 1) != 1) return -1;
    return 0;
}

/// Everything above the child's own range first, then into place, so that no copy overwrites a source.
static int place_descriptors(const struct chost_spawn *spawn) {
    int lifted[CHOST_MAX_DESCRIPTORS];
    for (int i = 0; i < spawn->source_count; i++) {
        int source = spawn->sources[i];
        lifted[i] = -1;
        if (source == -2) continue;
        int opened = source == -1 ? open("/dev/null", O_RDWR | O_CLOEXEC) : source;
        if (opened < 0) return -1;
        lifted[i] = fcntl(opened, F_DUPFD_CLOEXEC, CHOST_MAX_DESCRIPTORS);
        if (lifted[i] < 0) return -1;
        if (source == -1) close(opened);
    }
    for (int i = 0; i < spawn->source_count; i++) {
        if (lifted[i] < 0) close(i);
        else if (dup2(lifted[i], i) < 0) return -1;
    }
    // Not closed but marked: the report and the program are still needed.
    return (int)syscall(SYS_close_range, spawn->source_count, ~0U, CLOSE_RANGE_CLOEXEC);
}

static int set_limits(const struct chost_spawn *spawn) {
    struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0) return -1;
    if (spawn->max_open_files == 0) return 0;
    struct rlimit files = {spawn->max_open_files, spawn->max_open_files};
    return setrlimit(RLIMIT_NOFILE, &files);
}

static int drop_capabilities(void) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct none[2];
    memset(none, 0, sizeof none);
    return (int)syscall(SYS_capset, &header, none);
}

static void reset_signals(void) {
    // Zero in the kernel's own form is the default. glibc's function would leave out the two signals that it uses itself.
    uint64_t normal[8] = {0};
    for (int i = 1; i < NSIG; i++) syscall(SYS_rt_sigaction, i, normal, NULL, (NSIG - 1) / 8);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void child(const struct chost_spawn *spawn, int report, int program) {
    if (setsid() < 0) fail(report, chost_step_session);
    if (join_cgroups(spawn) < 0) fail(report, chost_step_cgroup);
    if (spawn->netns >= 0 && setns(spawn->netns, CLONE_NEWNET) < 0) fail(report, chost_step_network);
    if (spawn->private_mounts && make_mounts(spawn) < 0) fail(report, chost_step_mounts);
    if (place_descriptors(spawn) < 0) fail(report, chost_step_descriptors);
    if (set_limits(spawn) < 0) fail(report, chost_step_limits);
    if (setpriority(PRIO_PROCESS, 0, spawn->nice) < 0) fail(report, chost_step_nice);
    if ((spawn->uid >= 0 || spawn->gid >= 0) && syscall(SYS_setgroups, 0, NULL) < 0) fail(report, chost_step_groups);
    if (spawn->gid >= 0 && syscall(SYS_setresgid, spawn->gid, spawn->gid, spawn->gid) < 0)
        fail(report, chost_step_gid);
    if (spawn->uid >= 0) {
        if (syscall(SYS_setresuid, spawn->uid, spawn->uid, spawn->uid) < 0) fail(report, chost_step_uid);
        if (drop_capabilities() < 0) fail(report, chost_step_capabilities);
    }
    // As the new user: a folder that it cannot enter is no folder for it.
    if (spawn->directory && chdir(spawn->directory) < 0) fail(report, chost_step_directory);
    if (spawn->no_new_privileges && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) fail(report, chost_step_privileges);
    reset_signals();
    if (spawn->path) execve(spawn->path, spawn->argv, spawn->envp);
    else syscall(SYS_execveat, program, "", spawn->argv, spawn->envp, AT_EMPTY_PATH);
    fail(report, chost_step_exec);
}

static pid_t failed(struct chost_failure *failure, int step, int error) {
    failure->step = step;
    failure->error = error;
    return -1;
}

/// Copies to numbers that the child's own never reach.
static int lift(int descriptor) { return fcntl(descriptor, F_DUPFD_CLOEXEC, CHOST_MAX_DESCRIPTORS); }

pid_t chost_spawn(const struct chost_spawn *spawn, struct chost_failure *failure) {
    if (spawn->source_count < 0 || spawn->source_count > CHOST_MAX_DESCRIPTORS)
        return failed(failure, chost_step_descriptors, EINVAL);
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) < 0) return failed(failure, chost_step_fork, errno);
    int report = lift(pipe_ends[1]), program = spawn->path ? -1 : lift(spawn->program), error = errno;
    close(pipe_ends[1]);
    if (report < 0 || (!spawn->path && program < 0)) {
        close(pipe_ends[0]);
        if (report >= 0) close(report);
        return failed(failure, chost_step_descriptors, error);
    }

    // No handler of ours may run in the child.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    // Not vfork: a change of user in shared memory would change what the parent is, too.
    pid_t pid = fork();
    if (pid == 0) child(spawn, report, program);
    error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);

    close(report);
    if (program >= 0) close(program);
    if (pid < 0) {
        close(pipe_ends[0]);
        return failed(failure, chost_step_fork, error);
    }
    ssize_t count;
    do count = read(pipe_ends[0], failure, sizeof *failure);
    while (count < 0 && errno == EINTR);
    close(pipe_ends[0]);
    if (count == 0) return pid;
    if (count != sizeof *failure) failed(failure, chost_step_fork, EIO);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR) {}
    return -1;
}
