/// What can go wrong between the processes of a run.
public enum ProcessesError: Error, Equatable, CustomStringConvertible {
  /// The store cannot be reached.
  case storeUnreachable(store: String, reason: String)
  /// A name is not the name of a store.
  case unknownStore(String)
  /// The address of a server is invalid.
  case wrongStore(String, reason: String)
  /// A store holds a value that was not written by a run's process.
  case strangeValue(key: String, expected: String)
  /// A wait for the other processes was cancelled.
  case stopped(point: String)
  /// An environment variable is missing or invalid.
  case wrongEnvironment(variable: String, found: String?, expected: String)
  /// Some processes did not reach a barrier in time.
  case missing(ranks: [Int], count: Int, point: String, seconds: Double)
  /// The heartbeat of a process is overdue.
  case silent(rank: Int, seconds: Double)
  /// A process has reported a failure.
  case failed(rank: Int, message: String)
  /// The plugin sees only the devices of its own process.
  case notJoined(platform: String, count: Int)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .storeUnreachable(let store, let reason):
      return "The store \(store), by which the run's processes find each other, cannot be reached: "
        + "\(reason). Name one with TWINFLOW_STORE: a folder that all processes can access, or "
        + "redis://host:port of a running server."
    case .unknownStore(let name):
      return
        "\(name) is not a store. Give a folder that all processes can access, or redis://host:port."
    case .wrongStore(let name, let reason):
      return
        "\(name) is not a store: \(reason). Write redis://host:port, or redis://host:port/name."
    case .strangeValue(let key, let expected):
      return
        "The value of \(key) in the store is not \(expected). Check whether another program writes "
        + "to it, and name a store for this run alone with TWINFLOW_STORE."
    case .stopped(let point):
      return "This process was stopped while it waited for the others at \(point)."
    case .wrongEnvironment(let variable, let found, let expected):
      let what = found.map { "is \"\($0)\"" } ?? "is not set"
      return "The environment variable \(variable) \(what); it must be \(expected)."
    case .missing(let ranks, let count, let point, let seconds):
      let names = ranks.map(String.init).joined(separator: ", ")
      let which = ranks.count == 1 ? "Process \(names)" : "Processes \(names)"
      return "\(which) of \(count) did not reach \(point) within \(inSeconds(seconds)). "
        + "Check that \(ranks.count == 1 ? "it was" : "they were") started with the same store, and "
        + "read \(ranks.count == 1 ? "its" : "their") output; then start all of them "
        + "again, with --resume where there is a checkpoint."
    case .silent(let rank, let seconds):
      return
        "Process \(rank) has sent no heartbeat for \(inSeconds(seconds)): its host may be down. "
        + "Start all processes again with --resume; the run continues from its last checkpoint."
    case .failed(let rank, let message):
      return "Process \(rank) has failed: \(message) Start all processes again with --resume; the "
        + "run continues from its last checkpoint."
    case .notJoined(let platform, let count):
      return "The plugin for \(platform) cannot combine the devices of \(count) processes. Run one "
        + "process with all devices of the machine, or use a GPU."
    }
  }
}
