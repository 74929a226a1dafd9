/* A USB camera at /dev/video0 for one process: preload it, and OpenCV's own V4L2 door reads it.
 *
 * YUYV: 640x480 at 30 fps, 1280x720 at 10. MJPG: both at 30. Frame n of YUYV is grey, luma 16 + 10 * (n % 20); a frame
 * of MJPG is the file V4L2_CAMERA_JPEG. A frame that finds no empty buffer is lost. After V4L2_CAMERA_FRAMES frames
 * (default: never) nothing comes any more; with V4L2_CAMERA_UNPLUG, poll then reports an error, as after an unplugging.
 * 64-bit Linux with glibc 2.33 or newer.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/select.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define PATH "/dev/video0"
#define BUFFERS 4
#define BUFFER_BYTES (1280 * 720 * 2)
#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static int device = -1, memory_file = -1;
static unsigned char *memory;
static int width = 640, height = 480, fps = 30;
static unsigned pixel_format = V4L2_PIX_FMT_YUYV;
static int streaming, empty[BUFFERS], empty_count, full = -1, frames;
static long long next_ns, full_ns;

static long long now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int number(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text ? atoi(text) : otherwise;
}

static int ended(void) { return frames >= number("V4L2_CAMERA_FRAMES", 1 << 30); }

static int limit_fps(int wanted) {
    int most = pixel_format == V4L2_PIX_FMT_YUYV && width > 640 ? 10 : 30;
    return wanted < most ? wanted : most;
}

static int draw(unsigned char *to) {
    if (pixel_format == V4L2_PIX_FMT_MJPEG) {
        FILE *file = fopen(getenv("V4L2_CAMERA_JPEG"), "rb");
        int bytes = (int)fread(to, 1, BUFFER_BYTES, file);
        fclose(file);
        return bytes;
    }
    for (int i = 0; i < width * height; i++) {
        to[2 * i] = (unsigned char)(16 + 10 * (frames % 20));
        to[2 * i + 1] = 128;
    }
    return width * height * 2;
}

/* Let the frames come that are due; true if one waits in a full buffer. */
static int advance(void) {
    while (streaming && !ended() && now_ns() >= next_ns) {
        if (full < 0 && empty_count) {
            full = empty[0];
            memmove(empty, empty + 1, --empty_count * sizeof *empty);
            full_ns = next_ns;
        }
        next_ns += 1000000000LL / fps;
    }
    return full >= 0;
}

static int wait_frame(long long timeout_ns) {
    long long end_ns = now_ns() + timeout_ns;
    while (!advance()) {
        if (timeout_ns >= 0 && now_ns() >= end_ns) return 0;
        usleep(500);
    }
    return 1;
}

static int open_device(void) {
    if (memory_file < 0) {
        memory_file = memfd_create("v4l2_camera", 0);
        if (ftruncate(memory_file, BUFFERS * BUFFER_BYTES)) abort();
        memory = REAL(mmap)(NULL, BUFFERS * BUFFER_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, memory_file, 0);
    }
    return device = eventfd(0, EFD_NONBLOCK);
}

int open(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return strcmp(path, PATH) ? REAL(open)(path, flags, mode) : open_device();
}

int open64(const char *path, int flags, ...) {
    va_list rest;
    va_start(rest, flags);
    int mode = va_arg(rest, int);
    va_end(rest);
    return strcmp(path, PATH) ? REAL(open64)(path, flags, mode) : open_device();
}

int close(int handle) {
    if (handle == device) device = -1;
    return REAL(close)(handle);
}

int stat(const char *path, struct stat *answer) { return REAL(stat)(strcmp(path, PATH) ? path : "/dev/null", answer); }

int stat64(const char *path, struct stat64 *answer) {
    return REAL(stat64)(strcmp(path, PATH) ? path : "/dev/null", answer);
}

void *mmap(void *where, size_t bytes, int protection, int flags, int handle, off_t offset) {
    return REAL(mmap)(where, bytes, protection, flags, handle >= 0 && handle == device ? memory_file : handle, offset);
}

void *mmap64(void *where, size_t bytes, int protection, int flags, int handle, off64_t offset) {
    return mmap(where, bytes, protection, flags, handle, offset);
}

