import Foundation
import PJRT

/// The plugins that the tests run with: the installed one and, where there is one, an older one.
///
/// The older one is that of TWINFLOW_TEST_PLUGIN, or what `scripts/setup --tests` installs.
enum Plugins {
  static let paths: [String] = {
    let older =
      ProcessInfo.processInfo.environment["TWINFLOW_TEST_PLUGIN"]
      ?? cacheDirectory() + "/plugins/pjrt-cpu-older.so"
    let installed = (try? Plugin.find()) ?? "no plugin is installed; run scripts/setup"
    return [installed] + (FileManager.default.fileExists(atPath: older) ? [older] : [])
  }()

  /// One client of each plugin with one device, shared by all tests.
  static let clients = Result { try paths.map { try client($0) } }

  static func client(_ path: String = paths[0], devices: Int64 = 1) throws -> Client {
    try Client(Plugin.load(path), options: ["cpu_device_count": .integer(devices)])
  }

  static func shared(_ path: String = paths[0]) throws -> Client {
    try clients.get()[paths.firstIndex(of: path)!]
  }
}

/// The text of a program with one function.
func program(_ arguments: String, _ results: String, _ body: String) -> String {
  "func.func @main(\(arguments)) -> (\(results)) {\n\(body)\n}"
}

/// A program that doubles `count` numbers of single precision.
func doubling(_ count: Int) -> String {
  let type = "tensor<\(count)xf32>"
  return program(
    "%x: \(type)", type, "%y = stablehlo.add %x, %x : \(type)\nreturn %y : \(type)")
}

/// A folder for one test, which the test deletes.
func temporaryDirectory() throws -> URL {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "twinflow-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  return folder
}

/// The bytes of memory that the process holds.
func residentBytes() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
  return Int(status.split(separator: " ")[1])! * 4096
}
