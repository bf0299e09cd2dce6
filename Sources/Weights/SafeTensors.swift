import Files
import Foundation
import Tensors

/// A safetensors file: named arrays behind a JSON header. Every bound is checked when it is opened.
///
/// The format: 8 bytes with the header's length, the header, the data without holes.
public struct SafeTensors: Sendable {
  /// The path of the file.
  public let path: String
  /// The arrays' types, in the order of their data.
  public let types: Named<TensorType>
  /// Texts about the file.
  public let metadata: [String: String]
  private let file: MappedFile
  private let ranges: [String: Range<Int>]

  /// The maximum length of a header.
  static let longestHeader = 100 << 20

  /// Opens a file and checks all of it.
  ///
  /// - Throws: `FileError.unreadable`, or `WeightsError.damaged` with the reason.
  public init(path: String) throws {
    let file = try MappedFile(path)
    func fail(_ reason: String) -> WeightsError { .damaged(path: path, reason: reason) }
    guard file.bytes.count >= 8 else { throw fail("it has \(file.bytes.count) bytes") }
    let length = UInt64(littleEndian: file.bytes.loadUnaligned(as: UInt64.self))
    guard length <= UInt64(min(Self.longestHeader, file.bytes.count - 8)) else {
      if let strange = FileContent.strange(file.bytes) { throw fail(strange) }
      throw fail("its header of \(length) bytes goes beyond the file's \(file.bytes.count)")
    }
    let start = 8 + Int(length)
    let header: SafeTensorsHeader
    do {
      header = try SafeTensorsHeader(Array(file.bytes[8..<start]))
    } catch {
      throw fail(error.reason)
    }
    var ranges: [String: Range<Int>] = [:]
    var types = Named<TensorType>()
    var end = 0
    let entries = header.entries.sorted {
      ($0.begin, $0.end, $0.name) < ($1.begin, $1.end, $1.name)
    }
    if let last = entries.map(\.end).max(), last > file.bytes.count - start, last < 1 << 53 {
      throw fail(
        "its arrays take \(last) bytes by its header, of which the last "
          + "\(last - (file.bytes.count - start)) are not there: it was not downloaded to its end")
    }
    for entry in entries {
      guard entry.begin >= 0, entry.begin <= entry.end, entry.end <= file.bytes.count - start else {
        throw fail(
          "the data of \(entry.name), \(entry.begin) to \(entry.end), is not within the file's "
            + "\(file.bytes.count - start) bytes of data")
      }
      guard entry.begin >= end else {
        throw fail("the data of \(entry.name) overlaps that of another array")
      }
      guard entry.begin == end else {
        throw fail("\(entry.begin - end) bytes before \(entry.name) belong to nothing")
      }
      guard let size = entry.byteCount else {
        throw fail("the sizes \(entry.shape) of \(entry.name) are beyond all bounds")
      }
      guard size == entry.end - entry.begin else {
        throw fail(
          "\(entry.name) of \(entry.dtype.rawValue)\(entry.shape) does not take "
            + "\(entry.end - entry.begin) bytes")
      }
      end = entry.end
      ranges[entry.name] = start + entry.begin..<start + entry.end
      types[entry.name] = TensorType(Shape(entry.shape), entry.dtype)
    }
    guard end == file.bytes.count - start else {
      throw fail("\(file.bytes.count - start - end) bytes at its end belong to nothing")
    }
    self.path = path
    self.file = file
    self.ranges = ranges
    self.types = types
    metadata = header.metadata
  }

  /// The bytes of an array, valid for as long as `owner` lives; nil where there is no such array.
  public func bytes(_ name: String) -> UnsafeRawBufferPointer? {
    ranges[name].map { UnsafeRawBufferPointer(rebasing: file.bytes[$0]) }
  }

  /// The object that keeps the bytes in memory.
  public var owner: MappedFile { file }

  /// The name of an element type in the format.
  static func name(of dtype: DType) -> String {
    switch dtype {
    case .bool: "BOOL"
    case .int8: "I8"
    case .int16: "I16"
    case .int32: "I32"
    case .int64: "I64"
    case .uint8: "U8"
    case .uint16: "U16"
    case .uint32: "U32"
    case .uint64: "U64"
    case .float8e4m3: "F8_E4M3"
    case .float8e5m2: "F8_E5M2"
    case .float16: "F16"
    case .bfloat16: "BF16"
    case .float32: "F32"
    case .float64: "F64"
    }
  }
}
