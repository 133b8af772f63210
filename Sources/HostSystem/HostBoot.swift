/// The host's present start, told apart from all others.
package enum HostBoot {
    /// Empty where the kernel does not say.
    package static let id = ((try? SystemFile.text("/proc/sys/kernel/random/boot_id")) ?? "").filter { $0 != "\n" }
}
