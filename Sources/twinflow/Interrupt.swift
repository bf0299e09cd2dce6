import Foundation
import Synchronization

/// Signals as a wish to stop: the run saves what it has and ends. A second Ctrl-C ends at once.
///
/// Besides Ctrl-C and SIGTERM these are what a terminal sends as it closes (SIGHUP), what Slurm and
/// others send before the time of a job is over (SIGUSR1, SIGUSR2), and the limit of a shell on the
/// processor's time (SIGXCPU).
final class Interrupt: Sendable {
  static let signals = [SIGINT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2, SIGXCPU]

  private static let noted = Atomic<Bool>(false)
  private static let arrived = Atomic<UInt64>(0)
  private static let keyboardInterrupts = Atomic<Int>(0)
  private static let endsAtOnce = Atomic<Bool>(true)
  private static let installed: Void = install()

  /// Takes the signals from now on; again does nothing.
  init() { _ = Self.installed }

  /// Whether the user wants to stop.
  var isNoted: Bool { Self.noted.load(ordering: .relaxed) }

  /// Leaves it to the program's own processes to end at once: it passes all signals on to them.
  func passOn() { Self.endsAtOnce.store(false, ordering: .relaxed) }

  /// How often Ctrl-C was pressed.
  var keyboardInterrupts: Int { Self.keyboardInterrupts.load(ordering: .relaxed) }

  /// The signals that have come since the last call.
  func takeArrived() -> [Int32] {
    let set = Self.arrived.exchange(0, ordering: .relaxed)
    return Self.signals.filter { set & 1 << UInt64($0) != 0 }
  }

  private static func install() {
    // The handler finds these made.
    _ = (noted.load(ordering: .relaxed), arrived.load(ordering: .relaxed))
    _ = (keyboardInterrupts.load(ordering: .relaxed), endsAtOnce.load(ordering: .relaxed))
    // Whoever starts the program may have blocked its signals.
    var all = sigset_t()
    sigemptyset(&all)
    for number in signals { sigaddset(&all, number) }
    for number in signals where !(number == SIGHUP && isIgnored(number)) {
      signal(number, note)
    }
    pthread_sigmask(SIG_UNBLOCK, &all, nil)
  }

  /// Whether whoever started the program has it ignore a signal, as nohup does.
  private static func isIgnored(_ number: Int32) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    return unsafeBitCast(action.__sigaction_handler.sa_handler, to: Int.self)
      == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// What a signal does, wherever the program is: it may only count and write.
  private static let note: @convention(c) (Int32) -> Void = { number in
    let code = errno
    defer { errno = code }
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
      ? "\nStopping after this step; once more ends at once.\n" : "\nStopping after this step.\n"
    _ = Glibc.write(2, text.utf8Start, text.utf8CodeUnitCount)
  }
}
