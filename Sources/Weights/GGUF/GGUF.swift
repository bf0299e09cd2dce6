import Files
import Foundation
import Layers
import Tensors

/// A GGUF file of version 2 or 3: named arrays in the types of ggml, behind a binary header with facts
/// about them. Every bound is checked when it is opened.
///
/// Arrays that are stored in blocks are read as f32. The sizes of an array are in the header from the
/// last axis to the first; here they are in the usual order.
public struct GGUF: Sendable {
  /// The path of the file.
  public let path: String
  /// The arrays' types, in the order of their data; f32 for those that are stored in blocks.
  public let types: Named<TensorType>
  /// Texts, numbers and truth values about the file, as texts.
  public let metadata: [String: String]
  private let file: MappedFile
  private let places: [String: Place]

  /// The data of an array.
  private struct Place {
    let format: BlockFormat
    let range: Range<Int>
  }

  /// Opens a file and checks all of it.
  ///
  /// - Throws: `FileError.unreadable`, or `WeightsError.damaged` with the reason.
  public init(path: String) throws {
    let file = try MappedFile(path)
    do {
      let header = try withExtendedLifetime(file) { () throws(ByteFault) in
        try GGUFHeader(file.bytes)
      }
      var places: [String: Place] = [:]
      var types = Named<TensorType>()
      for array in header.arrays {
        places[array.name] = Place(format: array.format, range: array.range)
        types[array.name] = TensorType(Shape(array.shape), array.format.dtype ?? .float32)
      }
      (self.types, self.places) = (types, places)
      metadata = header.metadata
    } catch {
      throw WeightsError.damaged(path: path, reason: error.reason)
    }
    self.path = path
    self.file = file
  }

  /// How an array is stored; nil where there is no such array.
  public func format(_ name: String) -> BlockFormat? { places[name]?.format }

  /// The bytes of an array as they are stored, valid for as long as `owner` lives; nil where there is
  /// no such array.
  public func bytes(_ name: String) -> UnsafeRawBufferPointer? {
    places[name].map { UnsafeRawBufferPointer(rebasing: file.bytes[$0.range]) }
  }

  /// The object that keeps the bytes in memory.
  public var owner: MappedFile { file }

  /// Whether bytes begin as a GGUF file does.
  static func begins(_ bytes: UnsafeRawBufferPointer) -> Bool {
    bytes.starts(with: Array("GGUF".utf8))
  }
}
