import Foundation
import Testing

@testable import Files

@Suite struct StagedFolderTests {
  private func names(_ folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test func aFolderAppearsWhole() throws {
    try withFolder { folder in
      let staged = try StagedFolder(folder + "/out/")
      try Data([1]).write(to: URL(fileURLWithPath: staged.path + "/file"))
      #expect(!FileManager.default.fileExists(atPath: folder + "/out"))
      try staged.commit()
      #expect(try names(folder) == ["out"])
      #expect(try names(folder + "/out") == ["file"])
    }
  }

  @Test func whatIsNotCommittedLeavesNothing() throws {
    try withFolder { folder in
      do {
        let staged = try StagedFolder(folder + "/out")
        try Data([1]).write(to: URL(fileURLWithPath: staged.path + "/file"))
        #expect(try names(folder).count == 1)
        withExtendedLifetime(staged) {}
      }
      #expect(try names(folder).isEmpty)
    }
  }

  @Test func whatIsThereStays() throws {
    try withFolder { folder in
      let out = folder + "/out"
      try Data([7]).write(to: URL(fileURLWithPath: out))
      #expect(throws: FileError.exists(path: out)) { try StagedFolder(out) }
      try FileManager.default.removeItem(atPath: out)
      let staged = try StagedFolder(out)
      try FileManager.default.createSymbolicLink(
        atPath: out, withDestinationPath: "nothing")
      #expect(throws: FileError.exists(path: out)) { try staged.commit() }
      #expect(throws: FileError.self) { try StagedFolder(folder + "/none/out") }
      #expect(throws: FileError.self) { try StagedFolder("") }
    }
  }

  /// Temporary folders of writers that run stay, and so do folders of similar names.
  @Test func onlyAbandonedFoldersAreRemoved() throws {
    try withFolder { folder in
      let running = try StagedFolder(folder + "/a")
      let abandoned = "\(folder)/.twinflow-\(UUID().uuidString.lowercased()).partial"
      let others = ["\(folder)/.twinflow-mine.partial", "\(folder)/.twinflow-data"]
      for path in [abandoned] + others {
        try FileManager.default.createDirectory(
          atPath: path + "/inner", withIntermediateDirectories: true)
      }
      let staged = try StagedFolder(folder + "/b")
      #expect(!FileManager.default.fileExists(atPath: abandoned))
      for path in [running.path, staged.path] + others {
        #expect(FileManager.default.fileExists(atPath: path), "\(path)")
      }
      try running.commit()
      try staged.commit()
    }
  }
}
