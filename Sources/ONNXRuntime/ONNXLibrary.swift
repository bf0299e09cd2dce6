import CONNXRuntime
import Foundation
import Synchronization

/// The library of ONNX Runtime, which computes networks in ONNX's format on the processor.
///
/// `@unchecked Sendable`: the table of functions is constant, and it and the environment live as long as the
/// process; they may be used from any thread.
public final class ONNXLibrary: @unchecked Sendable {
  /// The library's file, with symbolic links resolved.
  public let path: String
  /// The library's version, such as `1.32.0`.
  public let version: String

  let api: OrtApi
  let environment: OpaquePointer

  private static let loaded = Mutex<[String: ONNXLibrary]>([:])

  /// Loads a library, once in a process.
  ///
  /// - Throws: `ONNXError.notONNXRuntime`, `versionMismatch`.
  public static func load(_ path: String) throws -> ONNXLibrary {
    let file = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
    return try loaded.withLock { libraries in
      if let library = libraries[file] { return library }
      let library = try ONNXLibrary(file)
      libraries[file] = library
      return library
    }
  }

  /// Loads a library with a version of the interface.
  init(_ path: String, interface: Int = Int(TWINFLOW_ORT_VERSION)) throws {
    guard FileManager.default.fileExists(atPath: path) else {
      throw ONNXError.notONNXRuntime(path: path, reason: .missing)
    }
    guard let library = dlopen(path, RTLD_NOW | RTLD_LOCAL) else {
      let reason = dlerror().map { String(cString: $0) } ?? "unknown reason"
      throw ONNXError.notONNXRuntime(path: path, reason: .notALibrary(reason))
    }
    typealias EntryPoint = @convention(c) () -> UnsafePointer<OrtApiBase>?
    guard let symbol = dlsym(library, "OrtGetApiBase"),
      let base = unsafeBitCast(symbol, to: EntryPoint.self)()
    else {
      // It stays loaded: not every library can be unloaded.
      throw ONNXError.notONNXRuntime(path: path, reason: .noEntryPoint)
    }
    self.path = path
    version = Self.text(base.pointee.GetVersionString())
    guard let table = base.pointee.GetApi(UInt32(interface)) else {
      throw ONNXError.versionMismatch(path: path, found: version, needed: interface)
    }
    api = table.pointee
    var environment: OpaquePointer?
    let status = api.CreateEnv(Int32(ORT_LOGGING_FATAL), "twinflow", &environment)
    guard status == nil, let environment else {
      throw ONNXError.failure(
        path: path, operation: "the start",
        message: status.map { Self.text(table.pointee.GetErrorMessage($0)) } ?? "no reason")
    }
    self.environment = environment
  }

  /// The message of an error, which is freed; nil for success.
  func message(_ status: OpaquePointer?) -> String? {
    guard let status else { return nil }
    defer { api.ReleaseStatus(status) }
    // The messages of several causes are lines.
    return Self.text(api.GetErrorMessage(status))
      .split(whereSeparator: \.isNewline).joined(separator: " ")
  }

  private static func text(_ start: UnsafePointer<CChar>?) -> String {
    start.map { String(cString: $0) } ?? ""
  }
}
