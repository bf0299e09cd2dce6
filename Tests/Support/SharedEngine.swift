import Foundation
import PJRT
import Runtime

/// One engine for all tests, without the user's cache of programs.
public enum SharedEngine {
  private static let result = Result {
    Engine(
      client: try Client(Plugin.load(), options: ["cpu_device_count": 1]),
      cache: ExecutableCache(directory: NSTemporaryDirectory() + "twinflow-test-executables"))
  }

  /// The engine.
  public static func get() throws -> Engine { try result.get() }
}

/// A folder that is gone with the test.
public final class TemporaryFolder: Sendable {
  /// Where it lies.
  public let path: String

  /// Makes the folder.
  public init() throws {
    path = NSTemporaryDirectory() + "twinflow-test-" + UUID().uuidString
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  /// Writes a file and returns its path.
  public func file(_ name: String, _ content: String) throws -> String {
    let path = path + "/" + name
    try Data(content.utf8).write(to: URL(filePath: path))
    return path
  }
}
