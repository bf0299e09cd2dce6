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
  private let isTerminal = isatty(2) == 1
  private var last = ContinuousClock.now - .seconds(60)

  init(_ label: String) { self.label = label }

  /// Shows a step.
  func show(_ progress: Trainer.Progress) {
    let done = progress.step == progress.total
    let now = ContinuousClock.now
    guard done || now - last > .seconds(isTerminal ? 0.2 : 15) else { return }
    last = now
    let width = 24
    let filled = width * progress.step / max(1, progress.total)
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    let numbers = String(
      format: "step %d/%d  loss %.4f  %.2f steps/s  %@ left", progress.step, progress.total,
      progress.loss, progress.rate, progress.remaining.secondsText)
    let text = "\(label) \(bar) \(numbers)"
    let line = isTerminal ? "\r\u{1B}[K\(text)\(done ? "\n" : "")" : text + "\n"
    FileHandle.standardError.write(line)
  }

  /// Ends the line of a run that stopped early.
  func finish() { if isTerminal { FileHandle.standardError.write("\n") } }
}

/// Ctrl-C and SIGTERM as a wish to stop: the first one is noted, the second one ends the program.
final class Interrupt: Sendable {
  private static let noted = Atomic<Bool>(false)

  init() {
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
