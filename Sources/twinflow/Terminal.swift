import Files
import Foundation
import Pipelines
import Runtime
import Training

extension FileHandle {
  /// Writes text.
  func write(_ text: String) { try? write(contentsOf: Data(text.utf8)) }
}

extension Double {
  /// A human-readable number of three digits.
  var shortText: String {
    abs(self) >= 1000 ? String(format: "%.0f", self) : String(format: "%.3g", self)
  }

  /// A human-readable number of seconds: `4.2 s`, `3:07 min`, `1:02:03 h`.
  var secondsText: String {
    // Longer than a million years is not an estimate.
    guard isFinite, abs(self) < 3e13 else { return "–" }
    if self < 60 { return String(format: "%.1f s", self) }
    let whole = Int(rounded())
    if whole < 3600 { return String(format: "%ld:%02ld min", whole / 60, whole % 60) }
    return String(format: "%ld:%02ld:%02ld h", whole / 3600, whole / 60 % 60, whole % 60)
  }
}

/// A progress bar on standard error: redrawn on a terminal, elsewhere a line every 15 seconds.
final class ProgressBar {
  private let title: String
  private let total: Int
  private let start = ContinuousClock.now
  private let isTerminal = isatty(2) == 1
  private var last = ContinuousClock.now - .seconds(60)

  init(_ title: String, of total: Int) {
    self.title = title
    self.total = total
  }

  /// Shows the number of completed items.
  func show(_ done: Int) {
    let spent = (ContinuousClock.now - start).seconds
    let left = spent * Double(total - done) / Double(max(1, done))
    draw(done, done == 0 ? "" : "\(left.secondsText) left")
  }

  /// Shows the progress of training.
  func show(_ progress: Trainer.Progress) {
    let numbers = String(format: "loss %.4f  %.2f steps/s", progress.loss, progress.rate)
    draw(progress.step, "\(numbers)  \(progress.remaining.secondsText) left")
  }

  fileprivate func draw(_ done: Int, _ words: String) {
    let now = ContinuousClock.now
    guard done == total || now - last > .seconds(isTerminal ? 0.2 : 15) else { return }
    last = now
    let width = 24
    let share = min(max(Double(done) / Double(max(1, total)), 0), 1)
    let filled = Int(Double(width) * share)
    let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: width - filled)
    let text = "\(title) \(bar) \(done)/\(total)  \(words)"
    FileHandle.standardError.write(isTerminal ? "\r\u{1B}[K\(text)" : text + "\n")
  }

  /// Ends the line.
  func finish() { if isTerminal { FileHandle.standardError.write("\n") } }
}

extension ProgressBar: RunObserver {
  /// Shows a step of training.
  func observe(_ report: StepReport) {
    let speed = report.speed
    var words = [
      String(format: "loss %.4f", report.loss), "\(speed.imagesPerSecond.shortText) images/s",
    ]
    if let share = speed.peakShare {
      words.append(String(format: "%.0f %% of peak", 100 * share))
    }
    if speed.dataWait >= 0.01 {
      words.append(String(format: "%.0f %% waiting for data", 100 * speed.dataWait))
    }
    words.append("\(report.remaining.secondsText) left")
    draw(report.step, words.joined(separator: "  "))
  }

  /// Ends the line.
  func end(_ end: RunEnd) { finish() }
}
