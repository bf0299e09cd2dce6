import Files
import Foundation
import Testing

@Suite struct StagedFileTests {
  private func write(_ text: String, to path: String) throws {
    try StagedFile.write(Data(text.utf8), to: path, as: .text)
  }

  @Test(arguments: [UInt32(0o600), 0o640, 0o664, 0o444, 0o755, 0o4711]) func keepsTheMode(
    _ expected: UInt32
  ) throws {
    try withFolder { folder in
      let path = folder + "/x"
      try put("old", path)
      try #require(chmod(path, expected) == 0)
      try write("new", to: path)
      #expect(try contents(path) == Array("new".utf8))
      #expect(try mode(path) == expected)
      #expect(try namesInFolder(folder) == ["x"])
    }
  }

  /// A new file gets what any program's new file gets in this process.
  @Test func givesANewFileTheUsualMode() throws {
    try withFolder { folder in
      let descriptor = open(folder + "/usual", O_WRONLY | O_CREAT, 0o666)
      try #require(descriptor >= 0)
      close(descriptor)
      try write("new", to: folder + "/x")
      #expect(try mode(folder + "/x") == mode(folder + "/usual"))
    }
  }

  @Test func keepsTheOwner() throws {
    try withFolder { folder in
      let path = folder + "/x"
      try put("old", path)
      guard chown(path, 12345, 23456) == 0 else { return }
      try write("new", to: path)
      var status = stat()
      try #require(stat(path, &status) == 0)
      #expect(status.st_uid == 12345 && status.st_gid == 23456)
    }
  }

  @Test(arguments: [
    "target", "./target", "below/../target", "second", "below/target", "missing", "below/missing",
  ])
  func followsALink(to target: String) throws {
    try withFolder { folder in
      try FileManager.default.createDirectory(
        atPath: folder + "/below", withIntermediateDirectories: false)
      for name in ["target", "below/target"] { try put("old", "\(folder)/\(name)") }
      for (name, target) in [("second", folder + "/target"), ("link", target)] {
        try FileManager.default.createSymbolicLink(
          atPath: "\(folder)/\(name)", withDestinationPath: target)
      }
      try write("new", to: folder + "/link")
      #expect(
        try FileManager.default.destinationOfSymbolicLink(atPath: folder + "/link") == target)
      #expect(try contents("\(folder)/\(target)") == Array("new".utf8))
      #expect(try namesInFolder(folder).filter { $0.hasPrefix(".") } == [])
    }
  }

  @Test(arguments: [
    ("circle", "symbolic links"), ("device", "not a regular file"), ("pipe", "not a regular file"),
    ("folder", "not a regular file"),
    ("folder/", "not name a file"), ("nothing/", "not name a file"), ("nowhere/x", "No such file"),
  ])
  func refuses(name: String, word: String) throws {
    try withFolder { folder in
      let manager = FileManager.default
      try manager.createSymbolicLink(
        atPath: folder + "/circle", withDestinationPath: folder + "/circle")
      try manager.createSymbolicLink(
        atPath: folder + "/device", withDestinationPath: "/dev/null")
      try manager.createDirectory(
        atPath: folder + "/folder", withIntermediateDirectories: false)
      try #require(mkfifo(folder + "/pipe", 0o600) == 0)
      let before = try namesInFolder(folder)
      let path = "\(folder)/\(name)"
      let error = #expect(throws: FileError.self) { try write("new", to: path) }
      // What a link leads to is what cannot be written.
      guard case .unwritable(let named, let reason) = error, [path, "/dev/null"].contains(named)
      else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(reason.contains(word), "\(reason)")
      #expect(try namesInFolder(folder) == before)
      var status = stat()
      #expect(stat("/dev/null", &status) == 0 && status.st_mode & S_IFMT == S_IFCHR)
    }
  }

  @Test func aFailedWriteLeavesTheOldFile() async throws {
    try await withFolder { folder in
      let path = folder + "/x"
      try put("old", path)
      await #expect(processExitsWith: .success) { [path = path as String] in
        signal(SIGXFSZ, SIG_IGN)
        var limit = rlimit(rlim_cur: 1000, rlim_max: 1000)
        setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
        let error = #expect(throws: FileError.self) {
          try StagedFile.write(Data(repeating: 65, count: 2000), to: path, as: .text)
        }
        #expect(error == .unwritable(path: path, reason: "File too large"))
      }
      #expect(try contents(path) == Array("old".utf8))
      #expect(try namesInFolder(folder) == ["x"])
    }
  }

  @Test func somethingElseThatComesMeanwhileStays() throws {
    try withFolder { folder in
      let path = folder + "/x"
      let file = try StagedFile(path, as: .png)
      try file.finish()
      try put("a letter", path)
      let error = #expect(throws: FileError.self) { try file.commit() }
      #expect(
        error == .otherKind(path: path, found: "text", expected: "a PNG picture"))
      #expect(try contents(path) == Array("a letter".utf8))
    }
  }
}
