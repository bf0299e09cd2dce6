import Files
import Foundation
import Testing

@Suite struct OutputTests {
  /// An output, and whether it is the input `in` by another name.
  @Test(arguments: [
    ("in", true), ("./in", true), ("below/../in", true), ("link", true), ("hard", true),
    ("chain", true), ("linked/in", true), ("other", false), ("missing", false), ("dangling", false),
    ("below/in", false),
  ])
  func anInputIsKnownByAnyName(output: String, isInput: Bool) throws {
    try withFolder { folder in
      let manager = FileManager.default
      try manager.createDirectory(
        atPath: folder + "/below", withIntermediateDirectories: false)
      for name in ["in", "other", "below/in"] { try put("x", "\(folder)/\(name)") }
      try manager.linkItem(atPath: folder + "/in", toPath: folder + "/hard")
      for (name, target) in [
        ("link", "in"), ("chain", "link"), ("linked", "."), ("dangling", "nothing"),
      ] {
        try manager.createSymbolicLink(
          atPath: "\(folder)/\(name)", withDestinationPath: target)
      }
      let inputs = ["missing", "in"].map { "\(folder)/\($0)" }
      let path = "\(folder)/\(output)"
      if isInput {
        #expect(throws: FileError.replacesInput(output: path, input: folder + "/in")) {
          try checkOutput(path, replacesNoneOf: inputs)
        }
      } else {
        #expect(throws: Never.self) { try checkOutput(path, replacesNoneOf: inputs) }
      }
    }
  }

  @Test(arguments: [("a", "a", "a is an input"), ("a", "b", "the same file as the input b")])
  func saysWhichInput(output: String, input: String, words: String) {
    let error = FileError.replacesInput(output: output, input: input)
    #expect(error.description.contains(words), "\(error)")
    #expect(error.description.contains("Choose another name"))
  }
}
