/// What can go wrong between the processes of a run.
public enum ProcessesError: Error, Equatable, CustomStringConvertible {
  /// The store does not answer.
  case storeUnreachable(store: String, reason: String)
  /// The name of a store is none.
  case unknownStore(String)
  /// The name of a server has a part that cannot be used.
  case wrongStore(String, reason: String)
  /// A store holds a value that no process of a run writes.
  case strangeValue(key: String, expected: String)
  /// A wait for the other processes was ended from outside.
  case stopped(point: String)
  /// Variables of the environment do not say what they should.
  case wrongEnvironment(variable: String, found: String?, expected: String)
  /// Some processes did not come to a point that all must come to.
  case missing(ranks: [Int], count: Int, point: String, seconds: Double)
  /// A process has given no sign of life.
  case silent(rank: Int, seconds: Double)
  /// A process has said that it failed.
  case failed(rank: Int, message: String)
  /// The plugin sees the devices of its own process alone.
  case notJoined(platform: String, count: Int)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .storeUnreachable(let store, let reason):
      return "The store \(store), by which the run's processes find each other, cannot be reached: "
        + "\(reason). Name one with TWINFLOW_STORE: a folder that all processes see, or "
        + "redis://host:port of a running server."
    case .unknownStore(let name):
      return "\(name) is no store. Give a folder that all processes see, or redis://host:port."
    case .wrongStore(let name, let reason):
      return "\(name) is no store: \(reason). Write redis://host:port, or redis://host:port/name."
    case .strangeValue(let key, let expected):
      return "The store holds under \(key) what is not \(expected). See whether another program "
        + "writes to it, and name a store of the run's own with TWINFLOW_STORE."
    case .stopped(let point):
      return "This process was stopped while it waited for the others at \(point)."
    case .wrongEnvironment(let variable, let found, let expected):
      let what = found.map { "is \"\($0)\"" } ?? "is not set"
      return "The environment variable \(variable) \(what); it must be \(expected)."
    case .missing(let ranks, let count, let point, let seconds):
      let names = ranks.map(String.init).joined(separator: ", ")
      let which = ranks.count == 1 ? "Process \(names)" : "Processes \(names)"
      return "\(which) of \(count) did not come to \(point) within \(inSeconds(seconds)). "
        + "See whether \(ranks.count == 1 ? "it" : "they") was started with the same store, and "
        + "what \(ranks.count == 1 ? "its" : "their") own output says; then start all of them "
        + "again, with --resume where there is a checkpoint."
    case .silent(let rank, let seconds):
      return
        "Process \(rank) has given no sign of life for \(inSeconds(seconds)): its host may be "
        + "down. Start all processes again with --resume; the run goes on from its last checkpoint."
    case .failed(let rank, let message):
      return "Process \(rank) has failed: \(message) Start all processes again with --resume; the "
        + "run goes on from its last checkpoint."
    case .notJoined(let platform, let count):
      return "The plugin for \(platform) does not join the devices of \(count) processes. Run one "
        + "process with all devices of the machine, or use a GPU."
    }
  }
}
