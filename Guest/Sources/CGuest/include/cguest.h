/* What Swift cannot call by itself: variadic calls, function-like macros, fork, and structures of the kernel's. */
#ifndef CGUEST_H
#define CGUEST_H
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static inline int guest_errno(void) { return errno; }
static inline int guest_open(const char *path, int flags, mode_t mode) { return open(path, flags | O_CLOEXEC, mode); }
static inline int guest_exited(int status) { return WIFEXITED(status); }
static inline int guest_exit_code(int status) { return WEXITSTATUS(status); }
static inline int guest_exit_signal(int status) { return WIFSIGNALED(status) ? WTERMSIG(status) : 0; }
static inline int guest_is_folder(mode_t mode) { return S_ISDIR(mode); }
static inline int guest_is_file(mode_t mode) { return S_ISREG(mode); }
/* An enum in glibc, macros in musl. */
static const uint32_t guest_readable = EPOLLIN, guest_writable = EPOLLOUT, guest_hung_up = EPOLLHUP,
                      guest_failed = EPOLLERR, guest_on_edge = EPOLLET;
static const unsigned long guest_read_only = MS_RDONLY, guest_no_access_times = MS_NOATIME, guest_bind = MS_BIND,
                           guest_move = MS_MOVE, guest_no_devices = MS_NODEV, guest_no_set_id = MS_NOSUID,
                           guest_no_programs = MS_NOEXEC, guest_recursive = MS_REC;
static const int guest_detach = MNT_DETACH;

/* console.c */
/* Opens the kernel's log for last words and makes faults of this program write one line there. */
void guest_watch_faults(void);
void guest_say(const char *text);

/* system.c */
int guest_load_module(const char *path);
/* Makes descriptors 0 to 2 /dev/null, so that no later one gets such a number. */
void guest_hold_standard_streams(void);
/* Whether this process runs before all others, but not what it starts. */
void guest_run_first(int is_first);
int guest_raise_file_limit(void);
/* Adds the bytes to the kernel's randomness, counted as random, and reseeds; by /dev/urandom. 0 or an errno. */
int guest_reseed(int descriptor, const uint8_t *bytes, int count);
/* The wall clock in nanoseconds since 1970. */
uint64_t guest_clock(void);
/* Sets the wall clock, or moves it there slowly when it is less than half a second off. 0 or an errno. */
int guest_set_clock(uint64_t nanoseconds);
int guest_slew_clock(uint64_t nanoseconds);
uint64_t guest_monotonic_milliseconds(void);
int guest_set_host_name(const char *name);
int guest_has_host_name(const char *name);
/* Bytes that wait in a pipe. */
int guest_pipe_fill(int descriptor);
int guest_pipe(int ends[2]);
int guest_set_nonblocking(int descriptor);
/* A descriptor that becomes readable when a child ended; blocks the signal. */
int guest_child_events(void);
void guest_drain_child_events(int descriptor);
int guest_epoll_set(int epoll, int descriptor, uint32_t events, int is_new);
int guest_epoll_drop(int epoll, int descriptor);
/* Waits for one batch; fills descriptors and their events. */
int guest_epoll_wait(int epoll, int *descriptors, uint32_t *events, int capacity, int milliseconds);
void guest_nap(void);
/* A tenth of a nap. */
void guest_doze(void);
/* The path of the virtio port with this name; 0 or an errno. */
int guest_find_port(const char *name, char *path, int capacity);
/* Removes a folder with all in it, or a file. */
void guest_remove_tree(const char *path);
void guest_power_off(void);
/* Writes to the disks what is to be written, and waits for it at most so long. */
void guest_sync_within(int milliseconds);
/* Makes the working directory, a mount, the root of every process that has the present root, and puts the present root
   over it. 0 or -1. */
int guest_pivot_root(void);
/* Mounts of this process's own from here on. 0 or -1. */
int guest_unshare_mounts(void);
pid_t guest_fork(void);
/* Opens a block device that nothing else uses. 0 or an errno. */
int guest_probe_unused(const char *path);

/* network.c */
/* Each returns 0 or an errno. Addresses are dotted. */
int guest_link_up(const char *name);
int guest_has_link(const char *name);
int guest_set_address(const char *name, const char *address, const char *mask);
int guest_add_default_route(const char *gateway);

/* spawn.c */
struct guest_spawn_order {
    const char *path;
    char *const *arguments;
    char *const *environment;
    const char *folder;
    int input, output, error;
    /* An open cgroup.procs to enter, or -1. */
    int group;
};
/* Starts a process in a session of its own. Its pid, or -1 with the errno and the step that failed. */
int guest_spawn(const struct guest_spawn_order *order, int *error, const char **step);
#endif
