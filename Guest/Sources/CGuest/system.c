#include "cguest.h"
#include <ftw.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/timex.h>

/* linux/random.h, which musl does not bring. */
#ifndef RNDADDENTROPY
#define RNDADDENTROPY _IOW('R', 0x03, int[2])
#define RNDRESEEDCRNG _IO('R', 0x07)
#endif

int guest_load_module(const char *path) {
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return errno;
    int error = syscall(SYS_finit_module, descriptor, "", 0) == 0 || errno == EEXIST ? 0 : errno;
    close(descriptor);
    return error;
}

void guest_hold_standard_streams(void) {
    int descriptor = open("/dev/null", O_RDWR);
    for (int stream = 0; stream < 3; stream++)
        if (descriptor != stream) dup2(descriptor, stream);
    if (descriptor > 2) close(descriptor);
}

void guest_run_first(int is_first) {
    /* musl's sched_setscheduler only says ENOSYS. A kernel that refuses makes the guest slower, not wrong. */
    struct sched_param lowest = {.sched_priority = is_first ? 1 : 0};
    syscall(SYS_sched_setscheduler, 0, is_first ? SCHED_FIFO | SCHED_RESET_ON_FORK : SCHED_OTHER, &lowest);
}

int guest_raise_file_limit(void) {
    /* The soft limit that programs expect, a hard one that servers can raise to. */
    struct rlimit files = {.rlim_cur = 1024, .rlim_max = 524288};
    return setrlimit(RLIMIT_NOFILE, &files) == 0 ? 0 : errno;
}

int guest_reseed(int descriptor, const uint8_t *bytes, int count) {
    struct {
        int bits, size;
        uint8_t bytes[256];
    } pool;
    if (count < 32 || count > (int)sizeof pool.bytes) return EINVAL;
    pool.bits = count * 8;
    pool.size = count;
    memcpy(pool.bytes, bytes, (size_t)count);
    int failed = ioctl(descriptor, RNDADDENTROPY, &pool) != 0 || ioctl(descriptor, RNDRESEEDCRNG) != 0;
    int error = failed ? errno : 0;
    memset(&pool, 0, sizeof pool);
    __asm__ volatile("" ::: "memory");
    return error;
}

uint64_t guest_clock(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

int guest_set_clock(uint64_t nanoseconds) {
    struct timespec time = {(time_t)(nanoseconds / 1000000000), (long)(nanoseconds % 1000000000)};
    return clock_settime(CLOCK_REALTIME, &time) == 0 ? 0 : errno;
}

int guest_slew_clock(uint64_t nanoseconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t difference = (int64_t)nanoseconds - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec);
    if (difference > 500000000 || difference < -500000000) return guest_set_clock(nanoseconds);
    struct timex change = {.modes = ADJ_OFFSET_SINGLESHOT, .offset = (long)(difference / 1000)};
    return adjtimex(&change) >= 0 ? 0 : errno;
}

uint64_t guest_monotonic_milliseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

int guest_set_host_name(const char *name) { return sethostname(name, strlen(name)) == 0 ? 0 : errno; }

int guest_has_host_name(const char *name) {
    char current[65] = {0};
    return gethostname(current, sizeof current - 1) == 0 && strcmp(current, name) == 0;
}

int guest_pipe_fill(int descriptor) {
    int count = 0;
    return ioctl(descriptor, FIONREAD, &count) == 0 ? count : 0;
}

int guest_pipe(int ends[2]) { return pipe2(ends, O_CLOEXEC); }

int guest_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    return fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
}

int guest_child_events(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGCHLD);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void guest_drain_child_events(int descriptor) {
    struct signalfd_siginfo info[8];
    while (read(descriptor, info, sizeof info) > 0) {}
}

int guest_epoll_set(int epoll, int descriptor, uint32_t events, int is_new) {
    struct epoll_event event = {.events = events, .data.fd = descriptor};
    return epoll_ctl(epoll, is_new ? EPOLL_CTL_ADD : EPOLL_CTL_MOD, descriptor, &event) == 0 ? 0 : errno;
}

int guest_epoll_drop(int epoll, int descriptor) {
    struct epoll_event event = {0};
    return epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, &event) == 0 ? 0 : errno;
}

int guest_epoll_wait(int epoll, int *descriptors, uint32_t *events, int capacity, int milliseconds) {
    struct epoll_event ready[32];
    int count = epoll_wait(epoll, ready, capacity < 32 ? capacity : 32, milliseconds);
    for (int index = 0; index < count; index++) {
        descriptors[index] = ready[index].data.fd;
        events[index] = ready[index].events;
    }
    return count;
}

void guest_nap(void) {
    struct timespec millisecond = {0, 1000000};
    nanosleep(&millisecond, NULL);
}

void guest_doze(void) {
    struct timespec moment = {0, 100000};
    nanosleep(&moment, NULL);
}

int guest_find_port(const char *name, char *path, int capacity) {
    DIR *ports = opendir("/sys/class/virtio-ports");
    struct dirent *port;
    int error = ENOENT;
    if (!ports) return errno;
    while (error && (port = readdir(ports))) {
        char found[64] = {0}, file[300];
        snprintf(file, sizeof file, "/sys/class/virtio-ports/%s/name", port->d_name);
        int descriptor = open(file, O_RDONLY | O_CLOEXEC);
        if (descriptor < 0) continue;
        ssize_t count = read(descriptor, found, sizeof found - 1);
        close(descriptor);
        found[strcspn(found, "\n")] = 0;
        if (count > 0 && strcmp(found, name) == 0) {
            snprintf(path, (size_t)capacity, "/dev/%s", port->d_name);
            error = 0;
        }
    }
    closedir(ports);
    return error;
}

static int remove_one(const char *path, const struct stat *state, int kind, struct FTW *place) {
    (void)state, (void)kind, (void)place;
    remove(path);
    return 0;
}

void guest_remove_tree(const char *path) { nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS | FTW_MOUNT); }

void guest_power_off(void) {
    sync();
    reboot(RB_POWER_OFF);
    /* No way to cut the power: QEMU runs with -no-reboot and ends on this. */
    reboot(RB_AUTOBOOT);
}

void guest_sync_within(int milliseconds) {
    /* In a child, since it may hang on a disk that does. */
    pid_t child = fork();
    if (child == 0) {
        sync();
        _exit(0);
    }
    for (int tenths = 0; child > 0 && tenths < 10 * milliseconds; tenths++) {
        if (waitpid(child, NULL, WNOHANG) != 0) return;
        guest_doze();
    }
}

int guest_pivot_root(void) { return syscall(SYS_pivot_root, ".", ".") == 0 ? 0 : -1; }

int guest_unshare_mounts(void) { return unshare(CLONE_NEWNS); }

pid_t guest_fork(void) { return fork(); }

int guest_probe_unused(const char *path) {
    int descriptor = open(path, O_RDONLY | O_EXCL | O_CLOEXEC);
    if (descriptor < 0) return errno;
    close(descriptor);
    return 0;
}

#ifndef __GLIBC__
/* Embedded Swift seeds the hashing of dictionaries with it; musl has none. */
void arc4random_buf(void *bytes, size_t count) {
    char *next = bytes;
    while (count > 0) {
        /* GRND_INSECURE: at boot nothing here may wait for the pool, and these seeds guard no secret. */
        ssize_t got = getrandom(next, count, 4);
        if (got < 0) {
            if (errno == EINTR) continue;
            _exit(70);
        }
        next += got;
        count -= (size_t)got;
    }
}
#endif
