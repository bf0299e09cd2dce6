import Files
import Foundation

/// A run as its folder shows it.
public struct RunSummary: Sendable {
  /// The folder.
  public let path: String
  /// The record of the run; nil where it has none, as runs of earlier versions.
  public let record: RunRecord?
  /// The figures of its log.
  public let log: RunLog
  /// How it stands.
  public let state: State
  /// The steps made.
  public let step: Int
  /// The steps of the whole run, nil where they are unknown.
  public let steps: Int?

  /// How a run stands.
  public enum State: Hashable, Sendable {
    /// A process makes steps: the one that is named.
    case running(String)
    /// All steps are made.
    case finished
    /// It was stopped, and can be resumed.
    case stopped
    /// Its process ended without saving; it can be resumed from its last checkpoint.
    case killed
    /// An error ended it.
    case failed(String)
    /// A file cannot be read.
    case damaged(String)
  }

  /// The last loss, nil where none was logged.
  public var loss: Double? { log["loss"]?.values.last }

  /// Reads a run's folder; no weights are read.
  ///
  /// - Throws: `FileError.unreadable` where the log cannot be read.
  public init(of folder: String) throws {
    path = folder
    log = try RunLog(of: folder)
    var problem: String?
    var record: RunRecord?
    if Self.exists("\(folder)/\(RunRecord.name)") {
      do {
        record = try RunRecord(of: folder)
      } catch {
        problem = "\(RunRecord.name) cannot be read"
      }
    }
    var saved: (step: Int, steps: Int)?
    do {
      if let checkpoint = try RunCheckpoints(run: folder).newestReadable() {
        saved = (checkpoint.step, checkpoint.recipe.steps)
      }
    } catch {
      problem = problem ?? "\(error)"
    }
    self.record = record
    step = max(record?.step ?? 0, log.lastStep, saved?.step ?? 0)
    steps = record?.steps ?? saved?.steps
    if let holder = FolderLock.holder(of: folder) {
      state = .running(holder)
    } else if let problem {
      state = .damaged(problem)
    } else {
      state =
        switch record?.state {
        case .finished: .finished
        case .stopped: .stopped
        case .failed: .failed(record?.problem ?? "")
        case .running: .killed
        case nil: step >= steps ?? .max ? .finished : .stopped
        }
    }
  }

  private static func exists(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }

  /// Whether a folder is that of a run.
  public static func isRun(_ folder: String) -> Bool {
    [RunRecord.name, RunLog.name].contains { exists("\(folder)/\($0)") }
      || !RunCheckpoints(run: folder).all.isEmpty
  }

  /// The folders of runs in a folder and those within it, by name; folders of runs are not searched.
  ///
  /// - Parameter depth: how deep the search goes.
  public static func folders(in folder: String, depth: Int = 4) -> [String] {
    if isRun(folder) { return [folder] }
    guard depth > 0 else { return [] }
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
    return names.sorted().filter { !$0.hasPrefix(".") }.flatMap { name -> [String] in
      let inner = folder == "." ? name : "\(folder)/\(name)"
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: inner, isDirectory: &isFolder),
        isFolder.boolValue
      else { return [] }
      return folders(in: inner, depth: depth - 1)
    }
  }
}
