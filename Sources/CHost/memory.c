#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/uio.h>
#include <unistd.h>

// <linux/fs.h> of Linux 6.7 and later.
struct scanned_region {
    uint64_t start, end, categories;
};
struct scan_request {
    uint64_t size, flags, start, end, walk_end, regions, region_count, maximum_pages;
    uint64_t category_inverted, category_mask, category_any_of, return_mask;
};
#define SCAN _IOWR('f', 16, struct scan_request)
enum { is_file = 1 << 2, is_present = 1 << 3, is_swapped = 1 << 4 };

enum { page = 4096, scanned_at_once = 512 };

/// Joins a run to the one before it when they touch. Returns the count.
static int add(struct chost_run *runs, int count, uint64_t start, uint64_t length) {
    if (count > 0 && runs[count - 1].start + runs[count - 1].length == start) {
        runs[count - 1].length += length;
        return count;
    }
    runs[count].start = start;
    runs[count].length = length;
    return count + 1;
}

static int scan(int pagemap, uint64_t *next, uint64_t end, struct chost_run *runs, int capacity) {
    struct scanned_region found[scanned_at_once];
    int count = 0;
    while (*next < end && count < capacity) {
        int room = capacity - count < scanned_at_once ? capacity - count : scanned_at_once;
        struct scan_request request = {
            .size = sizeof request, .start = *next, .end = end, .regions = (uintptr_t)found,
            .region_count = (uint64_t)room, .category_inverted = is_file, .category_mask = is_file,
            .category_any_of = is_present | is_swapped, .return_mask = is_present | is_swapped,
        };
        int got = ioctl(pagemap, SCAN, &request);
        if (got < 0) return -1;
        for (int i = 0; i < got; i++) count = add(runs, count, found[i].start, found[i].end - found[i].start);
        *next = request.walk_end;
    }
    return count;
}

/// What older kernels have: a word for each page. Bit 63: present, 62: swapped out, 61: of the file below.
static int read_words(int pagemap, uint64_t *next, uint64_t end, struct chost_run *runs, int capacity) {
    uint64_t words[scanned_at_once];
    int count = 0;
    while (*next < end && count < capacity) {
        uint64_t pages = (end - *next) / page;
        if (pages > scanned_at_once) pages = scanned_at_once;
        if (pages > (uint64_t)(capacity - count)) pages = (uint64_t)(capacity - count);
        ssize_t got = pread(pagemap, words, pages * sizeof *words, (off_t)(*next / page * sizeof *words));
        if (got <= 0) return -1;
        for (ssize_t i = 0; i < got / (ssize_t)sizeof *words; i++) {
            if (words[i] >> 62 != 0 && (words[i] >> 61 & 1) == 0) count = add(runs, count, *next, page);
            *next += page;
        }
    }
    return count;
}

int chost_changed_pages(int pagemap, uint64_t *next, uint64_t end, struct chost_run *runs, int capacity) {
    int count = scan(pagemap, next, end, runs, capacity);
    if (count < 0 && (errno == ENOTTY || errno == EINVAL)) count = read_words(pagemap, next, end, runs, capacity);
    return count;
}

static int64_t move(pid_t process, const struct chost_run *runs, int count, void *bytes, int writes) {
    struct iovec far[256];
    char *place = bytes;
    int64_t total = 0;
    for (int done = 0; done < count;) {
        int some = count - done < 256 ? count - done : 256;
        struct iovec near = {.iov_base = place};
        for (int i = 0; i < some; i++) {
            far[i].iov_base = (void *)(uintptr_t)runs[done + i].start;
            far[i].iov_len = runs[done + i].length;
            near.iov_len += runs[done + i].length;
        }
        ssize_t moved = writes ? process_vm_writev(process, &near, 1, far, (unsigned long)some, 0)
                               : process_vm_readv(process, &near, 1, far, (unsigned long)some, 0);
        if (moved != (ssize_t)near.iov_len) {
            if (moved >= 0) errno = EFAULT;
            return -1;
        }
        place += moved;
        total += moved;
        done += some;
    }
    return total;
}

int64_t chost_read_memory(pid_t process, const struct chost_run *runs, int count, void *bytes) {
    return move(process, runs, count, bytes, 0);
}

int64_t chost_write_memory(pid_t process, const struct chost_run *runs, int count, const void *bytes) {
    return move(process, runs, count, (void *)bytes, 1);
}
