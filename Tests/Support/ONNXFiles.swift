import Foundation
import PJRT

/// What `scripts/fetch-ocr` fetches, for tests that need it.
public enum ONNXFiles {
  /// The library of ONNX Runtime, nil where it is not there.
  public static let library: String? = {
    let named = ProcessInfo.processInfo.environment["TWINFLOW_ONNXRUNTIME"]
    let path = named ?? cacheDirectory() + "/plugins/onnxruntime.so"
    return FileManager.default.fileExists(atPath: path) ? path : nil
  }()
  /// The folder of PP-OCR's networks, nil where they or the library are not there.
  public static let networks: String? = {
    let path = cacheDirectory() + "/models/pp-ocrv4"
    return library != nil && FileManager.default.fileExists(atPath: path) ? path : nil
  }()
}

/// A small network in ONNX's format with one input and one output, both of f32.
public struct ONNXModel {
  /// An operation on the output of the one before.
  public struct Node {
    let operation: String
    let attributes: [(name: String, numbers: [Int])]
    /// Whether the numbers of `keepdims` are 0.
    let dropsAxes: Bool

    /// Makes an operation with attributes that are lists of numbers.
    public init(
      _ operation: String, _ attributes: [(name: String, numbers: [Int])] = [],
      dropsAxes: Bool = false
    ) {
      (self.operation, self.attributes, self.dropsAxes) = (operation, attributes, dropsAxes)
    }
  }

  let nodes: [Node]
  let input: [Int?]
  let output: [Int?]
  let metadata: [(key: String, value: String)]

  /// Describes a network.
  ///
  /// - Parameters:
  ///   - input: the sizes, nil for any.
  ///   - output: the sizes, nil for any.
  public init(
    _ nodes: [Node], input: [Int?], output: [Int?], metadata: [(key: String, value: String)] = []
  ) {
    (self.nodes, self.input, self.output) = (nodes, input, output)
    self.metadata = metadata
  }

  /// Writes the file.
  ///
  /// - Throws: the errors of writing.
  public func write(to path: String) throws {
    try Data(bytes).write(to: URL(fileURLWithPath: path))
  }

  /// The file: a `ModelProto`.
  public var bytes: [UInt8] {
    let steps = nodes.enumerated().flatMap { number, node in
      Self.field(1, node.bytes(from: "v\(number)", to: "v\(number + 1)"))
    }
    let graph =
      steps + Self.text(2, "graph") + Self.field(11, Self.port("v0", input))
      + Self.field(12, Self.port("v\(nodes.count)", output))
    return Self.number(1, 4) + Self.field(7, graph) + Self.field(8, Self.number(2, 9))
      + Self.metadata(metadata)
  }

  /// Texts under keys, which may also follow a whole file.
  public static func metadata(_ texts: [(key: String, value: String)]) -> [UInt8] {
    texts.flatMap { field(14, text(1, $0.key) + text(2, $0.value)) }
  }

  private static func port(_ name: String, _ sizes: [Int?]) -> [UInt8] {
    let shape = sizes.flatMap { size in field(1, size.map { number(1, $0) } ?? []) }
    return text(1, name) + field(2, field(1, number(1, 1) + field(2, shape)))
  }

  static func varint(_ value: Int) -> [UInt8] {
    var (rest, bytes) = (UInt64(bitPattern: Int64(value)), [UInt8]())
    repeat {
      bytes.append(UInt8(rest & 0x7F) | (rest > 0x7F ? 0x80 : 0))
      rest >>= 7
    } while rest > 0
    return bytes
  }
  static func number(_ field: Int, _ value: Int) -> [UInt8] { varint(field << 3) + varint(value) }
  static func field(_ field: Int, _ bytes: [UInt8]) -> [UInt8] {
    varint(field << 3 | 2) + varint(bytes.count) + bytes
  }
  static func text(_ number: Int, _ text: String) -> [UInt8] { field(number, Array(text.utf8)) }
}

extension ONNXModel.Node {
  fileprivate func bytes(from input: String, to output: String) -> [UInt8] {
    typealias Model = ONNXModel
    let lists = attributes.flatMap { name, numbers in
      Model.field(
        5, Model.text(1, name) + numbers.flatMap { Model.number(8, $0) } + Model.number(20, 7))
    }
    let keeps =
      dropsAxes
      ? Model.field(5, Model.text(1, "keepdims") + Model.number(3, 0) + Model.number(20, 2)) : []
    return Model.text(1, input) + Model.text(2, output) + Model.text(4, operation) + lists + keeps
  }
}
