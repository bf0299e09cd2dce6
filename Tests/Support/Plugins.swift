import Foundation
import PJRT

/// The plugins that the tests run with: the installed one and, where there is one, an older one.
///
/// The older one is that of TWINFLOW_TEST_PLUGIN, or what `scripts/setup --tests` installs.
public enum Plugins {
  /// Their paths.
  public static let paths: [String] = {
    let older =
      ProcessInfo.processInfo.environment["TWINFLOW_TEST_PLUGIN"]
      ?? cacheDirectory() + "/plugins/pjrt-cpu-older.so"
    let installed = (try? Plugin.find()) ?? "no plugin is installed; run scripts/setup"
    return [installed] + (FileManager.default.fileExists(atPath: older) ? [older] : [])
  }()

  /// One client of each plugin with one device, shared by all tests.
  public static let clients = Result { try paths.map { try client($0) } }

  /// A client of its own.
  public static func client(_ path: String = paths[0], devices: Int64 = 1) throws -> Client {
    try Client(Plugin.load(path), options: ["cpu_device_count": .integer(devices)])
  }

  /// The shared client of a plugin.
  public static func shared(_ path: String = paths[0]) throws -> Client {
    try clients.get()[paths.firstIndex(of: path)!]
  }
}

/// The text of a program with one function.
public func program(_ arguments: String, _ results: String, _ body: String) -> String {
  "func.func @main(\(arguments)) -> (\(results)) {\n\(body)\n}"
}

/// A program that doubles `count` numbers of single precision.
public func doubling(_ count: Int) -> String {
  let type = "tensor<\(count)xf32>"
  return program(
    "%x: \(type)", type, "%y = stablehlo.add %x, %x : \(type)\nreturn %y : \(type)")
}

/// A program that doubles numbers in the memory of its argument.
public func donatingDoubling(_ count: Int) -> String {
  let type = "tensor<\(count)xf32>"
  return program(
    "%x: \(type) {tf.aliasing_output = 0 : i32}", type,
    "%y = stablehlo.add %x, %x : \(type)\nreturn %y : \(type)")
}

/// A folder for one test, which the test deletes.
public func temporaryDirectory() throws -> URL {
  let folder = FileManager.default.temporaryDirectory
    .appending(path: "twinflow-\(UUID().uuidString)")
  try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  return folder
}

/// The bytes of memory that the process holds.
public func residentBytes() throws -> Int {
  let status = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8)
  return Int(status.split(separator: " ")[1])! * 4096
}
