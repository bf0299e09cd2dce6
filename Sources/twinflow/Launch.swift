import ArgumentParser
import Foundation
import Processes

/// `twinflow launch`
struct Launch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Starts a command in several cooperating processes.",
    discussion: """
      Starts COMMAND in --processes processes on this machine and prefixes their output with their \
      ranks. When one fails, the others are stopped. Signals are forwarded; if this command itself is \
      killed, the processes save and stop. Processes find each other by a store: if none is named, a \
      temporary folder, which is removed at the end.

      On several machines start one process on each, with Slurm's srun, with torchrun's variables \
      (RANK, WORLD_SIZE), or by hand with TWINFLOW_PROCESS (its rank, from 0), \
      TWINFLOW_PROCESSES (their number), and TWINFLOW_STORE (a folder that all can access, or \
      redis://host:port). Without TWINFLOW_STORE the store is in the run's folder, which all must be \
      able to access anyway.

      EXAMPLES
        twinflow launch --processes 2 check-processes
        twinflow launch --processes 4 train recipe.yaml --device cuda
      """)

  @Option(help: "The number of processes.")
  var processes: Int

  @Option(
    help: ArgumentHelp(
      "The store by which processes find each other.", valueName: "folder or redis://host:port"),
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
        "Give the command to start, as in: twinflow launch --processes 2 train …")
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
    // A named store is not removed.
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
