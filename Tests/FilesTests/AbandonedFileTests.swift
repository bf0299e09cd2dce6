import Foundation
import Testing

@testable import Files

@Suite struct AbandonedFileTests {
  private static let name = ".twinflow-0123456789abcdef.partial"

  @Test(arguments: [
    (name, true), (".twinflow-0000000000000000.partial", true),
    (".twinflow-0123456789ABCDEF.partial", false), (".twinflow-0123456789abcde.partial", false),
    (".twinflow-0123456789abcdef0.partial", false), (".twinflow-0123456789abcdeg.partial", false),
    ("twinflow-0123456789abcdef.partial", false), (".twinflow-.partial", false),
    (".twinflow-0123456789abcdef.partial~", false), ("x.123.partial", false),
    (".twinflow-0123456789abcdef", false),
  ])
  func onlyItsOwnNamesGo(name: String, isOwn: Bool) throws {
    try withFolder { folder in
      try put("left", "\(folder)/\(name)")
      StagedFile.removeAbandoned(in: folder)
      #expect(try namesInFolder(folder) == (isOwn ? [] : [name]))
    }
  }

  @Test func filesOfLivingWritersStay() throws {
    try withFolder { folder in
      let path = folder + "/x"
      let file = try StagedFile(path, as: .text)
      let names = try namesInFolder(folder)
      #expect(names.count == 1 && TemporaryFile.isName(names[0]), "\(names)")
      StagedFile.removeAbandoned(in: folder)
      try StagedFile.write(Data("other".utf8), to: folder + "/y", as: .text)
      #expect(try namesInFolder(folder) == (names + ["y"]))
      try file.finish()
      try file.commit()
      #expect(try namesInFolder(folder) == ["x", "y"])
    }
  }

  /// A process that is killed while it writes leaves its file, which goes with the next one.
  @Test func filesOfKilledWritersGo() async throws {
    try await withFolder { folder in
      await #expect(processExitsWith: .signal(SIGKILL)) { [folder = folder as String] in
        let file = try StagedFile(folder + "/x", as: .text)
        try Data("half".utf8).withUnsafeBytes { try file.write($0) }
        kill(getpid(), SIGKILL)
      }
      let names = try namesInFolder(folder)
      #expect(names.count == 1 && names.allSatisfy(TemporaryFile.isName), "\(names)")
      try StagedFile.write(Data("whole".utf8), to: folder + "/x", as: .text)
      #expect(try namesInFolder(folder) == ["x"])
    }
  }

  /// Links, folders and pipes are not what a writer has left.
  @Test func onlyFilesGo() throws {
    try withFolder { folder in
      try put("mine", folder + "/x")
      let path = "\(folder)/\(Self.name)"
      try FileManager.default.createSymbolicLink(
        atPath: path, withDestinationPath: folder + "/x")
      StagedFile.removeAbandoned(in: folder)
      #expect(try namesInFolder(folder) == [Self.name, "x"])
      unlink(path)
      try #require(mkfifo(path, 0o600) == 0)
      StagedFile.removeAbandoned(in: folder)
      #expect(try namesInFolder(folder) == [Self.name, "x"])
    }
  }

  @Test func namesThatAreNotUTF8Stay() throws {
    try withFolder { folder in
      let odd = Array("\(folder)/".utf8).map(CChar.init) + [.init(bitPattern: 0xFF), 0x61, 0]
      let descriptor = open(odd, O_WRONLY | O_CREAT, 0o600)
      try #require(descriptor >= 0)
      close(descriptor)
      try put("left", "\(folder)/\(Self.name)")
      #expect(try namesInFolder(folder) == [Self.name])
      try StagedFile.write(Data("x".utf8), to: folder + "/x", as: .text)
      #expect(try namesInFolder(folder) == ["x"])
      #expect(access(odd, F_OK) == 0)
    }
  }

  @Test func aFolderThatIsNotThereIsNoFault() { StagedFile.removeAbandoned(in: "/nowhere") }
}
