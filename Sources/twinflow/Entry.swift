import ArgumentParser
import Foundation
import Processes

extension TwinFlow {
  /// Runs the command line, and exits.
  ///
  /// Besides parsing and running the command this prepares the standard streams, checks that
  /// arguments are text, handles signals, and checks that output was written.
  static func main() {
    StandardStreams.prepare()
    var launched: LaunchedProcess?
    let code: Int32
    do {
      let arguments = try ArgumentText.arguments()
      try ArgumentText.checkEnvironment()
      var command = try parseAsRoot(ArgumentText.joiningNegativeNumbers(arguments))
      // A signal during loading or compiling should also save and stop.
      if command is any StopsOnSignals { _ = Interrupt() }
      launched = try LaunchedProcess()
      try command.run()
      code = EXIT_SUCCESS
    } catch {
      code = show(error)
    }
    launched?.leave()
    if let reason = StandardStreams.flush(), code == EXIT_SUCCESS {
      FileHandle.standardError.write("Error: \(OutputError(reason: reason))\n")
      Glibc.exit(EXIT_FAILURE)
    }
    Glibc.exit(code)
  }

  /// Prints the error of a command, or the requested help.
  ///
  /// - Returns: the program's exit code.
  private static func show(_ error: any Error) -> Int32 {
    let code = exitCode(for: error).rawValue
    let text = fullMessage(for: error)
    if !text.isEmpty {
      if code == EXIT_SUCCESS {
        print(text)
      } else {
        FileHandle.standardError.write(text + "\n")
      }
    }
    return code
  }
}

/// A command that saves and stops on a signal.
protocol StopsOnSignals {}

extension Train: StopsOnSignals {}
extension Compare: StopsOnSignals {}
extension Demo: StopsOnSignals {}
extension Launch: StopsOnSignals {}
extension CheckProcesses: StopsOnSignals {}
