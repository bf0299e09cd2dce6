import Foundation

/// The files of a run's folder.
enum RunFiles {
  /// What a run without sample grids leaves there.
  static let whole = ["checkpoints", "events", "log.jsonl", "run.json", "weights.safetensors"]

  /// The names in a folder; TensorBoard's event files, whose names hold their time, are one `events`.
  static func names(in folder: String) -> [String] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return Set(names.map { $0.hasPrefix("events.out.tfevents.") ? "events" : $0 }).sorted()
  }
}
