import Files
import Foundation
import Tensors
import Testing

@testable import Weights

@Suite struct SafeTensorsTests {
  @Test func readsWhatTheFormatAllows() throws {
    let file = try open(
      header: """
        {"b":{"dtype":"U8","shape":[3],"data_offsets":[4,7]},"empty":{"dtype":"F64",\
        "shape":[0,9007199254740991],"data_offsets":[7,7]},"__metadata__":{"who":"Zoë"},\
        "a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"}}   \n
        """, data: [0, 0, 128, 63, 1, 2, 3])
    #expect(file.types.names == ["a", "b", "empty"])
    #expect(file.types["a"] == TensorType(Shape([]), .float32))
    #expect(file.types["b"] == TensorType(Shape([3]), .uint8))
    #expect(file.copy("a") == [0, 0, 128, 63])
    #expect(file.copy("b") == [1, 2, 3])
    #expect(file.copy("empty") == [])
    #expect(file.copy("c") == nil)
    #expect(file.metadata == ["who": "Zoë"])
  }

  /// The format's reference implementation passes over what it does not know, and takes no metadata
  /// for null.
  @Test func passesOverFurtherFields() throws {
    let file = try open(
      header: #"{"__metadata__":null,"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"y":{}}}"#,
      data: [5])
    #expect(file.copy("x") == [5] && file.metadata.isEmpty)
  }

  @Test func readsAFileOfNothing() throws {
    let file = try open(header: "{}")
    #expect(file.types.isEmpty)
    #expect(file.metadata.isEmpty)
  }

  @Test(arguments: [
    ("BOOL", DType.bool, 1), ("U8", .uint8, 1), ("I8", .int8, 1), ("U16", .uint16, 2),
    ("I16", .int16, 2), ("F16", .float16, 2), ("BF16", .bfloat16, 2), ("U32", .uint32, 4),
    ("I32", .int32, 4), ("F32", .float32, 4), ("U64", .uint64, 8), ("I64", .int64, 8),
    ("F64", .float64, 8),
  ])
  func readsElementType(name: String, dtype: DType, size: Int) throws {
    let file = try open(
      header: #"{"x":{"dtype":"\#(name)","shape":[2],"data_offsets":[0,\#(2 * size)]}}"#,
      data: [UInt8](repeating: 0, count: 2 * size))
    #expect(file.types["x"] == TensorType(Shape([2]), dtype))
  }

