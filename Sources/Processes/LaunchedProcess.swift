import CPOSIX
import Foundation

/// A process that `twinflow launch` has started. When the launcher ends for any reason, it stops
/// as on SIGTERM.
public struct LaunchedProcess: Sendable {
  /// The environment variable with the launcher's process id.
  public static let launcherKey = "TWINFLOW_LAUNCHER"

  private let launcher: pid_t
  private let store: LaunchStore?

  /// Watches the launcher that the environment names; nil where it names none.
  ///
  /// Signal handlers should be installed before, because the launcher may have ended already.
  ///
  /// - Throws: `ProcessesError.wrongEnvironment`.
  public init?(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    guard let text = environment[Self.launcherKey] else { return nil }
    guard let launcher = pid_t(text), launcher > 0 else {
      throw ProcessesError.wrongEnvironment(
        variable: Self.launcherKey, found: text, expected: "the launcher's process id")
    }
    self.launcher = launcher
    store = environment[ProcessPlace.storeKey].flatMap { LaunchStore(entering: $0) }
    _ = CPOSIX_EndWithParent(SIGTERM)
    // The launcher may have ended before the call.
    if hasLost { kill(getpid(), SIGTERM) }
  }

  /// Whether the launcher has ended.
  private var hasLost: Bool { getppid() != launcher }

  /// Leaves the run; the last process of a launcher that has ended removes its store.
  public func leave() { if hasLost { store?.leave() } }
}
