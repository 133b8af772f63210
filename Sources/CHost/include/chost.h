#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include "holes.h"

/// The step of a start that failed.
enum chost_step {
    chost_step_fork = 1,
    chost_step_session,
    chost_step_cgroup,
    chost_step_network,
    chost_step_mounts,
    chost_step_descriptors,
    chost_step_directory,
    chost_step_limits,
    chost_step_nice,
    chost_step_groups,
    chost_step_gid,
    chost_step_uid,
    chost_step_capabilities,
    chost_step_privileges,
    chost_step_exec,
};

struct chost_failure {
    int step;
    int error;
};

/// No more descriptors than this for one child.
#define CHOST_MAX_DESCRIPTORS 256

/// A process to start. Everything that must happen between fork and exec, where Swift may not run.
struct chost_spawn {
    /// Path of the program, or NULL when `program` is a descriptor of it (so that a program in a folder that `uid`
    /// cannot enter still starts).
    const char *path;
    int program;
    char *const *argv;
    char *const *envp;
    /// Descriptors for the child: `sources[i]` becomes number `i`; -1 opens /dev/null, -2 leaves it closed. All others
    /// are closed.
    const int *sources;
    int source_count;
    /// -1 keeps the caller's. Setting them drops all groups, the uid all capabilities.
    int64_t uid;
    int64_t gid;
    /// Network namespace to enter, or -1.
    int netns;
    /// Files (`cgroup.procs`) that the child joins before anything else, opened by the caller.
    const int *cgroups;
    int cgroup_count;
    int nice;
    /// A mount namespace of its own, with nothing propagated back.
    int private_mounts;
    /// With `private_mounts`: folders, NULL behind the last, each of which is empty for the child. One that the host does
    /// not have is passed over.
    const char *const *hidden;
    int no_new_privileges;
    /// Limits, or 0 to keep: core files are always off.
    uint64_t max_open_files;
    const char *directory;
};

/// Starts it in a session of its own and returns once the program runs: its pid, or -1 with `failure` filled, and then
/// nothing is left of the child. Callable from any thread.
pid_t chost_spawn(const struct chost_spawn *spawn, struct chost_failure *failure);

/// A descriptor of the process, or -1 with errno.
int chost_pidfd_open(pid_t pid);
int chost_pidfd_signal(int pidfd, int signal);
/// Whether the process behind it has ended.
int chost_pidfd_ended(int pidfd);
/// Waits up to `milliseconds` for the process to end; whether it did.
int chost_pidfd_wait(int pidfd, int milliseconds);
/// Reaps our child when it has ended. 1 with `code` and `killed`, 0 while it lives, -1 when it is no child of ours.
int chost_reap(int pidfd, int *code, int *killed);

int chost_socketpair(int ends[2]);
int chost_pipe(int ends[2]);
int chost_memfd(const char *name, int sealable);
/// Nobody can change the memory or the seals of the memfd any more. 0, or -1 with errno.
int chost_seal(int memfd);

/// Takes from this process, all its threads and whatever it starts the system calls that a mere server never makes:
/// running programs, tracing, mounting, namespaces, and the like. They fail with EPERM from then on. 0, or -1 with errno.
int chost_confine(void);
/// In a child that is confined so: what becomes of running `path`. 0 when it was refused.
int chost_confined_exec(const char *path);
/// The same for a new process with these flags: 5 when it was refused, 0 when it ran.
int chost_confined_clone(unsigned long flags);

/// Enters a network namespace with this thread only, which must end afterwards and never return to a pool.
int chost_enter_network(int netns);
/// Gives this thread a new network namespace; same rule. Returns its descriptor, or -1 with errno.
int chost_new_network(void);
/// A tap with vnet headers in this thread's namespace, made with `name`. Returns its descriptor, or -1 with errno.
int chost_open_tap(const char *name);
// A socket that can be read when somebody has changed nftables' rules in the calling thread's network namespace.
int chost_rule_changes(void);

/// Outcome of running a few lines of machine code with KVM.
struct chost_kvm_verdict {
    /// 0 when they ran as hardware would; else the step that did not.
    int step;
    int error;
    unsigned exit_reason;
    unsigned suberror;
    /// Time that it took.
    unsigned microseconds;
};

enum chost_kvm_step {
    chost_kvm_good = 0,
    chost_kvm_open,
    chost_kvm_setup,
    chost_kvm_instructions,
    chost_kvm_speed,
    chost_kvm_hung,
    chost_kvm_unsupported,
};

/// In a child with a hard time limit of 2 s, so that neither a hang nor a crash does harm.
void chost_kvm_probe(struct chost_kvm_verdict *verdict);

/// Ticks of the time stamp counter in a second, in kHz, or 0 where there is none. Takes about 30 ms.
uint64_t chost_tsc_kilohertz(void);

/// A piece of a process's memory, by its addresses there.
struct chost_run {
    uint64_t start;
    uint64_t length;
};

/// The pages of a private mapping that are no longer those of the file below it, from `*next` to `end`, as runs in order;
/// `*next` is then where to go on. `pagemap` is /proc/PID/pagemap, open. Their count, or -1 with errno.
int chost_changed_pages(int pagemap, uint64_t *next, uint64_t end, struct chost_run *runs, int capacity);
/// Copies runs of another process's memory, one behind the other, from there or to there. The count of bytes, or -1 with
/// errno. The process should stand still.
int64_t chost_read_memory(pid_t process, const struct chost_run *runs, int count, void *bytes);
int64_t chost_write_memory(pid_t process, const struct chost_run *runs, int count, const void *bytes);
