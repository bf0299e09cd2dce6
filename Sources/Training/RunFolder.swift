import Files
import Foundation
import Tensors
import Weights

/// The folder of a run, locked until `release` or the last reference.
final class RunFolder {
  let path: String
  /// The folders that were created for it, the outermost first.
  private let made: [String]
  private var lock: FolderLock?

  /// Creates the folder where it is missing, locks it, and deletes partial files of killed runs.
  ///
  /// - Parameter isFirst: whether this is the first of a run's processes, which locks for all.
  /// - Throws: `FileError.unwritable` where the folder cannot be created or written to,
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
      StagedFolder.removeAbandoned(in: checkpoints.path)
      // Checks that files can be written before hours of work.
      _ = try StagedFile(checkpoints.oldPath, as: .safetensors)
      var isFolder: ObjCBool = false
      if FileManager.default.fileExists(atPath: checkpoints.path, isDirectory: &isFolder),
        !isFolder.boolValue
      {
        throw FileError.unwritable(path: checkpoints.path, reason: "it is a file")
      }
    } catch {
      release()
      throw error
    }
  }

  deinit { release() }

  /// Unlocks the folder. If nothing was written, the folders that were created are removed.
  func release() {
    lock = nil
    for folder in made.reversed() where rmdir(folder) != 0 { return }
  }

  /// The missing folders on a path, the outermost first.
  private static func missing(_ path: String) -> [String] {
    var missing: [String] = []
    var path = path
    while !path.isEmpty, path != "/", !FileManager.default.fileExists(atPath: path) {
      missing.insert(path, at: 0)
      path = (path as NSString).deletingLastPathComponent
    }
    return missing
  }

  /// The checkpoints of the run.
  var checkpoints: RunCheckpoints { RunCheckpoints(run: path) }
  /// The newest weights for generation.
  var results: ResultFiles { ResultFiles(folder: path) }
  private var logPath: String { path + "/log.jsonl" }

  /// The path of the newest checkpoint, nil without one.
  var existingCheckpoint: String? { checkpoints.all.first?.path }

  /// Checks that a new run overwrites nothing.
  ///
  /// - Throws: `TrainingError.wouldOverwrite` for a checkpoint, `otherFiles` for a run's other files.
  func checkFresh() throws {
    if let existingCheckpoint { throw TrainingError.wouldOverwrite(path: existingCheckpoint) }
    if let other = otherFile { throw TrainingError.otherFiles(path: other) }
  }

  /// Checks that the run to be replaced was made by the same command. The log of a run that was killed before
  /// its first checkpoint may be replaced.
  ///
  /// - Throws: `TrainingError.otherCommand`, `otherFiles` for weights without a checkpoint, and the
  ///   errors of an unreadable checkpoint.
  func checkReplaceable(by command: String) throws {
    guard existingCheckpoint != nil else {
      if let weights = existingResult { throw TrainingError.otherFiles(path: weights) }
      return
    }
    let maker = try checkpoints.newestReadable()?.origin?.command
    guard maker == command else {
      throw TrainingError.otherCommand(path: path, found: maker, expected: command)
    }
  }

  /// Checks that a run in this folder replaces none of the files that it reads.
  ///
  /// - Throws: `FileError.replacesInput`.
  func checkKeeps(_ inputs: [String]) throws(FileError) {
    for output in results.outputs + [checkpoints.oldPath] {
      try checkOutput(output, replacesNoneOf: inputs)
    }
    let own = URL(fileURLWithPath: checkpoints.path).resolvingSymlinksInPath().path + "/"
    for input in inputs {
      guard URL(fileURLWithPath: input).resolvingSymlinksInPath().path.hasPrefix(own) else {
        continue
      }
      throw .replacesInput(output: checkpoints.path, input: input)
    }
  }

  /// A file of a run without its checkpoint, if there is one.
  private var otherFile: String? {
    existingResult ?? (FileManager.default.fileExists(atPath: logPath) ? logPath : nil)
  }

  /// The weights of a run, if there are any.
  private var existingResult: String? { results.all.first(where: WeightFiles.exist) }

  /// The log, truncated to the lines up to a step.
  ///
  /// - Parameter notice: called with a message about unreadable lines, which are dropped.
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
            + "\(damaged == 1 ? "was" : "were") dropped.")
      }
    }
    // Beside a checkpoint the log belongs to the run, even where none of its lines is readable.
    if kept.isEmpty, existingCheckpoint != nil,
      (try? FileKind.jsonLines.checkReplaceable(logPath)) == nil
    {
      truncate(logPath, 0)
    }
    try StagedFile.write(kept, to: logPath, as: .jsonLines)
    return try MetricsLog(logPath, notice: notice)
  }
}

/// A log file with one JSON object of metrics per line.
final class MetricsLog {
  private let path: String
  private let descriptor: Int32
  private let notice: (String) -> Void
  private var hasFailed = false

  /// Opens a log for appending.
  ///
  /// - Parameter notice: called the first time that a line cannot be written.
  init(_ path: String, notice: @escaping (String) -> Void) throws {
    self.path = path
    self.notice = notice
    descriptor = open(path, O_WRONLY | O_APPEND | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw FileError.unwritable(path: path, reason: String(cString: strerror(errno)))
    }
  }

  deinit { Glibc.close(descriptor) }

  /// The step of a line, nil for a line that is not one of a log.
  static func step(of line: Slice<UnsafeRawBufferPointer>) -> Int? {
    let bytes = Array(line)
    guard String(validating: bytes, as: UTF8.self) != nil,
      let fields = try? JSONSerialization.jsonObject(with: Data(bytes)) as? [String: Any]
    else { return nil }
    return fields["step"] as? Int
  }

  /// Appends a line. If that fails, for example on a full disk, the run continues without it.
  func write(_ step: Int, _ metrics: Named<Float>) {
    let fields = metrics.pairs.map { "\"\($0.name)\": \($0.value)" }
    let line = Array("{\"step\": \(step), \(fields.joined(separator: ", "))}\n".utf8)
    var status = stat()
    let size = fstat(descriptor, &status) == 0 ? status.st_size : -1
    let written = line.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
    guard written != line.count else { return }
    let reason =
      written < 0 ? String(cString: strerror(errno)) : "only part of the line was written"
    // A partial line would damage the next one.
    if written > 0, size >= 0 { ftruncate(descriptor, size) }
    guard !hasFailed else { return }
    hasFailed = true
    notice("\(path) cannot be written: \(reason). The run continues without these lines.")
  }
}
