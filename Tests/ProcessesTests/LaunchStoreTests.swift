import Foundation
import Testing

@testable import Processes

@Suite struct LaunchStoreTests {
  private let folder = TemporaryFolder()

  init() throws {
    try FileManager.default.createDirectory(
      atPath: folder.path, withIntermediateDirectories: true)
  }

  private var contents: [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
  }

  private func make() throws -> LaunchStore {
    try LaunchStore(run: UUID().uuidString.lowercased(), in: folder.path)
  }

  @Test func theLastOneOutRemovesIt() throws {
    var launcher: LaunchStore? = try make()
    let path = try #require(launcher?.path)
    try Data([1]).write(to: URL(fileURLWithPath: path + "/value"))
    var first = LaunchStore(entering: path)
    let second = try #require(LaunchStore(entering: path))
    #expect(first?.leave() == false)
    first = nil
    #expect(launcher != nil && contents.count == 1)
    // The launcher ends without a word.
    launcher = nil
    #expect(contents.count == 1)
    #expect(second.leave())
    #expect(contents.isEmpty)
    #expect(LaunchStore(entering: path) == nil)
  }

  @Test func oneInUseIsLeftAlone() throws {
    let store = try make()
    LaunchStore.removeAbandoned(in: folder.path)
    #expect(contents.count == 1)
    #expect(store.leave())
    #expect(contents.isEmpty)
    #expect(!store.leave())
  }

  @Test func anAbandonedOneIsRemoved() throws {
    do { _ = try make() }
    #expect(contents.count == 1)
    LaunchStore.removeAbandoned(in: folder.path)
    #expect(contents.isEmpty)
  }

  @Test func whatIsNotALaunchersStays() throws {
    let name = "twinflow-launch-\(UUID().uuidString.lowercased())"
    let names = ["other", "twinflow-launch-x", name]
    for name in names {
      try FileManager.default.createDirectory(
        atPath: "\(folder.path)/\(name)", withIntermediateDirectories: false)
    }
    // A name that fits and a lock, in a folder that a link names.
    try Data().write(to: URL(fileURLWithPath: "\(folder.path)/other/processes.lock"))
    let link = "twinflow-launch-\(UUID().uuidString.lowercased())"
    try FileManager.default.createSymbolicLink(
      atPath: "\(folder.path)/\(link)", withDestinationPath: "other")
    LaunchStore.removeAbandoned(in: folder.path)
    #expect(contents == (names + [link]).sorted())
    #expect(LaunchStore(entering: "\(folder.path)/other") == nil)
    #expect(LaunchStore(entering: "\(folder.path)/\(name)") == nil)
  }

  @Test func aFolderThatCannotBeMadeIsNamed() {
    #expect(throws: ProcessesError.self) { try LaunchStore(run: "x", in: "/dev/null") }
  }
}
