import Foundation

/// A folder that is gone with the test.
final class TemporaryFolder: Sendable {
  let path = NSTemporaryDirectory() + "twinflow-test-" + UUID().uuidString

  deinit { try? FileManager.default.removeItem(atPath: path) }
}

/// A Redis server of Debian's on a free port.
final class RedisServer {
  let port: Int
  private let process = Process()
  private let folder = TemporaryFolder()

  struct CannotStart: Error {}

  init() throws {
    try FileManager.default.createDirectory(atPath: folder.path, withIntermediateDirectories: true)
    port = Int.random(in: 20_000..<60_000)
    process.executableURL = URL(fileURLWithPath: "/usr/bin/redis-server")
    process.arguments = [
      "--port", "\(port)", "--bind", "127.0.0.1", "--save", "", "--dir", folder.path,
    ]
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    for _ in 0..<200 {
      if Self.answers(port) { return }
      Thread.sleep(forTimeInterval: 0.05)
    }
    throw CannotStart()
  }

  deinit { stop() }

  func stop() {
    guard process.isRunning else { return }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
  }

  private static func answers(_ port: Int) -> Bool {
    let socket = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(socket) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(port).bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }
}
