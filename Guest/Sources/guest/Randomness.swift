import CGuest

/// The kernel's randomness, open from the template on.
final class Randomness {
    private let device: OpenFile

    init() throws(Failure) { device = try OpenFile("/dev/urandom", O_RDWR) }

    /// Mixes the bytes in, counted as random, before anybody draws again.
    func reseed(_ seed: [UInt8]) throws(Failure) {
        let errno = seed.withUnsafeBufferPointer { guest_reseed(device.descriptor, $0.baseAddress, Int32($0.count)) }
        try Descriptors.checkError(errno, "reseed the kernel's randomness")
    }
}
