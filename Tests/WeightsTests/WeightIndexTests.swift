import Files
import Foundation
import Tensors
import Testing

@testable import Weights

@Suite struct WeightIndexTests {
  /// A folder with `x.safetensors`, which has `a` of [2, 2] bytes and `b` of [3] floats.
  private func withIndex<Result>(
    _ json: String, _ body: (String) throws -> Result
  ) throws -> Result {
    try withFolder { folder in
      let types = Named<TensorType>([
        ("a", TensorType([2, 2], .uint8)), ("b", TensorType([3], .float32)),
        ("e", TensorType([0], .float32)),
      ])
      try WeightFiles.write(types, to: folder + "/x.safetensors") {
        [UInt8](repeating: 7, count: types[$0]!.byteCount)
      }
      try Data([1, 2]).write(to: URL(fileURLWithPath: folder + "/damaged.safetensors"))
      let index = folder + "/w.safetensors.index.json"
      try Data(json.utf8).write(to: URL(fileURLWithPath: index))
      return try body(index)
    }
  }

  private static func parts(_ shape: String, _ files: String, of name: String = "a") -> String {
    #"{"parts": {"\#(name)": {"shape": \#(shape), "files": \#(files)}}}"#
  }

  private static let wrong: [(String, String)] = [
    (#"{"weight_map": {"a": "x.safetensors", "z": "x.safetensors"}}"#, "z is in x.safetensors"),
    (#"{"weight_map": {"a": "../x.safetensors"}}"#, "not one beside it"),
    (#"{"weight_map": {"a": "/etc/passwd"}}"#, "not one beside it"),
    (#"{"weight_map": {"a": ""}}"#, "not one beside it"),
    (#"{"weight_map": {"a": ".x"}}"#, "not one beside it"),
    (#"{"weight_map": {"a": "x\u0000y"}}"#, "not one beside it"),
    (#"{"weight_map": ["a"]}"#, "an array as weight_map, an object is expected"),
    (#"{"weight_map": {"a": 1}}"#, "the number 1 as a under weight_map, a text is expected"),
    (#"{"weight_map": {"a": "x.safetensors", "a": "y"}}"#, "its index names a twice"),
    ("{}", "neither weight_map nor parts"), ("[]", "no JSON object"), ("{", "no JSON"),
    ("no JSON", "no JSON"), ("", "no JSON"),
    (#"{"weight_map": {}, "metadata": 3}"#, "the number 3 as metadata, an object is expected"),
    (#"{"weight_map": {}, "file_ids": []}"#, "an array as file_ids"),
    (#"{"weight_map": {}, "file_ids": {"x": true}}"#, "true as x under file_ids"),
    (
      #"{"weight_map": {"a": "y.safetensors"}}"#,
      "needs files that are not beside it: y.safetensors"
    ),
    (#"{"weight_map": {"a": "damaged.safetensors"}}"#, "damaged.safetensors is not a complete"),
    (#"{"parts": []}"#, "an array as parts"), (#"{"parts": {"a": 1}}"#, "as the parts of a"),
    (#"{"parts": {"a": {"files": {}}}}"#, "does not say the shape of a"),
    (#"{"parts": {"a": {"shape": [1]}}}"#, "does not say the files of a"),
    (parts("[2, 2]", "[]"), "an array as the files of a"),
    (parts("[2, 2]", #"{"x.safetensors": {}}"#), "an object as the start of a in x.safetensors"),
    (parts("4", #"{"x.safetensors": [0, 0]}"#), "the number 4 as the shape of a"),
    (parts("[true, 2]", #"{"x.safetensors": [0, 0]}"#), "true in the shape of a"),
    (parts("[2.5, 2]", #"{"x.safetensors": [0, 0]}"#), "the number 2.5 in the shape of a"),
    (parts("[-2, 2]", #"{"x.safetensors": [0, 0]}"#), "the number -2 in the shape of a"),
    (parts("[1e300, 2]", #"{"x.safetensors": [0, 0]}"#), "in the shape of a"),
    (parts("[1e400, 2]", #"{"x.safetensors": [0, 0]}"#), "index"),
    (parts("[2, 2]", #"{"x.safetensors": [0, -1]}"#), "in the start of a in x.safetensors"),
    (parts("[2, 2]", #"{"x.safetensors": ["0", 0]}"#), "a text in the start of a"),
    (parts("[2, 2]", #"{"x.safetensors": [0]}"#), "from [0], is not within [2, 2]"),
    (parts("[2, 2]", #"{"x.safetensors": [1, 0]}"#), "from [1, 0], is not within [2, 2]"),
    (parts("[2, 2]", #"{"x.safetensors": [9007199254740991, 0]}"#), "is not within [2, 2]"),
    (parts("[4]", #"{"x.safetensors": [0]}"#), "is not within [4]"),
    (parts("[4, 2]", #"{"x.safetensors": [0, 0]}"#), "parts of a are missing"),
    (parts("[2, 2]", "{}"), "parts of a are missing"),
    // 2^80 elements; 2^62 elements of 4 bytes; beyond the bounds but for an axis of 0.
    (parts("[1099511627776, 1099511627776]", #"{"x.safetensors": [0, 0]}"#), "beyond all bounds"),
    (
      parts("[2147483648, 2147483648]", #"{"x.safetensors": [0, 0]}"#, of: "b"), "beyond all bounds"
    ),
    (
      parts("[0, 1099511627776, 1099511627776]", #"{"x.safetensors": [0]}"#, of: "e"),
      "beyond all bounds"
    ),
    (
      parts("[1099511627776, 1099511627776, 0]", #"{"x.safetensors": [0]}"#, of: "e"),
      "beyond all bounds"
    ),
    (parts("[2147483648, 2147483648]", #"{"x.safetensors": [0, 0]}"#), "parts of a are missing"),
  ]

  @Test(arguments: wrong) func refuses(json: String, hint: String) throws {
    try withIndex(json) { index in
      let error = #expect(throws: (any Error).self) { try WeightFiles(path: index) }
      #expect("\(error!)".contains(hint), "\(error!)")
    }
  }

  /// As model hubs publish them: without what this program adds, and with other things.
  @Test(arguments: [
    #"{"metadata": {"total_size": 16, "kind": "k"}, "weight_map": {"a": "x.safetensors"}}"#,
    #"{"weight_map": {"a": "x.safetensors"}, "metadata": {"kind": "k"}, "version": [1]}"#,
    parts("[2, 2]", #"{"x.safetensors": [0, 0]}"#).replacingOccurrences(
      of: #"{"parts""#, with: #"{"metadata": {"kind": "k"}, "parts""#),
  ])
  func readsAPublishedIndex(json: String) throws {
    try withIndex(json) { index in
      let files = try WeightFiles(path: index)
      #expect(files.types.names == ["a"] && files.metadata == ["kind": "k"])
      #expect(files.bytes("a", Region(whole: [2, 2])) == [7, 7, 7, 7])
      let folder = (index as NSString).deletingLastPathComponent
      #expect(files.paths == [index, folder + "/x.safetensors"])
      #expect(try WeightFiles(path: files.paths[1]).paths == [files.paths[1]])
    }
  }
}