int poll(struct pollfd *polled, nfds_t count, int timeout_ms) {
    if (count != 1 || device < 0 || polled[0].fd != device) return REAL(poll)(polled, count, timeout_ms);
    if (ended() && full < 0 && getenv("V4L2_CAMERA_UNPLUG")) {
        polled->revents = POLLERR;
        return 1;
    }
    int came = wait_frame(timeout_ms < 0 ? -1 : timeout_ms * 1000000LL);
    polled->revents = came ? POLLIN : 0;
    return came;
}

int select(int count, fd_set *in, fd_set *out, fd_set *other, struct timeval *timeout) {
    if (!in || device < 0 || count != device + 1 || !FD_ISSET(device, in))
        return REAL(select)(count, in, out, other, timeout);
    return wait_frame(timeout->tv_sec * 1000000000LL + timeout->tv_usec * 1000LL);
}

static int take_frame(struct v4l2_buffer *buffer) {
    if (!advance()) {
        errno = EAGAIN;
        return -1;
    }
    buffer->index = full;
    buffer->length = BUFFER_BYTES;
    buffer->bytesused = draw(memory + full * BUFFER_BYTES);
    buffer->timestamp.tv_sec = full_ns / 1000000000LL;
    buffer->timestamp.tv_usec = full_ns % 1000000000LL / 1000;
    full = -1;
    frames++;
    return 0;
}

static int set_streaming(int on) {
    streaming = on;
    next_ns = now_ns() + 1000000000LL / fps;
    if (!on) empty_count = 0, full = -1;
    return 0;
}

static int set_format(struct v4l2_pix_format *format, int set) {
    if (set) {
        if (format->pixelformat == V4L2_PIX_FMT_YUYV || format->pixelformat == V4L2_PIX_FMT_MJPEG)
            pixel_format = format->pixelformat;
        width = format->width > 640 ? 1280 : 640;
        height = width == 640 ? 480 : 720;
    }
    format->width = width;
    format->height = height;
    format->pixelformat = pixel_format;
    format->sizeimage = BUFFER_BYTES;
    return 0;
}

static int set_rate(struct v4l2_fract *interval, int set) {
    fps = limit_fps(set ? (int)(interval->denominator / interval->numerator) : fps);
    *interval = (struct v4l2_fract){1, fps};
    return 0;
}

static int describe(struct v4l2_capability *capability) {
    memset(capability, 0, sizeof *capability);
    strcpy((char *)capability->driver, "uvcvideo");
    strcpy((char *)capability->card, "Made Webcam");
    capability->device_caps = V4L2_CAP_VIDEO_CAPTURE | V4L2_CAP_STREAMING;
    capability->capabilities = capability->device_caps | V4L2_CAP_DEVICE_CAPS;
    return 0;
}

int ioctl(int handle, unsigned long request, ...) {
    va_list rest;
    va_start(rest, request);
    void *argument = va_arg(rest, void *);
    va_end(rest);
    if (device < 0 || handle != device) return REAL(ioctl)(handle, request, argument);
    struct v4l2_buffer *buffer = argument;
    switch ((unsigned)request) {
    case VIDIOC_QUERYCAP: return describe(argument);
    case VIDIOC_G_FMT: return set_format(&((struct v4l2_format *)argument)->fmt.pix, 0);
    case VIDIOC_S_FMT: return set_format(&((struct v4l2_format *)argument)->fmt.pix, 1);
    case VIDIOC_G_PARM: return set_rate(&((struct v4l2_streamparm *)argument)->parm.capture.timeperframe, 0);
    case VIDIOC_S_PARM: return set_rate(&((struct v4l2_streamparm *)argument)->parm.capture.timeperframe, 1);
    case VIDIOC_REQBUFS: return 0;
    case VIDIOC_QUERYBUF: buffer->length = BUFFER_BYTES, buffer->m.offset = buffer->index * BUFFER_BYTES; return 0;
    case VIDIOC_QBUF: empty[empty_count++] = buffer->index; return 0;
    case VIDIOC_DQBUF: return take_frame(buffer);
    case VIDIOC_STREAMON: return set_streaming(1);
    case VIDIOC_STREAMOFF: return set_streaming(0);
    default: errno = EINVAL; return -1;
    }
}
