#include "cguest.h"

static int log_descriptor = -1;

void guest_say(const char *text) {
    char line[400];
    int count = snprintf(line, sizeof line, "<4>mags-guest: %s\n", text);
    if (count > (int)sizeof line) count = sizeof line;
    if (log_descriptor >= 0) (void)!write(log_descriptor, line, (size_t)count);
}

/* A trap of Swift's is an illegal instruction. A signal that some process sent is no fault of ours: root inside the
   machine may send PID 1 anything. */
static void fault(int signal, siginfo_t *info, void *context) {
    char text[80];
    (void)context;
    if (info->si_code <= 0) return;
    snprintf(text, sizeof text, "fault: signal %d at %p", signal, info->si_addr);
    guest_say(text);
    _exit(128 + signal);
}

void guest_watch_faults(void) {
    static const int faults[] = {SIGILL, SIGTRAP, SIGSEGV, SIGBUS, SIGFPE, SIGABRT};
    struct sigaction action = {.sa_sigaction = fault, .sa_flags = SA_SIGINFO};
    log_descriptor = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
    for (unsigned index = 0; index < sizeof faults / sizeof *faults; index++) sigaction(faults[index], &action, NULL);
    signal(SIGPIPE, SIG_IGN);
}
