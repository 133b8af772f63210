#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define OUR_ARCHITECTURE AUDIT_ARCH_AARCH64
#else
#error "name this processor's audit architecture"
#endif

/// What a program that only answers requests never calls: other programs, other processes, mounts, namespaces, and the
/// corners of the kernel from which rights were gained before.
static const unsigned refused[] = {
    SYS_execve,           SYS_execveat,      SYS_ptrace,         SYS_process_vm_readv,  SYS_process_vm_writev,
    SYS_mount,            SYS_umount2,       SYS_pivot_root,     SYS_chroot,            SYS_unshare,
    SYS_setns,            SYS_bpf,           SYS_keyctl,         SYS_add_key,           SYS_request_key,
    SYS_init_module,      SYS_finit_module,  SYS_delete_module,  SYS_kexec_load,        SYS_perf_event_open,
    SYS_open_by_handle_at, SYS_name_to_handle_at, SYS_userfaultfd, SYS_io_uring_setup,  SYS_io_uring_enter,
    SYS_io_uring_register, SYS_personality,  SYS_acct,           SYS_quotactl,          SYS_swapon,
    SYS_swapoff,          SYS_reboot,        SYS_sethostname,    SYS_setdomainname,     SYS_clock_settime,
    SYS_settimeofday,     SYS_kcmp,          SYS_move_mount,     SYS_open_tree,         SYS_fsopen,
    SYS_fsconfig,         SYS_fsmount,       SYS_fspick,         SYS_pidfd_getfd,       SYS_vmsplice,
#ifdef SYS_iopl
    SYS_iopl,             SYS_ioperm,        SYS_modify_ldt,
#endif
};

/// A new process may be a new thread, but brings no namespace of its own: with that it would have all rights inside.
#define NAMESPACES \
    (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET)

#define REFUSED_COUNT (sizeof refused / sizeof *refused)

int chost_confine(void) {
    // Architecture, number, one comparison each, those of a new process, then "allowed", "refused" and "unknown".
    struct sock_filter program[4 + REFUSED_COUNT + 8];
    size_t length = 0;
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    // Another architecture's numbers mean other calls.
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, OUR_ARCHITECTURE, 1, 0);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t index = 0; index < REFUSED_COUNT; index++) {
        unsigned char beyond = (unsigned char)(REFUSED_COUNT - index + 5);
        program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused[index], beyond, 0);
    }
    // The x32 numbers are the same calls under other names.
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x40000000, 5, 0);
    // Its flags lie in memory, where no filter can look; libraries that do not find it use the older one.
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 5, 0);
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 2);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0]));
    program[length++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, (unsigned)NAMESPACES, 1, 0);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    program[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS);
    struct sock_fprog filter = {.len = (unsigned short)length, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    // All threads, also those that the runtime has begun already.
    return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &filter);
}

static int outcome(pid_t child) {
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) return -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int chost_confined_exec(const char *path) {
    pid_t child = fork();
    if (child == 0) {
        if (chost_confine() != 0) _exit(2);
        char *arguments[] = {(char *)path, NULL};
        execve(path, arguments, NULL);
        _exit(errno == EPERM ? 0 : 4);
    }
    return outcome(child);
}

int chost_confined_clone(unsigned long flags) {
    pid_t child = fork();
    if (child == 0) {
        if (chost_confine() != 0) _exit(2);
        if (syscall(SYS_clone3, NULL, 0) != -1 || errno != ENOSYS) _exit(3);
        pid_t made = (pid_t)syscall(SYS_clone, flags | SIGCHLD, NULL, NULL, NULL, NULL);
        if (made == 0) _exit(0);
        int refusal = errno;
        _exit(made > 0 ? outcome(made) : refusal == EPERM ? 5 : 4);
    }
    return outcome(child);
}
