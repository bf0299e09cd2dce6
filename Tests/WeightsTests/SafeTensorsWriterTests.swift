import Files
import Foundation
import Tensors
import Testing

@testable import Weights

@Suite struct SafeTensorsWriterTests {
  private typealias Arrays = Named<(type: TensorType, bytes: [UInt8])>

  private static func arrays() -> Arrays {
    var arrays = Arrays()
    arrays["weight"] = (TensorType([2, 3], .float32), Array(0..<24))
    arrays["naïve \"name\""] = (TensorType([3], .bfloat16), Array(30..<36))
    arrays["none"] = (TensorType([0, 4], .int64), [])
    arrays["scalar"] = (TensorType([], .bool), [1])
    return arrays
  }

  private static func byte(_ value: UInt8, _ name: String = "x") -> Arrays {
    var arrays = Arrays()
    arrays[name] = (TensorType([1], .uint8), [value])
    return arrays
  }

  private func contents(_ path: String) throws -> [UInt8] {
    Array(try Data(contentsOf: URL(fileURLWithPath: path)))
  }

  private func names(in folder: String) throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
  }

  @Test func readsBackWhatItWrote() throws {
    try withFolder { folder in
      let arrays = Self.arrays()
      let metadata = ["format": "pt", "quote": "\"\\\n\u{1F455}"]
      try write(arrays, metadata: metadata, to: folder + "/x")
      let file = try SafeTensors(path: folder + "/x")
      #expect(file.metadata == metadata)
      #expect(Set(file.types.names) == Set(arrays.names))
      for (name, array) in arrays.pairs {
        #expect(file.types[name] == array.type)
        #expect(file.copy(name) == array.bytes)
      }
      #expect(try names(in: folder) == ["x"])
    }
  }

  @Test func writesEqualFilesForEqualArrays() throws {
    try withFolder { folder in
      let metadata = Dictionary(uniqueKeysWithValues: (0..<20).map { ("\($0)", "text") })
      for name in ["first", "second"] {
        try write(Self.arrays(), metadata: metadata, to: "\(folder)/\(name)")
      }
      #expect(try contents(folder + "/first") == contents(folder + "/second"))
    }
  }

  @Test(arguments: 0..<20) func alignsTheData(nameLength: Int) throws {
    try withFolder { folder in
      let name = String(repeating: "n", count: nameLength)
      try write(Self.byte(9, name), to: folder + "/x")
      let bytes = try contents(folder + "/x")
      #expect(bytes.count % 64 == 1)
      #expect(bytes.last == 9)
    }
  }

  @Test func replacesAFileAndKeepsAnOpenedOne() throws {
    try withFolder { folder in
      let path = folder + "/x"
      try write(Self.byte(1), to: path)
      let old = try SafeTensors(path: path)
      try write(Self.byte(2), to: path)
      #expect(old.copy("x") == [1])
      #expect(try SafeTensors(path: path).copy("x") == [2])
    }
  }

  @Test(arguments: [
    ("missing/x", "No such file"), ("file/x", "Not a directory"), ("folder", "not a regular file"),
  ])
  func saysWhyItCannotWrite(name: String, word: String) throws {
    try withFolder { folder in
      try Data([7]).write(to: URL(fileURLWithPath: folder + "/file"))
      try FileManager.default.createDirectory(
        atPath: folder + "/folder", withIntermediateDirectories: false)
      let path = folder + "/" + name
      let error = #expect(throws: FileError.self) {
        try write(Self.arrays(), to: path)
      }
      #expect(error?.description.hasPrefix("\(path) cannot be written: ") == true)
      #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
      #expect(try names(in: folder) == ["file", "folder"])
      #expect(try contents(folder + "/file") == [7])
    }
  }

  /// A folder in which no process may make a file.
  @Test func leavesNothingInAReadOnlyFolder() {
    let error = #expect(throws: FileError.self) {
      try write(Self.arrays(), to: "/proc/self/x")
    }
    guard case .unwritable = error else {
      Issue.record("\(String(describing: error))")
      return
    }
  }

  /// Renaming would put a file in the device's place.
  @Test func leavesAPipeAPipe() throws {
    try withFolder { folder in
      let path = folder + "/pipe"
      try #require(mkfifo(path, 0o600) == 0)
      let error = #expect(throws: FileError.self) {
        try write(Self.arrays(), to: path)
      }
      #expect(error == .unwritable(path: path, reason: "it is not a regular file"))
      var status = stat()
      #expect(lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFIFO)
      #expect(try names(in: folder) == ["pipe"])
    }
  }

  @Test func mismatchNamesWhatIsWrong() {
    let error = WeightsError.mismatch(
      path: "m",
      problems: [
        .missing(name: "a.weight", similar: "a.wieght"), .unused(name: "a.wieght"),
        .wrongType(
          name: "b", found: TensorType([2], .float32), expected: TensorType([3], .float32)),
        .unused(name: "c"), .unused(name: "d"), .unused(name: "e"),
      ])
    #expect(
      error.description.contains("a.weight is missing (the file has a.wieght); a.wieght is not"))
    #expect(error.description.contains("b is f32[2], the network's is f32[3]"))
    #expect(error.description.contains("and 1 more"))
  }
}
