import ArgumentParser
import Foundation
import Processes

/// `twinflow check-processes`
struct CheckProcesses: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check-processes",
    abstract: "Checks that the processes of a run find each other and notice failures.",
    discussion: """
      Waits until all processes have joined, then repeats a barrier for some seconds. Start it in the \
      same way as the training.

      EXAMPLES
        twinflow launch --processes 2 check-processes
        srun --nodes 4 twinflow check-processes --folder /shared/run --seconds 60
      """)

  @Option(
    help: "The folder for the store where none is named, like a run's folder.",
    transform: pathOption)
  var folder = "."

  @Option(help: "How long to repeat the barrier.")
  var seconds = 5.0

  @OptionGroup var patience: PatienceOptions

  func validate() throws {
    guard (0...longestWait).contains(seconds) else {
      throw ValidationError("--seconds is \(seconds); give 0 to \(Int(longestWait)).")
    }
  }

  func run() throws {
    guard let place = try ProcessPlace() else {
      throw ValidationError(
        "This is a single process. Start several with twinflow launch, srun or torchrun.")
    }
    let group = try Membership.join(place, folder: folder, patience: patience)
    let interrupt = Interrupt()
    try Membership.reporting(group) {
      let end = ContinuousClock.now + .seconds(seconds)
      var times: [Double] = []
      // The first process decides the end, so that all reach the same number of barriers.
      while true {
        let start = ContinuousClock.now
        try group.meet("a check")
        times.append((ContinuousClock.now - start).seconds)
        if try group.stop(after: times.count).map({ times.count >= $0 }) ?? false { break }
        if interrupt.isNoted || group.rank == 0 && ContinuousClock.now > end {
          try group.requestStop()
        }
        Thread.sleep(forTimeInterval: 0.05)
      }
      let median = times.sorted()[times.count / 2]
      print(
        "Process \(group.rank) of \(group.count) met the others \(times.count) times, "
          + String(format: "%.1f ms each.", 1000 * median))
    }
  }
}

/// The longest wait in seconds, about thirty years.
private let longestWait = 1e9

/// How long processes wait for each other.
struct PatienceOptions: ParsableArguments {
  @Option(
    name: .customLong("wait"),
    help: ArgumentHelp("How long to wait for all processes to join.", valueName: "seconds"))
  var coming = ProcessGroup.Patience().coming

  @Option(
    help: ArgumentHelp(
      "How long without a heartbeat until a process counts as lost.", valueName: "seconds"))
  var silence = ProcessGroup.Patience().life

  func validate() throws {
    for (name, seconds) in [("--wait", coming), ("--silence", silence)]
    where !(seconds > 0 && seconds <= longestWait) {
      throw ValidationError(
        "\(name) is \(seconds); give seconds above 0 and up to \(Int(longestWait)).")
    }
  }

  var value: ProcessGroup.Patience {
    var patience = ProcessGroup.Patience()
    patience.coming = coming
    patience.life = silence
    patience.pulse = max(0.01, min(patience.pulse, silence / 10))
    return patience
  }
}

/// The membership of this process in a run's processes.
enum Membership {
  /// The exit code of a process that ends because another one was lost.
  static let lostStatus: Int32 = 75

  /// Waits for the other processes; afterwards this process ends when one of them is lost.
  static func join(
    _ place: ProcessPlace, folder: String, patience: PatienceOptions
  ) throws -> ProcessGroup {
    let interrupt = Interrupt()
    let group = try ProcessGroup(
      rank: place.rank, count: place.count, store: place.openStore(in: folder),
      patience: patience.value, stopping: { interrupt.isNoted })
    group.watch { error in
      // The process may be blocked in a collective and cannot be unwound.
      FileHandle.standardError.write("Error: \(error)\n")
      _exit(lostStatus)
    }
    return group
  }

  /// Runs the work of this process, and reports its end to the others.
  static func reporting(_ group: ProcessGroup?, _ body: () throws -> Void) throws {
    do {
      try body()
      try group?.finish()
    } catch {
      group?.fail(error)
      throw error
    }
  }
}
