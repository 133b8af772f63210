import HostSystem
import QMP

/// The command line of one QEMU, as a value. A template and its clones must have the same machine and devices in the
/// same order, so both are made here. QEMU opens no path of ours but `/proc/self/fd/N`: every file is a descriptor.
struct QEMUCommand {
    static let program = "qemu-system-x86_64"
    /// Part of a template's key: raise it with every change that a saved template would not fit.
    static let recipe = 2
    /// What the tap's other side and the guest know as the card's address.
    static let guestMAC = "02:fc:00:00:00:02"

    /// The numbers that QEMU finds its descriptors under.
    enum Number: Int32 {
        case errors = 2
        case monitor, wire, memory, state, root, upper, layer, spare, tap, kernel, initramfs
    }

    enum Start {
        /// Boots: memory is shared with the descriptor, the upper disk is written to.
        case boot(kernel: FileDescriptor, initramfs: FileDescriptor, parameters: String)
        /// Waits for `migrate-incoming` from `state`, then for `cont`: memory is private, the upper disk is the
        /// read-only bottom of `layer`. `isWake`: the state is that of a machine that slept, not a template's.
        case restore(state: FileDescriptor, layer: FileDescriptor, isWake: Bool)
    }

    /// Names the process for people and for the reaper.
    var name: String
    var accelerator: Accelerator
    var size: MachineSize
    var start: Start
    var monitor: FileDescriptor
    var wire: FileDescriptor
    var memory: FileDescriptor
    var root: FileDescriptor
    var upper: FileDescriptor
    /// What stands in the place of a machine's own disk until a claim brings one.
    var spare: FileDescriptor
    var tap: FileDescriptor?
    /// Where QEMU's complaints go.
    var errors: FileDescriptor

    static func processorModel(_ accelerator: Accelerator) -> String { accelerator == .kvm ? "host" : "max" }

    var descriptors: [Int32: FileDescriptor] {
        var all: [Number: FileDescriptor] = [
            .errors: errors, .monitor: monitor, .wire: wire, .memory: memory, .root: root, .upper: upper,
            .spare: spare,
        ]
        all[.tap] = tap
        switch start {
        case .boot(let kernel, let initramfs, _):
            all[.kernel] = kernel
            all[.initramfs] = initramfs
        case .restore(let state, let layer, _):
            all[.state] = state
            all[.layer] = layer
        }
        return Dictionary(uniqueKeysWithValues: all.map { ($0.key.rawValue, $0.value) })
    }

    var arguments: [String] {
        [QEMUCommand.program, "-name", name] + machine + confinement + channels + disks + network + starting
    }

    private var isRestore: Bool {
        if case .restore = start { true } else { false }
    }

    private var machine: [String] {
        [
            "-M", "microvm,acpi=on,rtc=on,pit=off,pic=off,isa-serial=off,memory-backend=ram",
            "-accel", accelerator.rawValue, "-cpu", QEMUCommand.processorModel(accelerator),
            "-smp", "\(size.processors)", "-m", "\(size.memoryMebibytes)",
            "-object",
            "memory-backend-file,id=ram,size=\(size.memoryMebibytes)M,mem-path=\(path(.memory)),"
                + "share=\(isRestore ? "off" : "on")",
            "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot", "-serial", "none", "-parallel", "none",
            "-global", "virtio-mmio.force-legacy=false",
        ]
    }

    private var confinement: [String] {
        ["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"]
    }

    private var channels: [String] {
        [
            "-chardev", "socket,id=monitor,fd=\(Number.monitor.rawValue),server=on,wait=off",
            "-mon", "chardev=monitor,mode=control",
            "-chardev", "socket,id=wire,fd=\(Number.wire.rawValue),server=on,wait=off",
            "-device", "virtio-serial-device,id=serial", "-device", "virtserialport,chardev=wire,name=agent",
            "-object", "rng-random,id=random,filename=/dev/urandom", "-device", "virtio-rng-device,rng=random",
        ]
    }

