/* Steps the wall clock of a process that loads it before all else (LD_PRELOAD): what the system says, plus an offset. The clock that never
   steps is left alone. The offset is the first 8 bytes of the file that CLOCK_OFFSET names, in nanoseconds; it is mapped, so a change
   counts from the next look at the clock. Without headers and constructors, so that the smallest compiler will do. */

#if defined(__x86_64__)
#define SYS_clock_gettime 228
#elif defined(__aarch64__)
#define SYS_clock_gettime 113
#else
#error "no number of clock_gettime is known here"
#endif

#define CLOCK_REALTIME 0
#define CLOCK_REALTIME_COARSE 5
#define O_RDONLY 0
#define PROT_READ 1
#define MAP_SHARED 1
#define SECOND 1000000000L

struct timespec {
  long tv_sec;
  long tv_nsec;
};

struct timeval {
  long tv_sec;
  long tv_usec;
};

extern long syscall(long number, ...);
extern char *getenv(const char *name);
extern int open(const char *path, int flags, ...);
extern int close(int file);
extern void *mmap(void *address, unsigned long length, int protection, int flags, int file, long offset);

static const volatile long none = 0;
/* Two threads that come first together map it twice, which does no harm. */
static const volatile long *offset = 0;

static long stepped(void) {
  if (!offset) {
    const char *path = getenv("CLOCK_OFFSET");
    int file = path ? open(path, O_RDONLY) : -1;
    void *mapped = file < 0 ? (void *)-1 : mmap(0, 8, PROT_READ, MAP_SHARED, file, 0);
    if (file >= 0) close(file);
    offset = mapped == (void *)-1 ? &none : (const volatile long *)mapped;
  }
  return *offset;
}

int clock_gettime(int clock, struct timespec *time) {
  /* Not by way of the C library, whose function this replaces. */
  int result = (int)syscall(SYS_clock_gettime, (long)clock, time);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
    long by = stepped();
    time->tv_sec += by / SECOND;
    time->tv_nsec += by % SECOND;
    if (time->tv_nsec < 0) {
      time->tv_nsec += SECOND;
      time->tv_sec--;
    } else if (time->tv_nsec >= SECOND) {
      time->tv_nsec -= SECOND;
      time->tv_sec++;
    }
  }
  return result;
}

int gettimeofday(struct timeval *time, void *zone) {
  struct timespec now;
  int result = clock_gettime(CLOCK_REALTIME, &now);
  (void)zone;
  if (result == 0 && time) {
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
  }
  return result;
}

long time(long *into) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (into) *into = now.tv_sec;
  return now.tv_sec;
}
