import ArgumentParser
import Foundation
import Processes
import Synchronization

/// `twinflow launch`
struct Launch: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Starts a command in several processes that work as one.",
    discussion: """
      Starts COMMAND so many times on this machine; what they print is marked with their numbers.
      When one fails, the others are stopped. Processes find each other by a store: a folder of the
      machine if none is named.

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
    help: ArgumentHelp("Where they find each other.", valueName: "folder or redis://host:port"))
  var store: String?

  @Argument(
    parsing: .captureForPassthrough,
    help: ArgumentHelp("The command with its arguments.", valueName: "command"))
  var command: [String] = []

  func validate() throws {
    guard processes > 0 else {
      throw ValidationError("--processes is \(processes); give 1 or more.")
    }
    guard !command.isEmpty else {
      throw ValidationError(
        "Say what is to be started, as in: twinflow launch --processes 2 train …")
    }
  }

  func run() throws {
    let run = UUID().uuidString.lowercased()
    let folder = FileManager.default.temporaryDirectory.path + "/twinflow-" + run
    defer { if store == nil { try? FileManager.default.removeItem(atPath: folder) } }
    let printing = DispatchGroup()
    let children = try (0..<processes).map { rank -> Process in
      let child = Process()
      child.executableURL = URL(fileURLWithPath: "/proc/self/exe").resolvingSymlinksInPath()
      child.arguments = command
      var environment = ProcessInfo.processInfo.environment
      environment[ProcessPlace.rankKey] = "\(rank)"
      environment[ProcessPlace.countKey] = "\(processes)"
      environment[ProcessPlace.storeKey] = store ?? folder
      environment[ProcessPlace.runKey] = run
      child.environment = environment
      child.standardOutput = marked(rank, FileHandle.standardOutput, printing)
      child.standardError = marked(rank, FileHandle.standardError, printing)
      try child.run()
      return child
    }
    // What the last one prints shall be read to its end.
    defer { _ = printing.wait(timeout: .now() + 2) }
    let interrupt = Interrupt()
    var hasPassedOn = false
    while children.contains(where: \.isRunning) {
      Thread.sleep(forTimeInterval: 0.1)
      if interrupt.isNoted, !hasPassedOn {
        hasPassedOn = true
        for child in children where child.isRunning { child.interrupt() }
      }
      guard let failed = children.firstIndex(where: { !$0.isRunning && $0.terminationStatus != 0 })
      else { continue }
      stop(children)
      FileHandle.standardError.write("Process \(failed) has failed; the others were stopped.\n")
      throw ExitCode(Self.status(children[failed]))
    }
    for child in children where child.terminationStatus != 0 {
      throw ExitCode(Self.status(child))
    }
  }

  private static func status(_ child: Process) -> Int32 {
    child.terminationReason == .uncaughtSignal
      ? 128 + child.terminationStatus : child.terminationStatus
  }

  /// Ends what still runs: the others of a failed process notice by themselves, within a minute.
  private func stop(_ children: [Process]) {
    let end = ContinuousClock.now + .seconds(60)
    while children.contains(where: \.isRunning), ContinuousClock.now < end {
      Thread.sleep(forTimeInterval: 0.1)
    }
    for child in children where child.isRunning { kill(child.processIdentifier, SIGKILL) }
  }

  /// A pipe whose lines are written with the process's number before them.
  private func marked(_ rank: Int, _ handle: FileHandle, _ printing: DispatchGroup) -> Pipe {
    let pipe = Pipe()
    printing.enter()
    let rest = Mutex(Data())
    pipe.fileHandleForReading.readabilityHandler = { source in
      let data = source.availableData
      let lines = rest.withLock { rest -> [Data] in
        rest += data
        var lines: [Data] = []
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
          lines.append(rest[...end])
          rest = Data(rest[rest.index(after: end)...])
        }
        if data.isEmpty, !rest.isEmpty {
          lines.append(rest + Data("\n".utf8))
          rest = Data()
        }
        return lines
      }
      for line in lines { try? handle.write(contentsOf: Data("[\(rank)] ".utf8) + line) }
      if data.isEmpty {
        source.readabilityHandler = nil
        printing.leave()
      }
    }
    return pipe
  }
}
