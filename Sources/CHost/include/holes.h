#pragma once
#include <stdint.h>

/// Gives a stretch of a file's disk blocks back; it reads as zeros and the file keeps its size. 0, or -errno.
int chost_punch_hole(int descriptor, int64_t offset, int64_t length);
