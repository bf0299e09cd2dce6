/// What can go wrong with networks in ONNX's format.
public enum ONNXError: Error, Equatable, CustomStringConvertible {
  /// What keeps a file from being used as ONNX Runtime.
  public enum Reason: Equatable, Sendable {
    /// There is no such file.
    case missing
    /// The system's linker refuses it, and says why.
    case notALibrary(String)
    /// It is another library.
    case noEntryPoint
  }

  /// A file is not the library of ONNX Runtime.
  case notONNXRuntime(path: String, reason: Reason)
  /// The library does not have the version of the interface that is used.
  case versionMismatch(path: String, found: String, needed: Int)
  /// The library does not accept a file as a network.
  case unreadableModel(path: String, message: String)
  /// The library reports an error.
  case failure(path: String, operation: String, message: String)

  /// What was found, what was expected and what to do.
  public var description: String {
    switch self {
    case .notONNXRuntime(let path, let reason):
      let found =
        switch reason {
        case .missing: "there is no such file"
        case .notALibrary(let message): "it cannot be loaded: \(message)"
        case .noEntryPoint: "it has no function OrtGetApiBase"
        }
      return
        "\(path) is not the library of ONNX Runtime: \(found). scripts/fetch-ocr downloads it, or name "
        + "another one with TWINFLOW_ONNXRUNTIME."
    case .versionMismatch(let path, let found, let needed):
      return
        "\(path) is ONNX Runtime \(found), which does not have version \(needed) of the interface. "
        + "scripts/fetch-ocr downloads one that has; from 1.\(needed) on they do."
    case .unreadableModel(let path, let message):
      return "\(path) is not a complete network in ONNX's format: \(message). Download it again."
    case .failure(let path, let operation, let message):
      return "ONNX Runtime failed in \(operation) of \(path): \(message)."
    }
  }
}
