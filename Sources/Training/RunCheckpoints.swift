import Files
import Foundation
import Pipelines
import Processes
import Runtime
import Weights

/// Where one checkpoint of a run is.
struct CheckpointPlace: Hashable {
  /// The folder of the checkpoint; for one of an earlier version its file.
  let path: String
  /// The number of steps made; −1 for a damaged file of an earlier version.
  let step: Int
  /// Whether it is one file, as earlier versions wrote it, without hashes.
  let isOld: Bool

  /// The file of the training state.
  var state: String { isOld ? path : "\(path)/state.safetensors" }

  /// Its name in the folder of the run.
  var name: String { (path as NSString).lastPathComponent }

  /// What the checkpoint says of itself; nil for damaged ones and those of an earlier version.
  var manifest: CheckpointManifest? {
    isOld ? nil : try? CheckpointManifest(readingFrom: path)
  }

  /// Checks that all files are as they were written.
  ///
  /// - Throws: `TrainingError.damagedCheckpoint`.
  func checkFiles() throws {
    if !isOld { try CheckpointManifest(readingFrom: path).check(path) }
  }

  /// Deletes the checkpoint.
  func remove() throws {
    do {
      let paths = isOld ? (try? WeightFiles(path: path).paths) ?? [path] : [path]
      for path in paths { try FileManager.default.removeItem(atPath: path) }
    } catch let error as CocoaError {
      throw FileError.unwritable(path: path, reason: error.localizedDescription)
    }
  }
}

/// The checkpoints of a run, each in a folder of its own: `checkpoints/step-000500` and so on.
struct RunCheckpoints {
  /// The folder of the run.
  let run: String

  /// The folder of the checkpoints.
  var path: String { "\(run)/checkpoints" }
  /// The file in which earlier versions kept their only checkpoint.
  var oldPath: String { "\(run)/checkpoint.safetensors" }

  /// The name of a checkpoint's folder.
  static func name(of step: Int) -> String { String(format: "step-%06d", step) }

  /// The step in the name of a checkpoint's folder, nil for other names.
  static func step(in name: String) -> Int? {
    guard name.hasPrefix("step-"), let step = Int(name.dropFirst(5)), step >= 0,
      name == Self.name(of: step)
    else { return nil }
    return step
  }

  /// All checkpoints, the newest first; whether they are whole is not looked at.
  var all: [CheckpointPlace] {
    let places = ((try? namesInFolder(path)) ?? []).compactMap { name in
      Self.step(in: name).map {
        CheckpointPlace(path: "\(path)/\(name)", step: $0, isOld: false)
      }
    }.sorted { $0.step > $1.step }
    guard WeightFiles.exist(at: oldPath) else { return places }
    let place = { CheckpointPlace(path: oldPath, step: $0, isOld: true) }
    return places + [place((try? Checkpoint(place(-1)))?.step ?? -1)]
  }

  /// The newest checkpoint whose files are all as they were written.
  ///
  /// - Parameter notice: called with a sentence for each newer one that is damaged.
  /// - Throws: `TrainingError.nothingToResume` without any, `damagedCheckpoint` for the newest where none
  ///   is whole, and the errors of a whole one that is not of this version.
  func newest(notice: (String) -> Void) throws -> Checkpoint {
    try newest(notice: notice) { try $0.checkFiles() }
  }

  /// The newest checkpoint whose headers can be read; nil without one. The state is not read.
  ///
  /// - Throws: as `newest(notice:)`.
  func newestReadable() throws -> Checkpoint? {
    all.isEmpty ? nil : try newest(notice: { _ in }) { _ in }
  }

  /// The newest checkpoint that is whole, which the first of a run's processes chooses for all.
  ///
  /// - Throws: as `newest(notice:)`.
  func newest(of group: ProcessGroup?, notice: (String) -> Void) throws -> Checkpoint {
    let found = (group?.rank ?? 0) == 0 ? try newest(notice: notice) : nil
    let name = try Self.shared(found?.place.name, "checkpoint", by: group)
    if let found { return found }
    guard let place = all.first(where: { $0.name == name }) else {
      throw TrainingError.nothingToResume(path: "\(path)/\(name)")
    }
    return try Checkpoint(place)
  }

  private func newest(
    notice: (String) -> Void, check: (CheckpointPlace) throws -> Void
  ) throws -> Checkpoint {
    var damaged: [TrainingError] = []
    for place in all {
      do {
        try check(place)
        let found = try Checkpoint(place)
        for error in damaged {
          guard case .damagedCheckpoint(let path, let reason) = error else { continue }
          notice("\(path) is damaged (\(reason)): the run goes on from step \(found.step).")
        }
        return found
      } catch {
        guard let reason = Self.damage(error) else { throw error }
        damaged.append(.damagedCheckpoint(path: place.path, reason: reason))
      }
    }
    throw damaged.first ?? .nothingToResume(path: path)
  }

