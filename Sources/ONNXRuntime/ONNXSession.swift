import CONNXRuntime
import Foundation

/// A network in ONNX's format.
///
/// `@unchecked Sendable`: the library allows runs of a session from several threads, and the session is not
/// changed after it was made.
public final class ONNXSession: @unchecked Sendable {
  /// An array of numbers, row-major.
  public struct Array: Sendable {
    /// The sizes.
    public let shape: [Int]
    /// The numbers.
    public let values: [Float]

    /// Makes an array.
    public init(shape: [Int], values: [Float]) {
      precondition(
        shape.reduce(1, *) == values.count, "\(values.count) numbers do not fill \(shape)")
      (self.shape, self.values) = (shape, values)
    }
  }

  /// An input or output.
  public struct Port: Hashable, Sendable {
    /// The name.
    public let name: String
    /// The sizes, nil for those that are not fixed; nil for another type than arrays of f32.
    public let shape: [Int?]?
  }

  /// The file.
  public let path: String
  /// The inputs.
  public let inputs: [Port]
  /// The outputs.
  public let outputs: [Port]

  private let library: ONNXLibrary
  private let session: OpaquePointer

  /// Opens a file.
  ///
  /// - Throws: `ONNXError.unreadableModel`, `failure`.
  public init(_ path: String, by library: ONNXLibrary) throws {
    (self.path, self.library) = (path, library)
    let api = library.api
    func check(_ status: OpaquePointer?) throws {
      guard let message = library.message(status) else { return }
      throw ONNXError.unreadableModel(path: path, message: message)
    }
    var options: OpaquePointer?
    try check(api.CreateSessionOptions(&options))
    defer { api.ReleaseSessionOptions(options) }
    try check(api.SetSessionLogSeverityLevel(options, Int32(ORT_LOGGING_FATAL)))
    // Memory that a large picture has needed is given back.
    try check(api.DisableCpuMemArena(options))
    var session: OpaquePointer?
    try check(api.CreateSession(library.environment, path, options, &session))
    self.session = session!
    do {
      inputs = try Self.ports(
        session!, library, path, count: api.SessionGetInputCount, name: api.SessionGetInputName,
        type: api.SessionGetInputTypeInfo)
      outputs = try Self.ports(
        session!, library, path, count: api.SessionGetOutputCount, name: api.SessionGetOutputName,
        type: api.SessionGetOutputTypeInfo)
    } catch {
      api.ReleaseSession(session)
      throw error
    }
  }

  deinit { library.api.ReleaseSession(session) }

  private static func ports(
    _ session: OpaquePointer, _ library: ONNXLibrary, _ path: String,
    count: @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int>?) -> OpaquePointer?,
    name:
      @convention(c) (
        OpaquePointer?, Int, OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
      ) -> OpaquePointer?,
    type:
      @convention(c) (OpaquePointer?, Int, UnsafeMutablePointer<OpaquePointer?>?) ->
      OpaquePointer?
  ) throws -> [Port] {
    let api = library.api
    func check(_ status: OpaquePointer?) throws {
      guard let message = library.message(status) else { return }
      throw ONNXError.failure(
        path: path, operation: "reading the inputs and outputs", message: message)
    }
    var total = 0
    try check(count(session, &total))
    return try (0..<total).map { place in
      let name = try text(library) { allocator, pointer in
        try check(name(session, place, allocator, pointer))
      }
      var own: OpaquePointer?
      try check(type(session, place, &own))
      defer { api.ReleaseTypeInfo(own) }
      var info: OpaquePointer?
      try check(api.CastTypeInfoToTensorInfo(own, &info))
      guard let info else { return Port(name: name ?? "", shape: nil) }
      var element: Int32 = 0
      try check(api.GetTensorElementType(info, &element))
      let sizes = try shape(info, library, check)
      return Port(
        name: name ?? "",
        shape: element == Int32(ORT_ELEMENT_FLOAT) ? sizes.map { $0 < 0 ? nil : $0 } : nil)
    }
  }

  /// A string that the library gives out, nil where it has none.
  private static func text(
    _ library: ONNXLibrary,
    _ body: (OpaquePointer?, UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) throws -> Void
  ) throws -> String? {
    var allocator: OpaquePointer?
    // It cannot fail.
    library.api.ReleaseStatus(library.api.GetAllocatorWithDefaultOptions(&allocator))
    var pointer: UnsafeMutablePointer<CChar>?
    try body(allocator, &pointer)
    guard let pointer else { return nil }
    defer { library.api.ReleaseStatus(library.api.AllocatorFree(allocator, pointer)) }
    return String(cString: pointer)
  }

  private static func shape(
    _ info: OpaquePointer?, _ library: ONNXLibrary, _ check: (OpaquePointer?) throws -> Void
  ) throws -> [Int] {
    var rank = 0
    try check(library.api.GetDimensionsCount(info, &rank))
    var sizes = [Int64](repeating: 0, count: rank)
    try check(library.api.GetDimensions(info, &sizes, rank))
    return sizes.map { Int($0) }
  }

  /// A text that the file has under a key; nil for none.
  ///
  /// - Throws: `ONNXError.failure`.
  public func metadata(_ key: String) throws -> String? {
    var metadata: OpaquePointer?
    try check(library.api.SessionGetModelMetadata(session, &metadata), "reading the metadata")
    defer { library.api.ReleaseModelMetadata(metadata) }
    return try Self.text(library) { allocator, pointer in
      try check(
        library.api.ModelMetadataLookupCustomMetadataMap(metadata, allocator, key, pointer),
        "reading the metadata")
    }
  }

  /// The first output for one input, both of f32.
  ///
  /// - Throws: `ONNXError.failure`.
  public func callAsFunction(_ input: Array) throws -> Array {
    let api = library.api
    let operation = "a run"
    var memory: OpaquePointer?
    try check(
      api.CreateCpuMemoryInfo(
        Int32(ORT_ALLOCATOR_DEVICE), Int32(ORT_MEMORY_DEFAULT), &memory), operation)
    defer { api.ReleaseMemoryInfo(memory) }
    var output: OpaquePointer?
    // The library does not write to inputs.
    try input.values.withUnsafeBytes { bytes in
      var value: OpaquePointer?
      try check(
        api.CreateTensorWithDataAsOrtValue(
          memory, UnsafeMutableRawPointer(mutating: bytes.baseAddress), bytes.count,
          input.shape.map(Int64.init), input.shape.count, Int32(ORT_ELEMENT_FLOAT), &value),
        operation)
      defer { api.ReleaseValue(value) }
      try inputs[0].name.withCString { inputName in
        try outputs[0].name.withCString { outputName in
          try check(
            api.Run(session, nil, [inputName], [value], 1, [outputName], 1, &output), operation)
        }
      }
    }
    defer { api.ReleaseValue(output) }
    var info: OpaquePointer?
    try check(api.GetTensorTypeAndShape(output, &info), operation)
    defer { api.ReleaseTensorTypeAndShapeInfo(info) }
    let sizes = try Self.shape(info, library) { try check($0, operation) }
    var data: UnsafeMutableRawPointer?
    try check(api.GetTensorMutableData(output, &data), operation)
    let count = sizes.reduce(1, *)
    let values = UnsafeRawBufferPointer(start: data, count: count * 4).bindMemory(to: Float.self)
    return Array(shape: sizes, values: Swift.Array(values))
  }

  private func check(_ status: OpaquePointer?, _ operation: String) throws {
    guard let message = library.message(status) else { return }
    throw ONNXError.failure(path: path, operation: operation, message: message)
  }
}
