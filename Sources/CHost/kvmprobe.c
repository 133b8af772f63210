#define _GNU_SOURCE
#include "chost.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#if defined(__x86_64__)
#include <linux/kvm.h>

// Some hosts offer a /dev/kvm that opens and makes machines, but runs their kernel mode in an emulator that lacks
// instructions and speed. So a few lines of the code that any kernel has are run, and a loop is timed.

enum { memory_size = 4 << 20, code_at = 0x10000, done_port = 0xf4, loop_limit_ms = 300 };

/// pxor xmm0,xmm0; paddd xmm0,xmm0; cvtsi2sd xmm1,eax; addsd xmm1,xmm1; mov al,'S'; out 0xe9,al; out 0xf4,al; hlt
static const uint8_t instructions[] = {0x66, 0x0f, 0xef, 0xc0, 0x66, 0x0f, 0xfe, 0xc0, 0xf2, 0x0f, 0x2a, 0xc8,
                                       0xf2, 0x0f, 0x58, 0xc9, 0xb0, 'S',  0xe6, 0xe9, 0xe6, 0xf4, 0xf4};
/// mov ecx,20000000; dec ecx; jnz; out 0xf4,al; hlt: 10 to 20 ms on hardware, seconds in an emulator
static const uint8_t loop[] = {0xb9, 0x00, 0x2d, 0x31, 0x01, 0xff, 0xc9, 0x75, 0xfc, 0xe6, 0xf4, 0xf4};

static uint64_t microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void interrupt(int signal) { (void)signal; }

static void enter_long_mode(struct kvm_sregs *registers, uint8_t *memory) {
    uint64_t *level4 = (uint64_t *)(memory + 0x1000), *level3 = (uint64_t *)(memory + 0x2000);
    uint64_t *level2 = (uint64_t *)(memory + 0x3000), *table = (uint64_t *)(memory + 0x4000);
    level4[0] = 0x2003;
    level3[0] = 0x3003;
    for (uint64_t i = 0; i < 512; i++) level2[i] = i << 21 | 0x83;
    table[1] = 0x00af9b000000ffffull;
    table[2] = 0x00cf93000000ffffull;
    registers->gdt.base = 0x4000;
    registers->gdt.limit = 23;
    registers->cr3 = 0x1000;
    registers->cr4 = 0x620;  // PAE, OSFXSR, OSXMMEXCPT
    registers->cr0 = 0x80050033;
    registers->efer = 0x501;
    struct kvm_segment code = {.limit = ~0u, .selector = 8, .type = 11, .present = 1, .s = 1, .l = 1, .g = 1};
    struct kvm_segment data = {.limit = ~0u, .selector = 16, .type = 3, .present = 1, .s = 1, .db = 1, .g = 1};
    registers->cs = code;
    registers->ds = registers->es = registers->fs = registers->gs = registers->ss = data;
}

static int bad(struct chost_kvm_verdict *verdict, int step) {
    verdict->step = step;
    verdict->error = errno;
    return -1;
}

