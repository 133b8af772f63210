package import NodeWire

/// The host that runs the jobs, as the control plane reaches it.
///
/// Assignments arrive in the order of the calls, the node carries them out in that order, and its answers come back
/// in order too; `ControlPlane` counts on all three. What is sent without a connection is lost: the control plane
/// says it again after `connectionOpened`.
package protocol Node: Sendable {
    func send(_ assignment: Assignment) async
}
