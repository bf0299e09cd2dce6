import Files
import Foundation
import Tensors
import Testing

@testable import Weights

/// What a save leaves alone, deletes and refuses.
@Suite struct SavingTests {
  private static let types = Named<TensorType>(
    ["a", "b", "c"].map { ($0, TensorType([4], .uint8)) })

  /// Writes three arrays of four bytes of one value.
  private func save(
    _ value: UInt8, to path: String, files: Int, protecting inputs: [String] = [],
    before: (String) throws -> Void = { _ in }
  ) throws {
    try WeightFiles.write(
      Self.types, to: path, largest: [1: 12, 2: 8, 3: 4][files]!, protecting: inputs
    ) { name in
      try before(name)
      return [value, value, value, value]
    }
  }

  /// The values that a whole has.
  private func values(_ path: String) throws -> Set<UInt8> {
    let files = try WeightFiles(path: path)
    return Set(files.types.names.flatMap { files.bytes($0, Region(whole: [4])) })
  }

  private func put(_ text: String, _ path: String) throws {
    try Data(text.utf8).write(to: URL(fileURLWithPath: path))
  }

  private func rename(_ from: String, _ to: String) throws {
    try #require(Foundation.rename(from, to) == 0)
  }

  /// A save of three files whose third one cannot take its place.
  private func saveCutShort(_ value: UInt8, to path: String) throws {
    let third = path.replacingOccurrences(
      of: ".safetensors", with: "-00003-of-00003.safetensors")
    let old = try? Data(contentsOf: URL(fileURLWithPath: third))
    #expect(throws: FileError.self) {
      try save(value, to: path, files: 3) { name in
        guard name == "c" else { return }
        unlink(third)
        try FileManager.default.createDirectory(
          atPath: third, withIntermediateDirectories: false)
      }
    }
    rmdir(third)
    try old?.write(to: URL(fileURLWithPath: third))
  }

  private static let set = ["w-00001-of-00003", "w-00002-of-00003", "w-00003-of-00003"].map {
    $0 + ".safetensors"
  }
  private static let index = "w.safetensors.index.json"

  @Test(arguments: [1, 2, 3], [1, 2, 3]) func onlyItsOwnFilesGo(first: Int, second: Int) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      let others = [
        "w-of-training-part-1.txt", "w-step-1-part-00001-of-00002.safetensors",
        "w-00001-of-00009.safetensors", "w-00001-of-00003.safetensors.txt", "w", "w.txt",
      ]
      for name in others where name.hasSuffix(".safetensors") {
        try save(9, to: "\(folder)/\(name)", files: 1)
      }
      for name in others where !name.hasSuffix(".safetensors") {
        try put("mine", "\(folder)/\(name)")
      }
      try save(1, to: path, files: first)
      try save(2, to: path, files: second)
      let own =
        second == 1
        ? ["w.safetensors"]
        : (1...second).map { "w-0000\($0)-of-0000\(second).safetensors" } + [Self.index]
      #expect(try namesInFolder(folder) == (own + others).sorted())
      #expect(try values(path) == [2])
    }
  }

  /// An index may name anything; only weights beside it that no other index names are its own.
  @Test(arguments: [1, 2]) func whatTheIndexHasNoRightToStays(files: Int) throws {
    try withFolder { outer in
      let folder = outer + "/inner"
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: false)
      for name in ["../x", "old", "shared", "w"] {
        try save(9, to: "\(folder)/\(name).safetensors", files: 1)
      }
      try put("mine", folder + "/letter.txt")
      try put(
        """
        {"weight_map": {"a": "../x.safetensors", "b": "old.safetensors", "c": "letter.txt",
        "d": "shared.safetensors", "e": "missing.safetensors", "f": "w.safetensors",
        "g": "\(outer)/x.safetensors"}}
        """, "\(folder)/\(Self.index)")
      try put(#"{"weight_map": {"a": "shared.safetensors"}}"#, folder + "/o.safetensors.index.json")
      let path = folder + "/w.safetensors"
      try save(2, to: path, files: files)
      let names = try namesInFolder(folder)
      #expect(!names.contains("old.safetensors"))
      #expect(Set(names).isSuperset(of: ["letter.txt", "shared.safetensors"]))
      #expect(FileManager.default.fileExists(atPath: outer + "/x.safetensors"))
      #expect(names.contains("w.safetensors") == (files == 1))
      #expect(try values(path) == [2])
    }
  }

  @Test(arguments: [1, 2, 3]) func whatASaveCutShortHasLeftGoes(files: Int) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try save(1, to: path, files: 2)
      try put("mine", folder + "/w-00009-of-00003.safetensors.txt")
      try saveCutShort(2, to: path)
      // The index still names the two files from before.
      #expect(try values(path) == [1])
      let left = try namesInFolder(folder)
      #expect(Set(left).isSuperset(of: Self.set[..<2] + ["w.safetensors.unfinished.json"]))
      try save(3, to: path, files: files)
      #expect(try values(path) == [3])
      let own =
        files == 1
        ? ["w.safetensors"]
        : (1...files).map { "w-0000\($0)-of-0000\(files).safetensors" } + [Self.index]
      #expect(
        try namesInFolder(folder) == (own + ["w-00009-of-00003.safetensors.txt"]).sorted())
    }
  }

  /// A file that has come since, with a name that a save cut short had written down.
  @Test func whatHasComeSinceStays() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try saveCutShort(2, to: path)
      try save(9, to: "\(folder)/\(Self.set[2])", files: 1)
      try save(3, to: path, files: 1)
      #expect(try namesInFolder(folder) == [Self.set[2], "w.safetensors"])
    }
  }

  @Test func aMixtureIsReported() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try save(1, to: path, files: 3)
      try saveCutShort(2, to: path)
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: path) }
      #expect(
        error?.description.contains(
          "\(Self.set[0]) is not the file that its index was written with")
          == true, "\(String(describing: error))")
      try save(3, to: path, files: 3)
      #expect(try values(path) == [3])
      #expect(try namesInFolder(folder) == Self.set + [Self.index])
    }
  }

  /// Every one of the files may be that of another time.
  @Test(arguments: 0..<3) func anExchangedFileIsReported(number: Int) throws {
    try withFolder { folder in
      for (place, value) in [("one", UInt8(1)), ("two", 2)] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(place)", withIntermediateDirectories: false)
        try save(value, to: "\(folder)/\(place)/w.safetensors", files: 3)
      }
      let name = Self.set[number]
      try rename("\(folder)/two/\(name)", "\(folder)/one/\(name)")
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: folder + "/one") }
      #expect(error?.description.contains("\(name) is not the file") == true)
      // A file that another program has written has no such text at all.
      unlink("\(folder)/one/\(name)")
      try save(1, to: "\(folder)/one/\(name)", files: 1)
      #expect(throws: WeightsError.self) { try WeightFiles(path: folder + "/one") }
    }
  }

  /// The index that another program wrote says nothing of times; the list of the save does.
  @Test func aMixtureWithAPublishedIndexIsReported() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      for name in Self.set { try save(9, to: "\(folder)/\(name)", files: 1) }
      let map = zip(["a", "b", "c"], Self.set).map { "\"\($0)\": \"\($1)\"" }
      let json = "{\"weight_map\": {\(map.joined(separator: ", "))}}"
      try put(json, "\(folder)/\(Self.index)")
      #expect(try values(path) == [9])
      try saveCutShort(2, to: path)
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: path) }
      #expect(error?.description.contains("is not the file that its index") == true)
      // Without the list nothing speaks against it.
      try save(3, to: path, files: 3)
      try put(json, "\(folder)/\(Self.index)")
      #expect(try values(path) == [3])
    }
  }

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
        try save(9, to: "\(folder)/\(name).safetensors", files: 1)
      }
      try FileManager.default.createSymbolicLink(
        atPath: folder + "/link.safetensors", withDestinationPath: "w.safetensors")
      try put(
        files == 3 && input.hasPrefix("w-")
          ? #"{"weight_map": {"a": "old.safetensors", "b": "w-00002-of-00003.safetensors"}}"#
          : #"{"weight_map": {"a": "old.safetensors"}}"#, "\(folder)/\(Self.index)")
      if files == 3, !input.hasPrefix("w-") { unlink("\(folder)/\(Self.set[1])") }
      let before = try namesInFolder(folder)
      let inputs = [folder + "/missing", "\(folder)/\(input)"]
      if isRefused {
        let error = #expect(throws: FileError.self) {
          try save(2, to: path, files: files, protecting: inputs)
        }
        guard case .replacesInput(_, inputs[1]) = error else {
          Issue.record("\(String(describing: error))")
          return
        }
        #expect(try namesInFolder(folder) == before)
        #expect(try SafeTensors(path: path).copy("a") == [9, 9, 9, 9])
      } else {
        try save(2, to: path, files: files, protecting: inputs)
        #expect(try values(path) == [2])
        if input != "missing" { #expect(try values("\(folder)/\(input)") == [9]) }
      }
    }
  }

  /// A place that has something else, the number of files, and what is found there.
  @Test(arguments: [
    ("w.safetensors", "a letter", 1, "text"), ("w.safetensors", "a letter", 3, "text"),
    (index, "a letter", 3, "text"), (index, #"{"a": 1}"#, 3, "JSON that is no index"),
    (set[1], "a letter", 3, "text"),
    ("w.safetensors.unfinished.json", #"{"a": 1}"#, 1, "something else"),
    ("w.safetensors.unfinished.json", "a letter", 3, "something else"),
  ])
  func otherKindsStay(name: String, text: String, files: Int, found: String) throws {
    try withFolder { folder in
      let path = "\(folder)/\(name)"
      try put(text, path)
      let error = #expect(throws: FileError.self) {
        try save(2, to: folder + "/w.safetensors", files: files)
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
      let other = "\(folder)/\(Self.set[1])"
      try save(9, to: other, files: 1)
      let error = #expect(throws: FileError.self) {
        try save(2, to: folder + "/w.safetensors", files: 3)
      }
      #expect(error?.description.contains("no index of w.safetensors names") == true)
      #expect(try values(other) == [9])
    }
  }

  @Test func aLinkLeadsToTheWhole() throws {
    try withFolder { folder in
      for name in ["a", "b"] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(name)", withIntermediateDirectories: false)
      }
      let link = folder + "/a/link.safetensors"
      try FileManager.default.createSymbolicLink(
        atPath: link, withDestinationPath: "../b/w.safetensors")
      for files in [1, 3, 1, 2] {
        try save(UInt8(files), to: link, files: files)
        #expect(try values(link) == [UInt8(files)])
        #expect(WeightFiles.exist(at: link))
        #expect(try namesInFolder(folder + "/a") == ["link.safetensors"])
        #expect(try namesInFolder(folder + "/b").count == (files == 1 ? 1 : files + 1))
      }
    }
  }

  @Test func namesThatAreNotUTF8Stay() throws {
    try withFolder { folder in
      let start = Array("\(folder)/w-".utf8).map(CChar.init(bitPattern:))
      let odd =
        start + [.init(bitPattern: 0xFF)] + Array("-part-1.safetensors\0".utf8.map(CChar.init))
      let descriptor = Glibc.open(odd, O_WRONLY | O_CREAT, 0o600)
      try #require(descriptor >= 0)
      close(descriptor)
      for files in [1, 3, 1] {
        try save(UInt8(files), to: folder + "/w.safetensors", files: files)
        #expect(try values(folder) == [UInt8(files)])
        #expect(access(odd, F_OK) == 0)
      }
    }
  }

  /// A save of one file that was cut short after the file: the index beside it is out of date.
  @Test func aFileGoesBeforeTheIndexBesideIt() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try save(1, to: path, files: 3)
      try SafeTensors.write(Self.types, to: path) { _ in [2, 2, 2, 2] }
      #expect(try values(path) == [2])
      #expect(try values(folder) == [2])
      try save(3, to: path, files: 1)
      #expect(try namesInFolder(folder) == ["w.safetensors"])
    }
  }
}
