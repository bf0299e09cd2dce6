import Foundation
import Synchronization
import Training

extension FileHandle {
  /// Writes a text as it is.
  func write(_ text: String) { try? write(contentsOf: Data(text.utf8)) }
}

extension Int {
  /// A number of bytes as people read it.
  var bytesText: String {
    let units = ["bytes", "KiB", "MiB", "GiB", "TiB"]
    var (value, unit) = (Double(self), 0)
    while value >= 1024, unit < units.count - 1 { (value, unit) = (value / 1024, unit + 1) }
    return unit == 0 ? "\(self) bytes" : String(format: "%.1f %@", value, units[unit])
  }
}

extension Double {
  /// A number of seconds as people read it: `4.2 s`, `3:07 min`, `1:02:03 h`.
  var secondsText: String {
    guard isFinite else { return "–" }
    if self < 60 { return String(format: "%.1f s", self) }
    let whole = Int(rounded())
    if whole < 3600 { return String(format: "%d:%02d min", whole / 60, whole % 60) }
    return String(format: "%d:%02d:%02d h", whole / 3600, whole / 60 % 60, whole % 60)
  }
}

/// A line on standard error that shows how far a run has come: on a terminal it is drawn anew,
/// elsewhere a line is written now and then.
final class ProgressBar {
  private let label: String
  private let total: Int
  private let start = ContinuousClock.now
  private let isTerminal = isatty(2) == 1
  private var last = ContinuousClock.now - .seconds(60)

  init(_ label: String, of total: Int) {
    self.label = label
    self.total = total
  }

  /// Shows how far a run of equal parts has come.
  func show(_ done: Int) {
    let spent = (ContinuousClock.now - start).seconds
    let left = spent * Double(total - done) / Double(max(1, done))
    draw(done, done == 0 ? "" : "\(left.secondsText) left")
  }

  /// Shows a step of training.
  func show(_ progress: Trainer.Progress) {
    let numbers = String(format: "loss %.4f  %.2f steps/s", progress.loss, progress.rate)
    draw(progress.step, "\(numbers)  \(progress.remaining.secondsText) left")
  }

  private func draw(_ done: Int, _ words: String) {
    let now = ContinuousClock.now
    guard done == total || now - last > .seconds(isTerminal ? 0.2 : 15) else { return }
    last = now
    let width = 24
    let filled = width * done / max(1, total)
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    let text = "\(label) \(bar) \(done)/\(total)  \(words)"
    FileHandle.standardError.write(isTerminal ? "\r\u{1B}[K\(text)" : text + "\n")
  }

  /// Ends the line.
  func finish() { if isTerminal { FileHandle.standardError.write("\n") } }
}

/// Ctrl-C and SIGTERM as a wish to stop: the first one is noted, the second one ends the program.
final class Interrupt: Sendable {
  private static let noted = Atomic<Bool>(false)

  init() {
    // Whoever starts the program may have blocked its signals.
    var both = sigset_t()
    sigemptyset(&both)
    for number in [SIGINT, SIGTERM] { sigaddset(&both, number) }
    pthread_sigmask(SIG_UNBLOCK, &both, nil)
    for number in [SIGINT, SIGTERM] {
      signal(number) { _ in
        if Interrupt.noted.exchange(true, ordering: .relaxed) { _exit(130) }
        let text: StaticString = "\nStopping after this step; once more ends at once.\n"
        _ = Glibc.write(2, text.utf8Start, text.utf8CodeUnitCount)
      }
    }
  }

  /// Whether the user wants to stop.
  var isNoted: Bool { Self.noted.load(ordering: .relaxed) }
}
