import Foundation
import PJRT

/// The rank of this process in a run, from the environment variables of the program that started
/// it.
public struct ProcessPlace: Hashable, Sendable {
  /// The rank of this process, from 0.
  public let rank: Int
  /// The number of processes.
  public let count: Int
  /// The store's name, nil for a store in the run's folder.
  public let store: String?
  /// The identifier of this start of the run.
  public let run: String

  /// Makes a place.
  public init(rank: Int, count: Int, store: String?, run: String) {
    (self.rank, self.count, self.store, self.run) = (rank, count, store, run)
  }

  /// The variables that `twinflow launch` sets.
  public static let (rankKey, countKey, storeKey, runKey) = (
    "TWINFLOW_PROCESS", "TWINFLOW_PROCESSES", "TWINFLOW_STORE", "TWINFLOW_RUN"
  )

  /// The place in the environment: from `twinflow launch`'s variables, torchrun's or Slurm's; nil
  /// for a single process.
  ///
  /// - Throws: `ProcessesError.wrongEnvironment`.
  public init?(environment: [String: String] = ProcessInfo.processInfo.environment) throws {
    guard let starter = Starter.all.first(where: { $0.hasStarted(environment) }) else {
      // As a single process it would overwrite the files of the others.
      guard let rank = environment[Self.rankKey] else { return nil }
      throw ProcessesError.wrongEnvironment(
        variable: Self.countKey, found: nil,
        expected: "the number of processes, as \(Self.rankKey) is set to \"\(rank)\"")
    }
    func number(_ key: String, _ range: Range<Int>, _ expected: String) throws -> Int {
      guard let found = environment[key].flatMap(Int.init), range.contains(found) else {
        throw ProcessesError.wrongEnvironment(
          variable: key, found: environment[key], expected: expected)
      }
      return found
    }
    count = try number(starter.count, 1..<1_000_000, "the number of processes")
    rank = try number(
      starter.rank, 0..<count, "the number of this process, from 0 to \(count - 1)")
    guard count > 1 else { return nil }
    store = environment[Self.storeKey].flatMap { $0.isEmpty ? nil : $0 }
    run = starter.run.compactMap { environment[$0] }.joined(separator: "-")
  }

  /// A program that starts processes, and the environment variables with their ranks.
  private struct Starter {
    let rank: String
    let count: String
    let run: [String]
    /// A variable that only its processes have.
    var ownKey: String?

    static let all = [
      Starter(rank: ProcessPlace.rankKey, count: ProcessPlace.countKey, run: [ProcessPlace.runKey]),
      Starter(
        rank: "RANK", count: "WORLD_SIZE",
        run: ["TORCHELASTIC_RUN_ID", "TORCHELASTIC_RESTART_COUNT"]),
      // A shell in a Slurm allocation is not a task, and has no step.
      Starter(
        rank: "SLURM_PROCID", count: "SLURM_NTASKS",
        run: ["SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_RESTART_COUNT"], ownKey: "SLURM_STEP_ID"),
    ]

    func hasStarted(_ environment: [String: String]) -> Bool {
      environment[count] != nil && ownKey.map { environment[$0] != nil } ?? true
    }
  }

  /// Opens the store.
  ///
  /// - Parameter folder: the run's folder, which holds the store where none is named.
  /// - Throws: `ProcessesError`.
  public func openStore(in folder: String) throws -> any KeyValueStore {
    let run = run.isEmpty ? "run" : Self.fileName(run)
    guard let store else { return try FolderStore("\(folder)/.processes/\(run)") }
    switch try StoreName(store) {
    case .folder(let path): return try FolderStore("\(path)/\(run)")
    case .redis(let host, let port, let prefix):
      return try RedisStore(
        host: host, port: port, prefix: "twinflow/\(prefix.isEmpty ? run : prefix + "/" + run)")
    }
  }

  /// A run's name, escaped for a folder name, because it comes from outside.
  private static func fileName(_ run: String) -> String {
    let plain = CharacterSet.alphanumerics.union(CharacterSet(charactersIn: "-_"))
    return run.addingPercentEncoding(withAllowedCharacters: plain) ?? "run"
  }
}