  /// A header that is wrong, the bytes of data behind it, and a word of the message.
  private static let wrongHeaders: [(String, Int, String)] = [
    ("", 0, "no JSON object"),
    ("{", 0, "no JSON"),
    ("[]", 0, "no JSON object"),
    ("7", 0, "no JSON object"),
    (" {}", 0, "no JSON object"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}}"#, 4, "no JSON"),
    (#"{"__metadata__":{"a":1}}"#, 0, "its metadata have the number 1 as a, a text"),
    (#"{"__metadata__":"a"}"#, 0, "its metadata are a text, an object"),
    (#"{"x":[]}"#, 0, "x is an array, an object with dtype, shape and data_offsets"),
    (#"{"x":null}"#, 0, "x is null, an object"),
    (#"{"x":{"dtype":"F32","shape":[1]}}"#, 4, "x does not say its data_offsets"),
    (#"{"x":{"dtype":"F32","data_offsets":[0,4]}}"#, 4, "x does not say its shape"),
    (#"{"x":{"shape":[1],"data_offsets":[0,4]}}"#, 4, "x does not say its dtype"),
    (#"{"x":{"dtype":32,"shape":[1],"data_offsets":[0,4]}}"#, 4, "the number 32 as its dtype"),
    (#"{"x":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}"#, 4, "the number 1 as its shape"),
    (#"{"x":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}"#, 4, "a text in its shape"),
    (#"{"x":{"dtype":"F32","shape":[true],"data_offsets":[0,4]}}"#, 4, "true in its shape"),
    (#"{"x":{"dtype":"F32","shape":[null],"data_offsets":[0,4]}}"#, 4, "null in its shape"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[false,4]}}"#, 4, "false in its data_off"),
    (
      #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4,
      "has 1 numbers as its data_offsets"
    ),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 4, "has 3 numbers"),
    (#"{"x":{"dtype":"F4","shape":[1],"data_offsets":[0,4]}}"#, 4, "type F4"),
    (#"{"x":{"dtype":"f32","shape":[1],"data_offsets":[0,4]}}"#, 4, "type f32"),
    (#"{"x":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "the number -1 in its shape"),
    (
      #"{"x":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}"#, 4, "the number 1.5 in its shape"
    ),
    (#"{"x":{"dtype":"F32","shape":[1e300],"data_offsets":[0,4]}}"#, 4, "e+300 in its shape"),
    (#"{"x":{"dtype":"F32","shape":[1e400],"data_offsets":[0,4]}}"#, 4, ""),
    (
      #"{"x":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4,
      "the number -4 in its data_offsets"
    ),
    (
      #"{"x":{"dtype":"U8","shape":[4294967296,4294967296,4],"data_offsets":[0,4]}}"#, 4,
      "beyond all bounds"
    ),
    (
      #"{"x":{"dtype":"F32","shape":[4611686018427387904],"data_offsets":[0,0]}}"#, 0,
      "4611686018427387904 in its shape"
    ),
    (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "does not take 4 bytes"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, 8, "does not take 8 bytes"),
    (#"{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#, 4, "the last 4 are not there"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "not within"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "4 bytes before x"),
    (#"{"x":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "1 bytes at its end"),
    ("{}", 3, "3 bytes at its end"),
    (
      #"{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"#
        + #""y":{"dtype":"U8","shape":[3],"data_offsets":[3,6]}}"#, 6, "y overlaps"
    ),
    (
      #"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
        + #""y":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}"#, 3, "1 bytes before y"
    ),
    (
      #"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"#
        + #""\u0078":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}"#, 2, "x twice"
    ),
    (#"{"__metadata__":{},"__metadata__":{}}"#, 0, "__metadata__ twice"),
    (#"{"__metadata__":{"a":"1","b":"a","a":"2"}}"#, 0, "a twice"),
    (#"{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1],"shape":[1]}}"#, 1, "shape twice"),
    (
      #"{"x":{"dtype":"F32","shape":[9007199254740991,1024,0],"data_offsets":[0,0]}}"#, 0,
      "beyond all bounds"
    ),
    (
      #"{"x":{"dtype":"F32","shape":[0,9007199254740991,1024],"data_offsets":[0,0]}}"#, 0,
      "beyond all bounds"
    ),
  ]

  @Test(arguments: wrongHeaders)
  func refusesHeader(header: String, data: Int, word: String) {
    let reason = damage { try open(header: header, data: [UInt8](repeating: 0, count: data)) }
    #expect(
      word.isEmpty ? reason != nil : reason?.contains(word) == true,
      "\(reason ?? "nothing") for \(header)")
  }

  @Test(arguments: [UInt64(3), (100 << 20) + 1, .max, 1 << 63])
  func refusesHeaderBeyondTheFile(length: UInt64) {
    let reason = damage { try open(header: "{}", length: length) }
    #expect(reason?.contains("header of \(length) bytes") == true, "\(reason ?? "nothing")")
  }

  @Test(arguments: 0..<8) func refusesFileWithoutLength(count: Int) {
    let reason = damage { try open(bytes: [UInt8](repeating: 0, count: count)) }
    #expect(reason == "it has \(count) bytes")
  }

  @Test func refusesHeaderInAnotherEncoding() {
    let text = Array("{}".data(using: .utf16LittleEndian)!)
    #expect(damage { try open(bytes: [UInt8(text.count), 0, 0, 0, 0, 0, 0, 0] + text) } != nil)
  }

  @Test func refusesEveryTruncation() throws {
    let bytes = try withFolder { folder in
      var arrays = Named<(type: TensorType, bytes: [UInt8])>()
      arrays["x"] = (TensorType([2, 3], .float32), [UInt8](repeating: 7, count: 24))
      try write(arrays, to: folder + "/x")
      return Array(try Data(contentsOf: URL(fileURLWithPath: folder + "/x")))
    }
    #expect(throws: Never.self) { try open(bytes: bytes) }
    for count in bytes.indices {
      #expect(damage { try open(bytes: Array(bytes[..<count])) } != nil, "\(count) bytes")
    }
  }

  @Test(arguments: [
    ("missing", "No such file"), ("file/below", "Not a directory"), ("", "not a regular file"),
  ])
  func saysWhyItCannotRead(name: String, word: String) throws {
    try withFolder { folder in
      try Data().write(to: URL(fileURLWithPath: folder + "/file"))
      let path = folder + "/" + name
      let error = #expect(throws: FileError.self) { try SafeTensors(path: path) }
      #expect(error?.description.hasPrefix("\(path) cannot be read: ") == true)
      #expect(error?.description.contains(word) == true, "\(error?.description ?? "")")
    }
  }

  @Test func bytesOutliveTheFile() throws {
    let (bytes, owner) = try {
      let file = try open(
        header: #"{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}"#, data: [5, 6])
      return (try #require(file.bytes("x")), file.owner)
    }()
    withExtendedLifetime(owner) { #expect(Array(bytes) == [5, 6]) }
  }
}
