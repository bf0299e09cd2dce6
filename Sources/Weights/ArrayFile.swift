import Files
import Tensors

/// One file of named arrays, of any format.
enum ArrayFile: Sendable {
  case safeTensors(SafeTensors)
  case gguf(GGUF)
  case torch(TorchFile)

  /// Opens a file by its name's ending, or by how it begins.
  ///
  /// - Throws: `FileError.unreadable`, or `WeightsError.damaged` with what is wrong.
  init(path: String) throws {
    let (isGGUF, isTorch) = try withExtendedLifetime(MappedFile(path)) {
      (path.hasSuffix(".gguf") || GGUF.begins($0.bytes), TorchFile.begins($0.bytes))
    }
    if isTorch {
      self = .torch(try TorchFile(path: path))
    } else if isGGUF {
      self = .gguf(try GGUF(path: path))
    } else {
      self = .safeTensors(try SafeTensors(path: path))
    }
  }

  /// The path of the file.
  var path: String {
    switch self {
    case .safeTensors(let file): file.path
    case .gguf(let file): file.path
    case .torch(let file): file.path
    }
  }

  /// The types that arrays are read as.
  var types: Named<TensorType> {
    switch self {
    case .safeTensors(let file): file.types
    case .gguf(let file): file.types
    case .torch(let file): file.types
    }
  }

  /// Texts about the file.
  var metadata: [String: String] {
    switch self {
    case .safeTensors(let file): file.metadata
    case .gguf(let file): file.metadata
    case .torch: [:]
    }
  }

  /// The bytes of an array as they are stored, valid for as long as `owner` lives.
  func bytes(_ name: String) -> UnsafeRawBufferPointer? {
    switch self {
    case .safeTensors(let file): file.bytes(name)
    case .gguf(let file): file.bytes(name)
    case .torch(let file): file.bytes(name)
    }
  }

  /// The object that keeps the bytes in memory.
  var owner: MappedFile {
    switch self {
    case .safeTensors(let file): file.owner
    case .gguf(let file): file.owner
    case .torch(let file): file.owner
    }
  }

  /// The form of an array that is stored in blocks; nil for one that is stored element by element.
  func blocks(_ name: String) -> BlockFormat? {
    guard case .gguf(let file) = self, let format = file.format(name), format.dtype == nil else {
      return nil
    }
    return format
  }
}