static int run(int kvm, const uint8_t *code, size_t length, int step, struct chost_kvm_verdict *verdict) {
    int machine = ioctl(kvm, KVM_CREATE_VM, 0);
    if (machine < 0) return bad(verdict, chost_kvm_setup);
    ioctl(machine, KVM_SET_TSS_ADDR, 0xfffbd000);
    uint8_t *memory = mmap(NULL, memory_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return bad(verdict, chost_kvm_setup);
    struct kvm_userspace_memory_region region = {.memory_size = memory_size, .userspace_addr = (uint64_t)memory};
    if (ioctl(machine, KVM_SET_USER_MEMORY_REGION, &region) < 0) return bad(verdict, chost_kvm_setup);
    memcpy(memory + code_at, code, length);
    int processor = ioctl(machine, KVM_CREATE_VCPU, 0);
    if (processor < 0) return bad(verdict, chost_kvm_setup);
    int size = ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0);
    struct kvm_run *state = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, processor, 0);
    if (size < 0 || state == MAP_FAILED) return bad(verdict, chost_kvm_setup);
    enum { feature_count = 128 };
    static uint64_t room[(sizeof(struct kvm_cpuid2) + feature_count * sizeof(struct kvm_cpuid_entry2)) / 8 + 1];
    struct kvm_cpuid2 *features = (struct kvm_cpuid2 *)room;
    features->nent = feature_count;
    if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, features) == 0) ioctl(processor, KVM_SET_CPUID2, features);
    struct kvm_sregs special;
    if (ioctl(processor, KVM_GET_SREGS, &special) < 0) return bad(verdict, chost_kvm_setup);
    enter_long_mode(&special, memory);
    struct kvm_regs registers = {.rflags = 2, .rip = code_at, .rsp = 0x20000};
    if (ioctl(processor, KVM_SET_SREGS, &special) < 0) return bad(verdict, chost_kvm_setup);
    if (ioctl(processor, KVM_SET_REGS, &registers) < 0) return bad(verdict, chost_kvm_setup);

    for (int exits = 0; exits < 16; exits++) {
        if (ioctl(processor, KVM_RUN, 0) < 0) return bad(verdict, step);
        verdict->exit_reason = state->exit_reason;
        if (state->exit_reason == KVM_EXIT_IO && state->io.port == done_port) return 0;
        if (state->exit_reason == KVM_EXIT_IO) continue;
        if (state->exit_reason == KVM_EXIT_INTERNAL_ERROR) verdict->suberror = state->internal.suberror;
        break;
    }
    errno = 0;
    return bad(verdict, step);
}

static void probe(struct chost_kvm_verdict *verdict) {
    int kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
    if (kvm < 0) {
        bad(verdict, chost_kvm_open);
        return;
    }
    if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
        bad(verdict, chost_kvm_setup);
        return;
    }
    struct sigaction action = {.sa_handler = interrupt};
    sigaction(SIGALRM, &action, NULL);
    timer_t timer;
    struct itimerspec limit = {.it_value = {0, loop_limit_ms * 1000000}};
    if (timer_create(CLOCK_MONOTONIC, NULL, &timer) < 0) {
        bad(verdict, chost_kvm_setup);
        return;
    }
    timer_settime(timer, 0, &limit, NULL);
    if (run(kvm, instructions, sizeof instructions, chost_kvm_instructions, verdict) < 0) return;
    timer_settime(timer, 0, &limit, NULL);
    run(kvm, loop, sizeof loop, chost_kvm_speed, verdict);
}

void chost_kvm_probe(struct chost_kvm_verdict *verdict) {
    memset(verdict, 0, sizeof *verdict);
    uint64_t start = microseconds();
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        bad(verdict, chost_kvm_setup);
        return;
    }
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0) {
        struct sigaction normal = {.sa_handler = SIG_DFL};
        for (int i = 1; i < NSIG; i++) sigaction(i, &normal, NULL);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        struct chost_kvm_verdict found = {0};
        probe(&found);
        _exit(write(ends[1], &found, sizeof found) == sizeof found ? 0 : 1);
    }
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    close(ends[1]);
    if (pid < 0) {
        close(ends[0]);
        verdict->step = chost_kvm_setup;
        verdict->error = error;
        return;
    }
    int ended = chost_pidfd_open(pid);
    if (!(chost_pidfd_wait(ends[0], 2000) && read(ends[0], verdict, sizeof *verdict) == sizeof *verdict)) {
        memset(verdict, 0, sizeof *verdict);
        verdict->step = chost_kvm_hung;
        kill(pid, SIGKILL);
    }
    close(ends[0]);
    // One that hangs in the kernel cannot be waited for: then a zombie remains, and that is all.
    if (chost_pidfd_wait(ended, 1000)) waitpid(pid, NULL, 0);
    close(ended);
    verdict->microseconds = (unsigned)(microseconds() - start);
}
#else
void chost_kvm_probe(struct chost_kvm_verdict *verdict) {
    memset(verdict, 0, sizeof *verdict);
    verdict->step = chost_kvm_unsupported;
}
#endif
