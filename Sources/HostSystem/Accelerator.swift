/// What runs a guest's code: the processor itself, or QEMU's translator.
package enum Accelerator: String, Sendable, Codable { case kvm, tcg }
