import Files
import Foundation
import Testing

@testable import Weights

/// What a save refuses to replace.
@Suite struct SaveRefusalTests {
  /// What is read, the number of files that are written, and whether one of them is what is read.
  @Test(arguments: [
    ("w.safetensors", 1, true), ("w.safetensors", 3, true), ("link.safetensors", 1, true),
    ("w-00002-of-00003.safetensors", 3, true), ("w-00002-of-00003.safetensors", 1, false),
    ("w.safetensors.index.json", 3, true), ("old.safetensors", 1, true),
    ("old.safetensors", 3, true),
    ("other.safetensors", 1, false), ("other.safetensors", 3, false), ("missing", 3, false),
  ])
  func inputsStay(input: String, files: Int, isRefused: Bool) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      for name in ["w", "w-00002-of-00003", "old", "other"] {
        try SavedWhole.save(9, to: "\(folder)/\(name).safetensors", files: 1)
      }
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/link.safetensors", withDestinationPath: "w.safetensors")
      try SavedWhole.put(
        files == 3 && input.hasPrefix("w-")
          ? #"{"weight_map": {"a": "old.safetensors", "b": "w-00002-of-00003.safetensors"}}"#
          : #"{"weight_map": {"a": "old.safetensors"}}"#, "\(folder)/\(SavedWhole.index)")
      if files == 3, !input.hasPrefix("w-") { unlink("\(folder)/\(SavedWhole.set[1])") }
      let before = try namesInFolder(folder)
      let inputs = [folder + "/missing", "\(folder)/\(input)"]
      if isRefused {
        let error = #expect(throws: FileError.self) {
          try SavedWhole.save(2, to: path, files: files, protecting: inputs)
        }
        guard case .replacesInput(_, inputs[1]) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(try namesInFolder(folder) == before)
        #expect(try SafeTensors(path: path).copy("a") == [9, 9, 9, 9])
      } else {
        try SavedWhole.save(2, to: path, files: files, protecting: inputs)
        #expect(try SavedWhole.values(path) == [2])
        if input != "missing" { #expect(try SavedWhole.values("\(folder)/\(input)") == [9]) }
      }
    }
  }

  /// A place that has something else, the number of files, and what is found there.
  @Test(arguments: [
    ("w.safetensors", "a letter", 1, "text"), ("w.safetensors", "a letter", 3, "text"),
    (SavedWhole.index, "a letter", 3, "text"),
    (SavedWhole.index, #"{"a": 1}"#, 3, "JSON that is not an index"),
    (SavedWhole.set[1], "a letter", 3, "text"),
    ("w.safetensors.unfinished.json", #"{"a": 1}"#, 1, "something else"),
    ("w.safetensors.unfinished.json", "a letter", 3, "something else"),
  ])
  func otherKindsStay(name: String, text: String, files: Int, found: String) throws {
    try withFolder { folder in
      let path = "\(folder)/\(name)"
      try SavedWhole.put(text, path)
      let error = #expect(throws: FileError.self) {
        try SavedWhole.save(2, to: folder + "/w.safetensors", files: files)
      }
      guard case .otherKind(path, let word, _) = error else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(word.hasPrefix(found), "\(word)")
      #expect(try String(contentsOfFile: path, encoding: .utf8) == text)
      #expect(try namesInFolder(folder) == [name])
    }
  }

  /// Weights of another whole, which only happen to have the name of a part.
  @Test func weightsOfAnotherWholeStay() throws {
    try withFolder { folder in
      let other = "\(folder)/\(SavedWhole.set[1])"
      try SavedWhole.save(9, to: other, files: 1)
      let error = #expect(throws: FileError.self) {
        try SavedWhole.save(2, to: folder + "/w.safetensors", files: 3)
      }
      #expect(error?.description.contains("no index of w.safetensors names") == true)
      #expect(try SavedWhole.values(other) == [9])
    }
  }
}
