import Files
import Foundation
import Tensors
import Weights

/// The folder of a run.
struct RunFolder {
  let path: String

  /// Makes the folder where it is missing.
  ///
  /// - Throws: `FileError.unwritable` where that fails or nothing can be written there.
  init(_ path: String) throws {
    self.path = path
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true)
      let probe = path + "/.writable-\(UUID().uuidString)"
      try Data().write(to: URL(fileURLWithPath: probe))
      try FileManager.default.removeItem(atPath: probe)
    } catch {
      throw FileError.unwritable(path: path, reason: error.localizedDescription)
    }
  }

  var checkpoint: String { path + "/checkpoint.safetensors" }
  var weights: String { path + "/weights.safetensors" }
  private var logPath: String { path + "/log.jsonl" }

  var existingCheckpoint: String? {
    WeightFiles.exist(at: checkpoint) ? checkpoint : nil
  }

  func checkFresh() throws {
    if let existingCheckpoint { throw TrainingError.wouldOverwrite(path: existingCheckpoint) }
  }

  /// The log, cut back to lines of earlier steps.
  func openLog(after step: Int) throws -> MetricsLog {
    let old = (try? String(contentsOfFile: logPath, encoding: .utf8)) ?? ""
    let kept = old.split(separator: "\n").filter { line in
      let fields = try? JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any]
      return (fields?["step"] as? Int).map { $0 <= step } ?? false
    }
    let text = kept.map { $0 + "\n" }.joined()
    try StagedFile.write(Data(text.utf8), to: logPath, as: .jsonLines)
    do {
      let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: logPath))
      try handle.seekToEnd()
      return MetricsLog(handle)
    } catch {
      throw FileError.unwritable(path: logPath, reason: error.localizedDescription)
    }
  }
}

/// A file with one JSON object of metrics a line.
final class MetricsLog {
  private let handle: FileHandle

  init(_ handle: FileHandle) { self.handle = handle }

  func write(_ step: Int, _ metrics: Named<Float>) throws {
    let fields = metrics.pairs.map { "\"\($0.name)\": \($0.value)" }
    let line = "{\"step\": \(step), \(fields.joined(separator: ", "))}\n"
    try handle.write(contentsOf: Data(line.utf8))
  }

  func close() { try? handle.close() }
}
