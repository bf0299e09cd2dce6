import Runtime
import Foundation
import PJRT
import TestSupport
import Testing

@testable import Runtime

@Suite struct ExecutableCacheTests {
  let folder: URL
  let cache: ExecutableCache
  let signature = Signature([BufferType(.float32, [3])])

  init() throws {
    folder = try temporaryDirectory()
    cache = ExecutableCache(directory: folder.appending(path: "deep/inside").path)
  }

  private func run(_ client: Client, _ text: String = doubling(3)) throws -> ExecutableCache.Report
  {
    let (executable, report) = try cache.executable(for: text, signature, on: client)
    let x = try client.buffer([1, 2, 3] as [Float], shape: [3])
    #expect(try executable.execute([x])[0].array(of: Float.self) == [2, 4, 6])
    return report
  }

  @Test(arguments: Plugins.paths)
  func secondTimeIsAHit(path: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let client = try Plugins.shared(path)
    let first = try run(client)
    let second = try run(client)
    #expect(!first.wasCached && second.wasCached)
    #expect(!first.wasDamaged && first.problem == nil)
    #expect(first.path == second.path && second.seconds > 0)
    #expect(try run(client, doubling(3) + "\n").path != first.path)
    #expect(try run(Plugins.client(path, devices: 2)).path != first.path)
  }

  @Test(arguments: ["", "short", "truncated", "flipped", "longer"])
  func damagedEntryIsReplaced(damage: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let client = try Plugins.shared()
    let file = URL(fileURLWithPath: try run(client).path)
    var bytes = try Data(contentsOf: file)
    switch damage {
    case "truncated": bytes.removeLast(bytes.count / 2)
    case "flipped": bytes[bytes.count / 2] ^= 1
    case "longer": bytes.append(0)
    default: bytes = Data(damage.utf8)
    }
    try bytes.write(to: file)
    let replaced = try run(client)
    #expect(!replaced.wasCached && replaced.wasDamaged && replaced.problem == nil)
    #expect(try run(client).wasCached)
  }

  @Test(arguments: Plugins.paths)
  func damagedProgramIsAnError(path: String) throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    #expect(throws: PJRTError.self) {
      try Plugins.shared(path).load(Array("nonsense".utf8), signature)
    }
  }

  @Test func donationSurvives() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let client = try Plugins.shared()
    let signature = Signature(self.signature.arguments, donated: [0])
    for isHit in [false, true] {
      let (step, report) = try cache.executable(
        for: donatingDoubling(3), signature, on: client)
      #expect(report.wasCached == isHit)
      let x = try client.buffer([1, 2, 3] as [Float], shape: [3])
      let address = try x.address()
      #expect(try step.execute([x])[0].address() == address)
    }
  }

  @Test func oldEntriesAreDeletedAtTheLimit() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let client = try Plugins.shared()
    let small = ExecutableCache(directory: cache.directory, limit: 1)
    let (_, report) = try small.executable(for: doubling(3), signature, on: client)
    #expect(!FileManager.default.fileExists(atPath: report.path))
  }

  @Test func unwritableFolderDoesNotStopTheProgram() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let file = folder.appending(path: "file")
    try Data().write(to: file)
    let blocked = ExecutableCache(directory: file.path)
    let client = try Plugins.shared()
    let (_, report) = try blocked.executable(for: doubling(3), signature, on: client)
    #expect(!report.wasCached && !report.wasDamaged)
    guard case .cacheUnwritable(report.path, _) = report.problem else {
      Issue.record("\(report)")
      return
    }
  }
}
