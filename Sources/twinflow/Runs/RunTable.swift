import Foundation
import Training

/// Runs as an aligned table.
struct RunTable {
  private let runs: [RunSummary]

  init(_ runs: [RunSummary]) { self.runs = runs }

  /// The table, a line for each run, and a line for each that needs one below.
  var text: String {
    let rows =
      [["run", "state", "step", "loss", "training"]]
      + runs.map { run in
        [
          run.path, run.state.word, "\(run.step)" + (run.steps.map { " of \($0)" } ?? ""),
          run.loss.map { String(format: "%.4g", $0) } ?? "–",
          run.record.map { $0.seconds.secondsText } ?? "–",
        ]
      }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    let lines = rows.map { row in
      row.enumerated().map { column, cell in
        let space = String(repeating: " ", count: widths[column] - cell.count)
        return column < 2 ? cell + space : space + cell
      }.joined(separator: "  ")
    }
    return (lines + notes).joined(separator: "\n")
  }

  private var notes: [String] {
    runs.compactMap { run in
      switch run.state {
      case .running(let holder): "\(run.path): \(holder) makes steps."
      case .failed(let problem) where !problem.isEmpty: "\(run.path): \(problem)"
      case .damaged(let problem): "\(run.path): \(problem)"
      case .finished, .stopped, .killed, .failed: nil
      }
    }
  }
}

extension RunSummary.State {
  /// The state in a word.
  var word: String {
    switch self {
    case .running: "running"
    case .finished: "finished"
    case .stopped: "stopped"
    case .killed: "killed"
    case .failed: "failed"
    case .damaged: "damaged"
    }
  }
}
