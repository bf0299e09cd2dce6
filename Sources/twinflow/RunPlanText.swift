import Foundation
import Runtime
import Training

/// What is said of a run before its first step: its parameters, its memory, and how its step was compiled.
struct RunPlanText {
  let text: String

  init(_ trainer: Trainer) {
    let counts = trainer.parameterCounts
    let number = { (count: Int) in
      count < 1_000_000
        ? "\(count)" : String(format: "%.4g M", Double(count) / 1e6)
    }
    var lines = [
      "\(trainer.recipe.model.kind): \(number(counts.all)) parameters, \(number(counts.trained)) of "
        + "them trained; \(trainer.recipe.steps - trainer.step) steps of \(trainer.recipe.batch) samples."
    ]
    if let memory = trainer.function.executable.memory {
      lines.append("The compiled step needs \(memory.total.bytesText) on each device.")
    }
    let compilation = trainer.function.compilation
    lines.append(
      compilation.cached
        ? "The compiled step was loaded from the cache."
        : "Compiled the step in \(compilation.compiling.secondsText).")
    text = lines.joined(separator: "\n")
  }
}

/// The time of a run, estimated once from its first steps.
final class TimeEstimate {
  private var seen = 0
  private var start: ContinuousClock.Instant?
  /// The steps that are timed, after the first one, which is slower.
  private static let steps = 5

  /// The estimate, the first time that enough steps have been made; nil otherwise.
  func text(_ progress: Trainer.Progress) -> String? {
    seen += 1
    let now = ContinuousClock.now
    if seen == 1 { start = now }
    guard seen == 1 + Self.steps, let start, progress.step < progress.total else { return nil }
    let seconds = (now - start).seconds / Double(Self.steps)
    let left = seconds * Double(progress.total - progress.step)
    return String(format: "A step takes about %.3g s: ", seconds)
      + "the \(progress.total - progress.step) steps that are left take \(left.secondsText)."
  }
}