    /// `locking=off`: QEMU's file locks do not know that the lower files never change again. The layer does without
    /// flushes, since nobody ever reads it after a crash. A host without room is told to the guest: the default would
    /// stop the machine, and nobody would start it again.
    private var disks: [String] {
        var all = addDescriptor(.root) + addDescriptor(.upper)
        all += block(#"{"driver":"raw","node-name":"root","read-only":true,"file":\#(file(.root, readOnly: true))}"#)
        if isRestore {
            all += addDescriptor(.layer)
            all += block(
                #"{"driver":"raw","node-name":"lower","read-only":true,"file":\#(file(.upper, readOnly: true))}"#)
            all += block(
                #"{"driver":"qcow2","node-name":"upper","discard":"unmap","cache":{"direct":false,"no-flush":true},"#
                    + #""file":\#(file(.layer)),"backing":"lower"}"#)
        } else {
            all += block(
                #"{"driver":"raw","node-name":"upper","discard":"unmap","cache":{"direct":false,"no-flush":true},"#
                    + #""file":\#(file(.upper))}"#)
        }
        all += addDescriptor(.spare)
        all += block(
            #"{"driver":"raw","node-name":"spare","discard":"unmap","cache":{"direct":false,"no-flush":true},"#
                + #""file":\#(file(.spare))}"#)
        return all + [
            "-device", "virtio-blk-device,drive=root,id=disk0",
            "-device", "virtio-blk-device,drive=upper,id=disk1,werror=report,rerror=report",
            "-device", "virtio-blk-device,drive=spare,id=disk2,werror=report,rerror=report",
        ]
    }

    /// Puts a machine's own disk, whose descriptor goes with the first of these, in the place of the spare. Only the last
    /// one, though it changes nothing, tells the guest of the new size. No flush reaches the host's disk: the machine goes
    /// with the host, and no disk outlives its machine; a mount alone would wait for one.
    static func diskCommands(bytes: UInt64) -> [QMPCommand] {
        let set: Int64 = 100
        let file: QMPValue = [
            "driver": "file", "filename": .text("/dev/fdset/\(set)"), "locking": "off", "discard": "unmap",
        ]
        return [
            QMPCommand("add-fd", ["fdset-id": .integer(set)]),
            QMPCommand(
                "blockdev-add",
                [
                    "driver": "raw", "node-name": "disk", "discard": "unmap",
                    "cache": ["direct": false, "no-flush": true], "file": file,
                ]),
            QMPCommand("qom-set", ["path": "/machine/peripheral/disk2", "property": "drive", "value": "disk"]),
            QMPCommand("block_resize", ["node-name": "disk", "size": .integer(Int64(bytes))]),
        ]
    }

    /// Saves all but the memory into a descriptor that goes with the first of these. The machine is stopped and stays as
    /// it is, so that it can go on when the rest fails.
    static var saveDevices: [QMPCommand] {
        let set: Int64 = 101
        return [
            QMPCommand("add-fd", ["fdset-id": .integer(set)]),
            QMPCommand("xen-save-devices-state", ["filename": .text("/dev/fdset/\(set)"), "live": false]),
            QMPCommand("remove-fd", ["fdset-id": .integer(set)]),
        ]
    }

    private var network: [String] {
        guard tap != nil else { return [] }
        return [
            "-netdev", "tap,id=net0,fd=\(Number.tap.rawValue)",
            "-device", "virtio-net-device,netdev=net0,id=nic0,mac=\(QEMUCommand.guestMAC)",
        ]
    }

    private var starting: [String] {
        switch start {
        case .boot(_, _, let parameters):
            ["-kernel", path(.kernel), "-initrd", path(.initramfs), "-append", parameters]
        case .restore(_, _, isWake: false): ["-S", "-incoming", "defer"]
        case .restore(_, _, isWake: true):
            // What is saved of the devices alone has neither a configuration nor a description.
            [
                "-S", "-incoming", "defer", "-global", "migration.send-configuration=off", "-machine",
                "suppress-vmdesc=on",
            ]
        }
    }

    private func path(_ number: Number) -> String { "/proc/self/fd/\(number.rawValue)" }

    private func addDescriptor(_ number: Number) -> [String] {
        ["-add-fd", "fd=\(number.rawValue),set=\(number.rawValue)"]
    }

    private func block(_ json: String) -> [String] { ["-blockdev", json] }

    private func file(_ number: Number, readOnly: Bool = false) -> String {
        #"{"driver":"file","filename":"/dev/fdset/\#(number.rawValue)","locking":"off","discard":"unmap","#
            + #""read-only":\#(readOnly)}"#
    }
}
