import Files
import Foundation
import Tensors
import Weights

/// The folder of a run, locked for as long as this exists or until `release`.
final class RunFolder {
  let path: String
  /// The folders that were made for it, the outermost first.
  private let made: [String]
  private var lock: FolderLock?

  /// Makes the folder where it is missing, locks it, and deletes what killed runs have half written.
  ///
  /// - Parameter isFirst: whether this is the first of a run's processes, which locks for all.
  /// - Throws: `FileError.unwritable` where that fails or nothing can be written there,
  ///   `FileError.locked` where another process uses it.
  init(_ path: String, isFirst: Bool) throws {
    self.path = path
    made = isFirst ? Self.missing(path) : []
    do {
      try FileManager.default.createDirectory(
        atPath: path, withIntermediateDirectories: true)
    } catch {
      throw FileError.unwritable(path: path, reason: error.localizedDescription)
    }
    guard isFirst else { return }
    do {
      lock = try FolderLock(path)
      StagedFile.removeAbandoned(in: path)
      // Whether files can be written is known before hours of work.
      _ = try StagedFile(checkpoint, as: .safetensors)
    } catch {
      release()
      throw error
    }
  }

  deinit { release() }

  /// Lets others use the folder. Where nothing was written, folders that were made are removed again.
  func release() {
    lock = nil
    for folder in made.reversed() where rmdir(folder) != 0 { return }
  }

  /// The folders on a path that are not there, the outermost first.
  private static func missing(_ path: String) -> [String] {
    var missing: [String] = []
    var path = path
    while !path.isEmpty, path != "/", !FileManager.default.fileExists(atPath: path) {
      missing.insert(path, at: 0)
      path = (path as NSString).deletingLastPathComponent
    }
    return missing
  }

  var checkpoint: String { path + "/checkpoint.safetensors" }
  var weights: String { path + "/weights.safetensors" }
  var adapter: String { path + "/adapter.safetensors" }
  private var logPath: String { path + "/log.jsonl" }

  var existingCheckpoint: String? {
    WeightFiles.exist(at: checkpoint) ? checkpoint : nil
  }

  /// Checks that a new run replaces nothing.
  ///
  /// - Throws: `TrainingError.wouldOverwrite` for a checkpoint, `otherFiles` for a run's other files.
  func checkFresh() throws {
    if let existingCheckpoint { throw TrainingError.wouldOverwrite(path: existingCheckpoint) }
    if let other = otherFile { throw TrainingError.otherFiles(path: other) }
  }

  /// Checks that what a run replaces was made by the same command.
  ///
  /// - Throws: `TrainingError.otherCommand`, `otherFiles` for files without a checkpoint, and what is
  ///   wrong with a checkpoint that cannot be read.
  func checkReplaceable(by command: String) throws {
    guard existingCheckpoint != nil else {
      if let other = otherFile { throw TrainingError.otherFiles(path: other) }
      return
    }
    let maker = try Checkpoint(checkpoint).origin?.command
    guard maker == command else {
      throw TrainingError.otherCommand(path: path, found: maker, expected: command)
    }
  }

  /// A file of a run that is there without its checkpoint.
  private var otherFile: String? {
    if let found = [weights, adapter].first(where: WeightFiles.exist) { return found }
    return FileManager.default.fileExists(atPath: logPath) ? logPath : nil
  }

  /// The log, cut back to lines of earlier steps.
  ///
  /// - Parameter notice: told how many lines cannot be read and were left out.
  /// - Throws: `FileError` where the log cannot be read or written.
  func openLog(after step: Int, notice: @escaping (String) -> Void) throws -> MetricsLog {
    var kept: [UInt8] = []
    if FileManager.default.fileExists(atPath: logPath) {
      var damaged = 0
      let file = try MappedFile(logPath)
      withExtendedLifetime(file) {
        for line in file.bytes.split(separator: UInt8(ascii: "\n")) {
          guard let number = MetricsLog.step(of: line) else {
            damaged += 1
            continue
          }
          if number <= step { kept += line + [UInt8(ascii: "\n")] }
        }
      }
      if damaged > 0 {
        notice(
          "\(damaged) line\(damaged == 1 ? "" : "s") of \(logPath) could not be read and "
            + "\(damaged == 1 ? "was" : "were") left out.")
      }
    }
    // Beside a checkpoint the log is the run's own, even where no line of it can be read any more.
    if kept.isEmpty, existingCheckpoint != nil,
      (try? FileKind.jsonLines.checkReplaceable(logPath)) == nil
    {
      truncate(logPath, 0)
    }
    try StagedFile.write(kept, to: logPath, as: .jsonLines)
    return try MetricsLog(logPath, notice: notice)
  }
}

/// A file with one JSON object of metrics a line.
final class MetricsLog {
  private let path: String
  private let descriptor: Int32
  private let notice: (String) -> Void
  private var hasFailed = false

  /// Opens a log to add lines to it.
  ///
  /// - Parameter notice: told the first time that a line cannot be written.
  init(_ path: String, notice: @escaping (String) -> Void) throws {
    self.path = path
    self.notice = notice
    descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FileError.unwritable(path: path, reason: String(cString: strerror(errno)))
    }
  }

  deinit { Glibc.close(descriptor) }

  /// The step that a line is of, nil for a line that is not one of a log.
  static func step(of line: Slice<UnsafeRawBufferPointer>) -> Int? {
    let bytes = Array(line)
    guard String(validating: bytes, as: UTF8.self) != nil,
      let fields = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
    else { return nil }
    return fields["step"] as? Int
  }

  /// Adds a line. Where that fails, on a full disk for example, the run goes on without it.
  func write(_ step: Int, _ metrics: Named<Float>) {
    let fields = metrics.pairs.map { "\"\($0.name)\": \($0.value)" }
    let line = Array("{\"step\": \(step), \(fields.joined(separator: ", "))}\n".utf8)
    var status = stat()
    let size = fstat(descriptor, &status) == 0 ? status.st_size : -1
    let written = line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard written != line.count else { return }
    let reason = written < 0 ? String(cString: strerror(errno)) : "only a part fitted"
    // Half a line would spoil the next one.
    if written > 0, size >= 0 { ftruncate(descriptor, size) }
    guard !hasFailed else { return }
    hasFailed = true
    notice("\(path) cannot be written: \(reason). The run goes on without these lines.")
  }
}
