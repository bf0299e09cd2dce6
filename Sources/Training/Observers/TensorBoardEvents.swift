import Files
import Foundation
import Tensors

/// Writes a run's figures and sample grids into an event file in its folder, for TensorBoard.
public final class TensorBoardEvents: RunObserver {
  private let notice: (String) -> Void
  private var file: EventFile?
  private var every = 1

  /// Makes the observer.
  ///
  /// - Parameter notice: called once where the file cannot be written; the run goes on without it.
  public init(notice: @escaping (String) -> Void) { self.notice = notice }

  /// Opens the file. At the start of a run the event files of the run that it replaces are deleted.
  ///
  /// - Throws: `FileError.unwritable`.
  public func begin(_ start: RunStart) throws {
    every = start.recipe.logEvery
    let folder = start.recipe.output
    if start.step == 0 { Self.removeFiles(in: folder) }
    file = try EventFile(in: folder, after: start.step, time: now)
  }

  private static func removeFiles(in folder: String) {
    let manager = FileManager.default
    for name in (try? manager.contentsOfDirectory(atPath: folder)) ?? []
    where name.hasPrefix(EventFile.beginning) && name.hasSuffix(EventFile.ending) {
      unlink("\(folder)/\(name)")
    }
  }

  /// Writes the figures of the steps that are logged.
  public func observe(_ report: StepReport) {
    guard report.step % every == 0 || report.step == report.total else { return }
    write(report.metrics.merging(report.speed.named), after: report.step)
  }

  /// Writes what was found.
  public func observe(_ finding: Finding, after step: Int) {
    switch finding {
    case .metrics(let metrics): write(metrics, after: step)
    case .picture(let name, let picture): write([(name, .picture(picture))], after: step)
    }
  }

  private func write(_ metrics: Named<Float>, after step: Int) {
    write(metrics.pairs.map { (Self.tag($0.name), .number($0.value)) }, after: step)
  }

  private func write(_ values: [(String, EventFile.Value)], after step: Int) {
    do {
      try file?.write(values, step: step, time: now)
    } catch {
      notice("\(error) The run goes on without TensorBoard's events.")
      file = nil
    }
  }

  /// The name of a figure in TensorBoard, below that of its group.
  static func tag(_ name: String) -> String {
    switch name {
    case "gradient_norm", "learning_rate": "optimizer/\(name)"
    case "images_per_second", "peak_share", "data_wait": "speed/\(name)"
    case "accuracy": name
    case _ where name.contains("/"): name
    default: "loss/\(name == "loss" ? "total" : name)"
    }
  }

  private var now: Double { Date().timeIntervalSince1970 }
}
