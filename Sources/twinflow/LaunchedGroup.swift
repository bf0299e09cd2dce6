import Foundation
import Processes

/// The processes that a launcher has started on this machine.
final class LaunchedGroup {
  private var children: [Process] = []
  private let output = PrefixedOutput()
  private let interrupt: Interrupt
  private var passedOn = 0

  /// A process that failed.
  struct Failure {
    let rank: Int
    let status: Int32
    /// Whether it ended by a signal that was sent to all processes.
    let isStopped: Bool
  }

  /// Starts the program `count` times with the same arguments.
  ///
  /// - Throws: `LaunchError`; processes that were started are then stopped.
  init(
    _ count: Int, _ arguments: [String], _ environment: [String: String], _ interrupt: Interrupt
  ) throws {
    self.interrupt = interrupt
    try Self.raiseFileLimit(for: count)
    for rank in 0..<count {
      let child = Process()
      child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      child.arguments = arguments
      child.environment = environment.merging([ProcessPlace.rankKey: "\(rank)"]) { $1 }
      child.standardOutput = output.pipe(rank, to: 1)
      child.standardError = output.pipe(rank, to: 2)
      do {
        try child.run()
      } catch {
        send(SIGTERM)
        waitForOthers(seconds: 10)
        throw LaunchError.notStarted(rank: rank, reason: error.localizedDescription)
      }
      children.append(child)
    }
  }

  /// Waits until all processes have ended, and forwards signals to them.
  ///
  /// - Returns: the first failure, nil where there is none.
  func wait() -> Failure? {
    while isRunning {
      pause()
      if let failed = firstFailure {
        // The other processes notice the failure within a minute.
        waitForOthers(seconds: 60)
        // The first process to end may be one that only noticed the failure of another.
        return failed.status == Membership.lostStatus ? firstFailure : failed
      }
    }
    return firstFailure
  }

  /// Waits until the output of the processes is written.
  ///
  /// - Returns: the reason why some of it was lost, nil where none was.
  func finishOutput() -> String? { output.finish(stopping: { interrupt.isNoted }) }

  private var isRunning: Bool { children.contains(where: \.isRunning) }

  private var firstFailure: Failure? {
    let failed = children.indices.filter {
      !children[$0].isRunning && children[$0].terminationStatus != 0
    }
    guard
      let rank = failed.first(where: {
        children[$0].terminationReason == .exit
          && children[$0].terminationStatus != Membership.lostStatus
      }) ?? failed.first
    else { return nil }
    let child = children[rank]
    let isSignal = child.terminationReason == .uncaughtSignal
    let status = child.terminationStatus
    return Failure(
      rank: rank, status: isSignal ? 128 + status : status,
      isStopped: interrupt.isNoted && (isSignal || (129...192).contains(status)))
  }

  private func waitForOthers(seconds: Double) {
    let end = ContinuousClock.now + .seconds(seconds)
    while isRunning, ContinuousClock.now < end { pause() }
    send(SIGKILL)
    while isRunning { Thread.sleep(forTimeInterval: 0.01) }
  }

  /// Waits a moment, and forwards signals.
  private func pause() {
    Thread.sleep(forTimeInterval: 0.1)
    for number in interrupt.takeArrived() where number != SIGINT { send(number) }
    // Each Ctrl-C counts: the second ends the processes immediately, the third kills them.
    while passedOn < interrupt.keyboardInterrupts {
      passedOn += 1
      send(passedOn < 3 ? SIGINT : SIGKILL)
      Thread.sleep(forTimeInterval: 0.05)
    }
  }

  private func send(_ number: Int32) {
    for child in children where child.isRunning { kill(child.processIdentifier, number) }
  }

  /// Raises the limit of open files for the pipes of the processes.
  private static func raiseFileLimit(for count: Int) throws(LaunchError) {
    let needed = rlim_t(64 + 8 * count)
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0,
      limit.rlim_cur < needed
    else { return }
    let allowed = limit.rlim_max
    limit.rlim_cur = needed
    guard allowed >= needed,
      setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0
    else {
      throw .tooManyFiles(count: count, needed: Int(needed), limit: Int(clamping: allowed))
    }
  }
}

/// What can go wrong when processes are started.
enum LaunchError: Error, Equatable, CustomStringConvertible {
  /// The system could not start a process.
  case notStarted(rank: Int, reason: String)
  /// The pipes need more open files than the system allows.
  case tooManyFiles(count: Int, needed: Int, limit: Int)

  /// What was found and what to do.
  var description: String {
    switch self {
    case .notStarted(let rank, let reason):
      "Process \(rank) cannot be started: \(reason). Those before it were stopped; give fewer "
        + "--processes."
    case .tooManyFiles(let count, let needed, let limit):
      "\(count) processes need \(needed) open files and \(limit) are allowed: give fewer "
        + "--processes, or raise the limit (ulimit -n)."
    }
  }
}