  /// The reason where an error says that files are damaged, nil for other errors.
  private static func damage(_ error: any Error) -> String? {
    switch error {
    case TrainingError.damagedCheckpoint(_, let reason): reason
    case TrainingError.notACheckpoint: "it does not say of which step it is"
    case WeightsError.damaged(_, let reason): reason
    case WeightsError.missingFiles(_, let files): "without \(files.joined(separator: ", "))"
    case FileError.unreadable(_, let reason): reason
    default: nil
    }
  }

  /// Writes a checkpoint: all of it is at its place afterwards, or nothing.
  ///
  /// - Parameters:
  ///   - replacesAll: whether the checkpoints that are there are of another run, and deleted once this one
  ///     is on the disk.
  ///   - group: the processes that write it together.
  ///   - body: writes the files into a folder.
  /// - Throws: `FileError.unwritable`, and the errors of `body`.
  func write(
    step: Int, metrics: [String: Double], replacingAll replacesAll: Bool, by group: ProcessGroup?,
    _ body: (_ folder: String) throws -> Void
  ) throws {
    let isFirst = (group?.rank ?? 0) == 0
    var staged: StagedFolder?
    if isFirst {
      do {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      } catch {
        throw FileError.unwritable(path: path, reason: error.localizedDescription)
      }
      // What is there under this name is of another run, or damaged.
      staged = try StagedFolder("\(path)/\(Self.name(of: step))", replacing: true)
    }
    let name = try Self.shared(
      staged.map { ($0.path as NSString).lastPathComponent }, "folder of step \(step)", by: group)
    try body("\(path)/\(name)")
    try group?.meet("files of the checkpoint")
    if let staged {
      try CheckpointManifest(of: staged.path, step: step, metrics: metrics).write(to: staged.path)
      if replacesAll { for place in all { try place.remove() } }
      try staged.commit()
    }
    try group?.meet("checkpoint")
  }

  /// A text that the first process tells the others.
  static func shared(_ text: String?, _ key: String, by group: ProcessGroup?) throws -> String {
    guard let group else { return text! }
    if let text { try group.store.put("text/\(key)", Array(text.utf8)) }
    try group.meet("text \(key)")
    guard let bytes = try group.store.get("text/\(key)") else {
      throw ProcessesError.strangeValue(key: "text/\(key)", expected: "a text")
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Deletes the checkpoints that a rule does not keep, and those after a step, which a run that goes on
  /// from it has left behind. Damaged ones before it stay.
  func prune(_ retention: CheckpointRetention, at step: Int) throws {
    let all = all
    let known = all.filter { (0...step).contains($0.step) }.compactMap { place in
      place.isOld
        ? (place: place, metrics: [:]) : place.manifest.map { (place: place, metrics: $0.metrics) }
    }
    let kept = retention.kept(known.map { ($0.place.step, $0.metrics) })
    for place in all where place.step > step { try place.remove() }
    for (place, _) in known where !kept.contains(place.step) { try place.remove() }
  }
}

/// Which checkpoints of a run are kept.
struct CheckpointRetention: Hashable {
  /// How many of the newest.
  var last: Int
  /// Those of every so many steps, in addition; nil for none.
  var every: Int?
  /// The metric whose best checkpoint is kept in addition; nil for none.
  var best: String?

  /// The metrics of which higher is better; of all others lower is.
  private static let rising: Set<String> = [
    "accuracy", "retrieval_top_1", "retrieval_top_5", "diversity",
  ]

  /// Whether a higher value of a metric is better, by the name before its first slash.
  static func isRising(_ metric: String) -> Bool {
    metric.split(separator: "/").first.map { rising.contains(String($0)) } ?? false
  }

  /// The steps of the checkpoints that are kept.
  ///
  /// - Parameter checkpoints: the steps with their metrics, the newest first.
  func kept(_ checkpoints: [(step: Int, metrics: [String: Double])]) -> Set<Int> {
    var kept = Set(checkpoints.prefix(last).map(\.step))
    if let every { kept.formUnion(checkpoints.map(\.step).filter { $0 % every == 0 }) }
    if let best {
      let rated = checkpoints.compactMap { checkpoint in
        checkpoint.metrics[best].map { (checkpoint.step, Self.isRising(best) ? -$0 : $0) }
      }
      // Of equals the newest.
      if let step = rated.min(by: { ($0.1, -$0.0) < ($1.1, -$1.0) })?.0 { kept.insert(step) }
    }
    return kept
  }
}
