/* SPDX-License-Identifier: Apache-2.0
 *
 * Stand-ins for the kernel's DMA buffer allocators, for LD_PRELOAD.
 *
 * libcamera and Picamera2 take their frame buffers from /dev/dma_heap/ or /dev/udmabuf, which the kernels of
 * virtual machines and containers often lack. The virtual camera is software: any memory that can be mapped does.
 * So opening such a device succeeds, and the ioctls that would make a DMA buffer make a memfd instead.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/dma-heap.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

static const char HEAPS[] = "/dev/dma_heap/";
static const char UDMABUF[] = "/dev/udmabuf";

/* The path to open in place of `path`: any file that refuses our ioctls with ENOTTY will do for a device. */
static const char *stand_in(const char *path)
{
    if (path != NULL && (strcmp(path, UDMABUF) == 0 || strncmp(path, HEAPS, sizeof HEAPS - 1) == 0))
        return "/dev/null";
    return path;
}

/* The mode that open(2) takes only when it may create a file; `last` names the last fixed argument. */
#define READ_MODE(mode, flags, last)                  \
    do {                                              \
        if ((flags) & (O_CREAT | O_TMPFILE)) {        \
            va_list arguments;                        \
            va_start(arguments, last);                \
            (mode) = va_arg(arguments, mode_t);       \
            va_end(arguments);                        \
        }                                             \
    } while (0)

typedef int open_function(const char *, int, ...);
typedef int openat_function(int, const char *, int, ...);
typedef int ioctl_function(int, unsigned long, ...);

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    READ_MODE(mode, flags, flags);
    open_function *next = (open_function *)dlsym(RTLD_NEXT, "open");
    return next(stand_in(path), flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    READ_MODE(mode, flags, flags);
    open_function *next = (open_function *)dlsym(RTLD_NEXT, "open64");
    return next(stand_in(path), flags, mode);
}

int openat(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;
    READ_MODE(mode, flags, flags);
    openat_function *next = (openat_function *)dlsym(RTLD_NEXT, "openat");
    return next(folder, stand_in(path), flags, mode);
}

int openat64(int folder, const char *path, int flags, ...)
{
    mode_t mode = 0;
    READ_MODE(mode, flags, flags);
    openat_function *next = (openat_function *)dlsym(RTLD_NEXT, "openat64");
    return next(folder, stand_in(path), flags, mode);
}

/* DMA_HEAP_IOCTL_ALLOC: a new buffer of the wanted length. */
static int allocate(struct dma_heap_allocation_data *wanted)
{
    int buffer = memfd_create("dma-heap", MFD_CLOEXEC);
    if (buffer < 0)
        return -1;
    if (ftruncate(buffer, (off_t)wanted->len) < 0) {
        close(buffer);
        return -1;
    }
    wanted->fd = (__u32)buffer;
    return 0;
}

/* What the kernel would have answered; -1 with errno as it was for an ioctl that is not about DMA buffers. */
static int pretend(unsigned long request, void *argument)
{
    switch ((unsigned int)request) {
    case (unsigned int)DMA_HEAP_IOCTL_ALLOC:
        return allocate(argument);
    case (unsigned int)UDMABUF_CREATE: /* the caller made the memfd itself: it is the buffer */
        return fcntl((int)((struct udmabuf_create *)argument)->memfd, F_DUPFD_CLOEXEC, 0);
    case (unsigned int)DMA_BUF_IOCTL_SYNC: /* no cache to flush */
    case (unsigned int)DMA_BUF_SET_NAME_A:
    case (unsigned int)DMA_BUF_SET_NAME_B:
        return 0;
    default:
        return -1;
    }
}

int ioctl(int file, unsigned long request, ...)
{
    va_list arguments;
    va_start(arguments, request);
    void *argument = va_arg(arguments, void *);
    va_end(arguments);
    ioctl_function *next = (ioctl_function *)dlsym(RTLD_NEXT, "ioctl");
    int answer = next(file, request, argument);
    if (answer < 0 && (errno == ENOTTY || errno == EINVAL))
        return pretend(request, argument);
    return answer;
}
