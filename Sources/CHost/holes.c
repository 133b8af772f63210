#define _GNU_SOURCE
#include "holes.h"
#include <errno.h>
#include <fcntl.h>

int chost_punch_hole(int descriptor, int64_t offset, int64_t length) {
    return fallocate(descriptor, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0 ? 0 : -errno;
}
