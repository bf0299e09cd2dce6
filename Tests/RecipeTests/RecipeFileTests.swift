import Foundation
import Testing

@testable import Recipe

@Suite final class RecipeFileTests {
  private let folder = NSTemporaryDirectory() + "twinflow-test-" + UUID().uuidString

  init() throws {
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }

  private func file(_ bytes: some Sequence<UInt8>) throws -> String {
    let path = folder + "/r.yaml"
    try Data(bytes).write(to: URL(fileURLWithPath: path))
    return path
  }

  private func read(_ path: String) throws -> [String: String] {
    try RecipeDecoder.decode(contentsOf: path)
  }

  private func reason(_ path: String) -> String {
    do {
      return "no error: \(try read(path))"
    } catch RecipeError.unreadable(let file, let reason) {
      return file == path ? reason : "another file: \(file)"
    } catch {
      return "\(error)"
    }
  }

  @Test(arguments: [
    "a: é\n", "\u{FEFF}a: é\n", "a: é\r\n", "\u{FEFF}a: é\r\n# x\r\n", "---\na: é\n", "a: é\n...\n",
  ])
  func textsOfEditorsAreRead(text: String) throws {
    #expect(try read(file(text.utf8)) == ["a": "é"])
  }

  @Test(
    arguments: [
      ([0x61, 0x3A, 0x20, 0xE9], "line 1 holds the byte 0xE9"),
      ([0x61, 0x3A, 0x20, 0x62, 0x0A, 0x63, 0xC3, 0x28], "line 2 holds the byte 0xC3"),
      ([0xEF, 0xBF, 0xBD, 0x0A, 0x0A, 0x80], "line 3 holds the byte 0x80"),
      ([0xFF, 0xFE, 0x61, 0x00], "UTF-16"), ([0xFE, 0xFF, 0x00, 0x61], "UTF-16"),
    ] as [([UInt8], String)])
  func whatIsNoUTF8IsRefused(bytes: [UInt8], words: String) throws {
    let found = reason(try file(bytes))
    #expect(found.contains(words) && found.contains("save it as UTF-8"), "\(found)")
  }

  @Test func aPipeIsRead() throws {
    let path = folder + "/pipe"
    #expect(mkfifo(path, 0o600) == 0)
    let long = String(repeating: "# a comment\n", count: 20_000) + "a: b\n"
    let writer = Thread {
      let handle = FileHandle(forWritingAtPath: path)
      try? handle?.write(contentsOf: Data(long.utf8))
      try? handle?.close()
    }
    writer.start()
    #expect(try read(path) == ["a": "b"])
  }

  @Test func whatIsNoFileIsNamed() throws {
    #expect(reason(folder).contains("it is a folder"))
    #expect(reason(folder + "/none") == "no such file")
    #expect(reason(try file("".utf8) + "/r.yaml") == "Not a directory")
    #expect(reason(folder + "/r.yaml\0.txt").contains("NUL"))
    #expect(reason(folder + "/" + String(repeating: "x", count: 300)) == "File name too long")
    #expect(reason("/dev/zero").contains("longer than 1048576 bytes"))
  }

  @Test func aFileOfSomeoneElseIsNamed() throws {
    let path = try file("a: b".utf8)
    #expect(chmod(path, 0) == 0)
    // The superuser may read all files.
    if getuid() != 0 {
      #expect(reason(path) == "you may not read it: Permission denied")
    }
  }
}

@Suite struct RecipePathTests {
  private struct Paths: RecipeGroup {
    var output = ""
    var start: String? = "a"

    static let defaults = Paths()
    static let fields: [Field] = [
      Field("output", path: \.output, "the folder").required,
      Field("start", path: \.start, "where to start"),
    ]
  }

  private func read(_ yaml: String) throws -> Paths {
    try RecipeDecoder.decode(yaml: yaml, file: "r.yaml")
  }

  @Test func theHomeFolderIsExpanded() throws {
    let home = ProcessInfo.processInfo.environment["HOME"] ?? NSHomeDirectory()
    let paths = try read("output: ~/run\nstart: '~'")
    #expect(paths.output == home + "/run" && paths.start == home)
    let plain = try read("output: ./~/run")
    #expect(plain.output == "./~/run" && plain.start == "a")
    #expect(try read("output: x\nstart: null").start == nil)
  }

  @Test(arguments: [
    ("output: ''", "r.yaml:1:9: `output` is \"\": it must be the path of a file or folder"),
    ("output: \"a\\0b\"", "r.yaml:1:9: `output` is \"a\\u0000b\": a path has no NUL character"),
    ("output: a\nstart: ''", "r.yaml:2:8: `start` is \"\": it must be the path"),
    ("output: ~", "r.yaml:1:9: `output` is empty: text was expected"),
    ("start: a", "r.yaml:1:1: the key `output` is missing"),
  ])
  func whatIsNoPathIsRefused(yaml: String, expected: String) {
    let error = #expect(throws: RecipeError.self) { try read(yaml) }
    #expect(error?.description.hasPrefix(expected) == true, "\(String(describing: error))")
  }
}
