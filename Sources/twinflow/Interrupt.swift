import Foundation
import Synchronization

/// Signals that stop a run: it saves its state and ends, with 128 and the signal's number as its exit
/// code. A second Ctrl-C ends the program immediately.
///
/// Besides Ctrl-C and SIGTERM these are the signals of a closing terminal (SIGHUP), of Slurm and
/// others before a job's time limit (SIGUSR1, SIGUSR2), and of a CPU time limit (SIGXCPU).
final class Interrupt: Sendable {
  static let signals = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU]

  private static let noted = Atomic<Bool>(false)
  private static let first = Atomic<Int32>(0)
  private static let arrived = Atomic<UInt64>(0)
  private static let keyboardInterrupts = Atomic<Int>(0)
  private static let endsAtOnce = Atomic<Bool>(true)
  private static let installed: Void = install()

  /// Installs the signal handlers, once per process.
  init() { _ = Self.installed }

  /// Whether a signal to stop has arrived.
  var isNoted: Bool { Self.noted.load(ordering: .relaxed) }

  /// The exit code of a program that a signal has stopped, 128 and the number of the first signal; 0
  /// without one.
  var exitCode: Int32 {
    let number = Self.first.load(ordering: .relaxed)
    return number == 0 ? 0 : 128 + number
  }

  /// Disables the immediate end on a second Ctrl-C, for a launcher that forwards all signals.
  func passOn() { Self.endsAtOnce.store(false, ordering: .relaxed) }

  /// The number of times that Ctrl-C was pressed.
  var keyboardInterrupts: Int { Self.keyboardInterrupts.load(ordering: .relaxed) }

  /// The signals that have arrived since the last call.
  func takeArrived() -> [Int32] {
    let set = Self.arrived.exchange(0, ordering: .relaxed)
    return Self.signals.filter { set & 1 << UInt64($0) != 0 }
  }

  private static func install() {
    // The handler must not initialize these.
    _ = (noted.load(ordering: .relaxed), arrived.load(ordering: .relaxed))
    _ = first.load(ordering: .relaxed)
    _ = (keyboardInterrupts.load(ordering: .relaxed), endsAtOnce.load(ordering: .relaxed))
    // The parent process may have blocked the signals.
    var all = sigset_t()
    sigemptyset(&all)
    for number in signals { sigaddset(&all, number) }
    for number in signals where !(number == SIGHUP && isIgnored(number)) {
      signal(number, note)
    }
    pthread_sigmask(SIG_UNBLOCK, &all, nil)
  }

  /// Whether the parent process had a signal ignored, as nohup does.
  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// The signal handler; it uses only async-signal-safe calls.
  private static let note: @convention(c) (Int32) -> Void = { number in
    let code = errno
    defer { errno = code }
    _ = Interrupt.first.compareExchange(expected: 0, desired: number, ordering: .relaxed)
    let isFirst = !Interrupt.noted.exchange(true, ordering: .relaxed)
    Interrupt.arrived.bitwiseOr(1 << UInt64(number), ordering: .relaxed)
    var isSecondFromKeyboard = false
    if number == SIGINT {
      let count = Interrupt.keyboardInterrupts.wrappingAdd(1, ordering: .relaxed).newValue
      isSecondFromKeyboard = count > 1
    }
    if isSecondFromKeyboard, Interrupt.endsAtOnce.load(ordering: .relaxed) { _exit(130) }
    guard isFirst else { return }
    let text: StaticString =
      number == SIGINT
      ? "\nStopping after this step; press again to end immediately.\n"
      : "\nStopping after this step.\n"
    _ = Glibc.write(2, text.utf8Start, text.utf8CodeUnitCount)
  }
}
