import Files
import Foundation
import Tensors
import Testing

@testable import Weights

/// What a save leaves alone and deletes.
@Suite struct SavingTests {
  private func rename(_ from: String, _ to: String) throws {
    try #require(Foundation.rename(from, to) == 0)
  }

  /// A save of three files whose third one cannot take its place.
  private func saveCutShort(_ value: UInt8, to path: String) throws {
    let third = path.replacingOccurrences(
      of: ".safetensors", with: "-00003-of-00003.safetensors")
    let old = try? Data(contentsOf: URL(fileURLWithPath: third))
    #expect(throws: FileError.self) {
      try SavedWhole.save(value, to: path, files: 3) { name in
        guard name == "c" else { return }
        unlink(third)
        try FileManager.default.createDirectory(
          atPath: third, withIntermediateDirectories: false)
      }
    }
    rmdir(third)
    try old?.write(to: URL(fileURLWithPath: third))
  }

  @Test(arguments: [1, 2, 3], [1, 2, 3]) func onlyItsOwnFilesGo(first: Int, second: Int) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      let others = [
        "w-of-training-part-1.txt", "w-step-1-part-00001-of-00002.safetensors",
        "w-00001-of-00009.safetensors", "w-00001-of-00003.safetensors.txt", "w", "w.txt",
      ]
      for name in others where name.hasSuffix(".safetensors") {
        try SavedWhole.save(9, to: "\(folder)/\(name)", files: 1)
      }
      for name in others where !name.hasSuffix(".safetensors") {
        try SavedWhole.put("mine", "\(folder)/\(name)")
      }
      try SavedWhole.save(1, to: path, files: first)
      try SavedWhole.save(2, to: path, files: second)
      let own =
        second == 1
        ? ["w.safetensors"]
        : (1...second).map { "w-0000\($0)-of-0000\(second).safetensors" } + [SavedWhole.index]
      #expect(try namesInFolder(folder) == (own + others).sorted())
      #expect(try SavedWhole.values(path) == [2])
    }
  }

  /// An index may name anything; only weights beside it that no other index names are its own.
  @Test(arguments: [1, 2]) func whatTheIndexHasNoRightToStays(files: Int) throws {
    try withFolder { outer in
      let folder = outer + "/inner"
      try FileManager.default.createDirectory(
        atPath: folder, withIntermediateDirectories: false)
      for name in ["../x", "old", "shared", "w"] {
        try SavedWhole.save(9, to: "\(folder)/\(name).safetensors", files: 1)
      }
      try SavedWhole.put("mine", folder + "/letter.txt")
      try SavedWhole.put(
        """
        {"weight_map": {"a": "../x.safetensors", "b": "old.safetensors", "c": "letter.txt",
        "d": "shared.safetensors", "e": "missing.safetensors", "f": "w.safetensors",
        "g": "\(outer)/x.safetensors"}}
        """, "\(folder)/\(SavedWhole.index)")
      try SavedWhole.put(
        #"{"weight_map": {"a": "shared.safetensors"}}"#, folder + "/o.safetensors.index.json")
      let path = folder + "/w.safetensors"
      try SavedWhole.save(2, to: path, files: files)
      let names = try namesInFolder(folder)
      #expect(!names.contains("old.safetensors"))
      #expect(Set(names).isSuperset(of: ["letter.txt", "shared.safetensors"]))
      #expect(FileManager.default.fileExists(atPath: outer + "/x.safetensors"))
      #expect(names.contains("w.safetensors") == (files == 1))
      #expect(try SavedWhole.values(path) == [2])
    }
  }

  @Test(arguments: [1, 2, 3]) func whatASaveCutShortHasLeftGoes(files: Int) throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try SavedWhole.save(1, to: path, files: 2)
      try SavedWhole.put("mine", folder + "/w-00009-of-00003.safetensors.txt")
      try saveCutShort(2, to: path)
      // The index still names the two files from before.
      #expect(try SavedWhole.values(path) == [1])
      let left = try namesInFolder(folder)
      #expect(Set(left).isSuperset(of: SavedWhole.set[..<2] + ["w.safetensors.unfinished.json"]))
      try SavedWhole.save(3, to: path, files: files)
      #expect(try SavedWhole.values(path) == [3])
      let own =
        files == 1
        ? ["w.safetensors"]
        : (1...files).map { "w-0000\($0)-of-0000\(files).safetensors" } + [SavedWhole.index]
      #expect(
        try namesInFolder(folder) == (own + ["w-00009-of-00003.safetensors.txt"]).sorted())
    }
  }

  /// A file that has come since, with a name that a save cut short had written down.
  @Test func whatHasComeSinceStays() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try saveCutShort(2, to: path)
      try SavedWhole.save(9, to: "\(folder)/\(SavedWhole.set[2])", files: 1)
      try SavedWhole.save(3, to: path, files: 1)
      #expect(try namesInFolder(folder) == [SavedWhole.set[2], "w.safetensors"])
    }
  }

  @Test func aMixtureIsReported() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try SavedWhole.save(1, to: path, files: 3)
      try saveCutShort(2, to: path)
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: path) }
      #expect(
        error?.description.contains(
          "\(SavedWhole.set[0]) is not the file that its index was written with")
          == true, "\(String(describing: error))")
      try SavedWhole.save(3, to: path, files: 3)
      #expect(try SavedWhole.values(path) == [3])
      #expect(try namesInFolder(folder) == SavedWhole.set + [SavedWhole.index])
    }
  }

  /// Every one of the files may be that of another time.
  @Test(arguments: 0..<3) func anExchangedFileIsReported(number: Int) throws {
    try withFolder { folder in
      for (place, value) in [("one", UInt8(1)), ("two", 2)] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(place)", withIntermediateDirectories: false)
        try SavedWhole.save(value, to: "\(folder)/\(place)/w.safetensors", files: 3)
      }
      let name = SavedWhole.set[number]
      try rename("\(folder)/two/\(name)", "\(folder)/one/\(name)")
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: folder + "/one") }
      #expect(error?.description.contains("\(name) is not the file") == true)
      // A file that another program has written has no such text at all.
      unlink("\(folder)/one/\(name)")
      try SavedWhole.save(1, to: "\(folder)/one/\(name)", files: 1)
      #expect(throws: WeightsError.self) { try WeightFiles(path: folder + "/one") }
    }
  }

  /// The index that another program wrote says nothing of times; the list of the save does.
  @Test func aMixtureWithAPublishedIndexIsReported() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      for name in SavedWhole.set { try SavedWhole.save(9, to: "\(folder)/\(name)", files: 1) }
      let map = zip(["a", "b", "c"], SavedWhole.set).map { "\"\($0)\": \"\($1)\"" }
      let json = "{\"weight_map\": {\(map.joined(separator: ", "))}}"
      try SavedWhole.put(json, "\(folder)/\(SavedWhole.index)")
      #expect(try SavedWhole.values(path) == [9])
      try saveCutShort(2, to: path)
      let error = #expect(throws: WeightsError.self) { try WeightFiles(path: path) }
      #expect(error?.description.contains("is not the file that its index") == true)
      // Without the list nothing speaks against it.
      try SavedWhole.save(3, to: path, files: 3)
      try SavedWhole.put(json, "\(folder)/\(SavedWhole.index)")
      #expect(try SavedWhole.values(path) == [3])
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
        try SavedWhole.save(UInt8(files), to: link, files: files)
        #expect(try SavedWhole.values(link) == [UInt8(files)])
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
        try SavedWhole.save(UInt8(files), to: folder + "/w.safetensors", files: files)
        #expect(try SavedWhole.values(folder) == [UInt8(files)])
        #expect(access(odd, F_OK) == 0)
      }
    }
  }

  /// A save of one file that was cut short after the file: the index beside it is out of date.
  @Test func aFileGoesBeforeTheIndexBesideIt() throws {
    try withFolder { folder in
      let path = folder + "/w.safetensors"
      try SavedWhole.save(1, to: path, files: 3)
      try SafeTensors.write(SavedWhole.types, to: path) { _ in [2, 2, 2, 2] }
      #expect(try SavedWhole.values(path) == [2])
      #expect(try SavedWhole.values(folder) == [2])
      try SavedWhole.save(3, to: path, files: 1)
      #expect(try namesInFolder(folder) == ["w.safetensors"])
    }
  }
}
