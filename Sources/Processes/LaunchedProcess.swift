import CSystem
import Foundation

/// A process that `twinflow launch` has started: it stops when the launcher ends, however that
/// happens, as it does on SIGTERM.
public struct LaunchedProcess: Sendable {
  /// The variable of the environment that holds the launcher's number.
  public static let launcherKey = "TWINFLOW_LAUNCHER"

  private let launcher: pid_t
  private let store: LaunchStore?

  /// Follows the launcher that the environment names; nil where it names none.
  ///
  /// Signals should have their handlers before: the launcher may have ended by now.
  ///
  /// - Throws: `ProcessesError.wrongEnvironment`.
  public init?(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    guard let text = environment[Self.launcherKey] else { return nil }
    guard let launcher = pid_t(text), launcher > 0 else {
      throw ProcessesError.wrongEnvironment(
        variable: Self.launcherKey, found: text, expected: "the launcher's process number")
    }
    self.launcher = launcher
    store = environment[ProcessPlace.storeKey].flatMap { LaunchStore(entering: $0) }
    _ = CSystem_EndWithParent(SIGTERM)
    // It may have ended before the system was told.
    if hasLost { kill(getpid(), SIGTERM) }
  }

  /// Whether the launcher has ended.
  private var hasLost: Bool { getppid() != launcher }

  /// Ends the process's part in the run: the last one of a launcher that is gone removes its store.
  public func leave() { if hasLost { store?.leave() } }
}
