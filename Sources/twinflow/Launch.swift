import ArgumentParser
import Foundation
import Processes

/// `twinflow launch`
struct Launch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Starts a command in several processes that work as one.",
    discussion: """
      Starts COMMAND so many times on this machine; what they print is marked with their numbers.
      When one fails, the others are stopped. Signals are passed on; where this command itself is
      killed, they save and stop. Processes find each other by a store: a folder of the machine if
      none is named, which is removed at the end.

      On several machines start one process on each, with Slurm's srun, with torchrun's variables
      (RANK, WORLD_SIZE), or by hand with TWINFLOW_PROCESS (its number, from 0),
      TWINFLOW_PROCESSES (how many there are), and TWINFLOW_STORE (a folder that all see, or
      redis://host:port). Without TWINFLOW_STORE the store is in the run's folder, which all must
      see anyway.

      EXAMPLES
        twinflow launch --processes 2 check-processes
        twinflow launch --processes 4 train recipe.yaml --device cuda
      """)

  @Option(help: "How many processes.")
  var processes: Int

  @Option(
    help: ArgumentHelp("Where they find each other.", valueName: "folder or redis://host:port"),
    transform: pathOption)
  var store: String?

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp("The command with its arguments.", valueName: "command"))
  var command: [String] = []

  func validate() throws {
    guard (1...4096).contains(processes) else {
      throw ValidationError("--processes is \(processes); give 1 to 4096.")
    }
    guard !command.isEmpty else {
      throw ValidationError(
        "Say what is to be started, as in: twinflow launch --processes 2 train …")
    }
  }

  func run() throws {
    let interrupt = Interrupt()
    interrupt.passOn()
    let run = UUID().uuidString.lowercased()
    var environment = ProcessInfo.processInfo.environment
    let named = store ?? environment[ProcessPlace.storeKey].flatMap { $0.isEmpty ? nil : $0 }
    var made: LaunchStore?
    if named == nil {
      LaunchStore.removeAbandoned()
      made = try LaunchStore(run: run)
    }
    // A store that was named is its owner's.
    defer { made?.leave() }
    environment[ProcessPlace.countKey] = "\(processes)"
    environment[ProcessPlace.storeKey] = named ?? made?.path
    environment[ProcessPlace.runKey] = run
    environment[LaunchedProcess.launcherKey] = "\(getpid())"
    let group = try LaunchedGroup(processes, command, environment, interrupt)
    let failed = group.wait()
    let outputFailure = group.finishOutput()
    if let failed {
      if !failed.isStopped {
        FileHandle.standardError.write(
          "Process \(failed.rank) has failed; the others were stopped.\n")
      }
      throw ExitCode(failed.status)
    }
    if let outputFailure { throw OutputError(reason: outputFailure) }
  }
}
