import Files
import Foundation
import Testing

@Suite struct FileKindTests {
  /// What a file holds, and the kinds that may replace it.
  private static let files: [([UInt8], Set<FileKind>)] = [
    ([], Set(FileKind.allCases)),
    ([0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0, 1], [.png]),
    ([0x89, 0x50, 0x4E, 0x47, 0x0A, 0x1A, 0x0A, 0, 1], []),
    ([2, 0, 0, 0, 0, 0, 0, 0, 0x7B, 0x7D], [.safetensors]),
    ([2, 0, 0, 0, 0, 0, 0, 0], []),
    ([2, 0, 0, 0, 0, 0, 0, 0x80, 0x7B, 0x7D], []),
    ([2, 0, 0, 0, 0, 0, 0, 0, 0x41], []),
    (Array("{}".utf8), [.json, .jsonLines, .text]),
    (Array(" \n{\"a\": [1, 2]}\n".utf8), [.json, .jsonLines, .text]),
    (Array("{\n  \"a\": 1\n}\n".utf8), [.json, .text]),
    (Array("[1, 2]".utf8), [.json, .text]),
    (Array("[x](y) is a link".utf8), [.text]),
    (Array("{a: 1, b: 2}\n# a comment".utf8), [.jsonLines, .text]),
    (Array("{\"step\": 1}\n{\"step\": 2, \"loss\": nan}\n{\"st".utf8), [.jsonLines, .text]),
    (Array("{\"step\": 1, \"lo".utf8), [.jsonLines, .text]),
    (Array("{\"step".utf8) + [0xFF] + Array("\": 1}\n{\"step\": 2}\n".utf8), [.jsonLines]),
    (Array("{\"step".utf8) + [0xFF] + Array("\": 1}\n".utf8), []),
    (Array("XLA program 1\n".utf8) + [0xFF, 0], [.program]),
    (Array("7".utf8), [.text]),
    (Array("Größe".utf8), [.text]),
    (Array("a\0b".utf8), []),
    ([0xFF, 0xFE, 0x41], []),
  ]

  @Test(arguments: files) func onlyItsOwnKindIsReplaced(
    content: [UInt8], kinds: Set<FileKind>
  ) throws {
    try withFolder { folder in
      let path = folder + "/x"
      for kind in FileKind.allCases {
        try put(content, path)
        if kinds.contains(kind) {
          #expect(throws: Never.self, "\(kind)") {
            try StagedFile.write(Data("new".utf8), to: path, as: kind)
          }
          #expect(try contents(path) == Array("new".utf8))
        } else {
          let error = #expect(throws: FileError.self, "\(kind)") {
            try StagedFile.write(Data("new".utf8), to: path, as: kind)
          }
          guard case .otherKind(path, _, kind.name) = error else {
            Issue.record("\(kind): \(String(describing: error))")
            continue
          }
          #expect(try contents(path) == content)
        }
        #expect(try namesInFolder(folder) == ["x"])
      }
    }
  }

  @Test func saysWhatItFound() throws {
    try withFolder { folder in
      let path = folder + "/x"
      try put("a letter", path)
      let error = #expect(throws: FileError.self) { try FileKind.png.checkReplaceable(path) }
      #expect(
        error?.description == "\(path) is not overwritten: it holds text, not a PNG "
          + "picture. Choose another name, or move it away.")
    }
  }

  @Test func jsonReplacesJSONAlone() throws {
    try withFolder { folder in
      let path = folder + "/x"
      try JSONFile.write(["a": 1], to: path)
      try JSONFile.write(["a": 2], to: path)
      #expect(try contents(path) == Array("{\n  \"a\" : 2\n}\n".utf8))
      try put("a: 1\n", path)
      #expect(throws: FileError.otherKind(path: path, found: "text", expected: "JSON")) {
        try JSONFile.write(["a": 3], to: path)
      }
    }
  }
}
