import Foundation

/// Runs of the command line as a user starts them.
enum Command {
  /// The project's root, where commands are run.
  static let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  /// The program, which is built beside the tests.
  static let program: String = {
    let bundle = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
    return bundle.appendingPathComponent("twinflow").path
  }()

  struct Result {
    let status: Int32
    let output: String
    let errors: String
  }

  /// Starts the program. It gets the signals that a terminal sends, also where these tests run behind `nohup` or in
  /// the background of a script, which ignore some for all that they start.
  static func start(
    _ arguments: [String], environment: [String: String] = [:], program: String = program,
    in folder: String = root
  ) throws -> (process: Process, finish: () -> Result) {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = arguments
    process.currentDirectoryURL = URL(fileURLWithPath: folder)
    process.environment = ProcessInfo.processInfo.environment.merging(environment) { $1 }
    process.standardInput = FileHandle.nullDevice
    let streams = try TemporaryFolder()
    let (output, errors) = (streams.path + "/output", streams.path + "/errors")
    for path in [output, errors] { try Data().write(to: URL(fileURLWithPath: path)) }
    process.standardOutput = FileHandle(forWritingAtPath: output)
    process.standardError = FileHandle(forWritingAtPath: errors)
    for number in [SIGHUP, SIGINT, SIGQUIT, SIGTERM] { signal(number, SIG_DFL) }
    try process.run()
    return (
      process,
      {
        process.waitUntilExit()
        let read = { (path: String) in
          (try? String(contentsOfFile: path, encoding: .utf8)) ?? ""
        }
        defer { _ = streams }
        return Result(
          status: process.terminationStatus, output: read(output), errors: read(errors))
      }
    )
  }

  /// Runs the program to its end.
  static func run(
    _ arguments: String..., environment: [String: String] = [:], in folder: String = root
  ) throws -> Result {
    try start(arguments, environment: environment, in: folder).finish()
  }
}

/// A folder that is gone with the test.
final class TemporaryFolder {
  let path: String

  init() throws {
    path = NSTemporaryDirectory() + "twinflow-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file and returns its path.
  func file(_ name: String, _ content: String) throws -> String {
    let path = path + "/" + name
    try Data(content.utf8).write(to: URL(fileURLWithPath: path))
    return path
  }

  var contents: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted()
  }
}
