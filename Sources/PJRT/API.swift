import CPJRT

/// An address inside a plugin.
///
/// `@unchecked Sendable`: PJRT objects may be used from any thread.
struct Handle: @unchecked Sendable, Hashable {
  let pointer: OpaquePointer

  /// Makes a handle of a result that the plugin must have set.
  init(_ pointer: OpaquePointer?, _ operation: String) throws {
    guard let pointer else { throw PJRTError.missing(what: "result", operation: operation) }
    self.pointer = pointer
  }
}

/// The functions of a loaded plugin.
///
/// `@unchecked Sendable`: the table is constant and lives as long as the process.
struct API: @unchecked Sendable {
  let table: UnsafePointer<PJRT_Api>

  /// Calls a function and throws the error that it returns; sets the struct size of the arguments.
  func call<Arguments>(
    _ function: KeyPath<PJRT_Api, PJRT_Function?>, _ arguments: inout Arguments,
    _ operation: @autoclosure () -> String
  ) throws {
    guard let function = table.pointee[keyPath: function] else {
      throw PJRTError.missing(what: "function", operation: operation())
    }
    if let error = withSize(&arguments, { function($0) }) {
      throw take(error, operation())
    }
  }

  /// Calls a function that fails only on a programming error, such as a destructor.
  func release<Arguments>(
    _ function: KeyPath<PJRT_Api, PJRT_Function?>, _ arguments: inout Arguments
  ) {
    guard let function = table.pointee[keyPath: function] else { return }
    if let error = withSize(&arguments, { function($0) }) {
      assertionFailure("\(take(error, "releasing an object"))")
    }
  }

  /// Waits for an event, frees it and throws its error.
  func wait(_ event: OpaquePointer?, _ operation: @autoclosure () -> String) throws {
    guard let event else { return }
    var arguments = PJRT_Event_Args()
    arguments.event = event
    defer { destroy(event: event) }
    try call(\.Event_Await, &arguments, operation())
  }

  /// Frees an event.
  func destroy(event: OpaquePointer?) {
    guard let event else { return }
    var arguments = PJRT_Event_Args()
    arguments.event = event
    release(\.Event_Destroy, &arguments)
  }

  /// Converts a plugin's error to `PJRTError` and frees it.
  func take(_ error: OpaquePointer, _ operation: String) -> PJRTError {
    var code = PJRT_Error_GetCode_Args()
    code.error = error
    if let second = withSize(&code, { table.pointee.Error_GetCode?($0) ?? nil }) { free(second) }
    var message = PJRT_Error_Message_Args()
    message.error = error
    withSize(&message) { table.pointee.Error_Message?($0) }
    defer { free(error) }
    return .failure(
      code: PJRTError.Code(rawValue: code.code) ?? .unknown,
      message: text(message.message, message.message_size), operation: operation)
  }

  /// Frees an error; null is allowed.
  func free(_ error: OpaquePointer?) {
    guard let error else { return }
    var arguments = PJRT_Error_Destroy_Args()
    arguments.error = error
    withSize(&arguments) { table.pointee.Error_Destroy?($0) }
  }

  /// Writes the struct's size into its first field and passes its address.
  private func withSize<Arguments, Result>(
    _ arguments: inout Arguments, _ body: (UnsafeMutableRawPointer) -> Result
  ) -> Result {
    withUnsafeMutableBytes(of: &arguments) {
      $0.storeBytes(of: MemoryLayout<Arguments>.size, as: Int.self)
      return body($0.baseAddress!)
    }
  }
}

/// A string from a plugin's bytes; invalid UTF-8 is replaced.
func text(_ start: UnsafePointer<CChar>?, _ count: Int) -> String {
  let bytes = UnsafeRawBufferPointer(start: start, count: start == nil ? 0 : count)
  return String(decoding: bytes, as: UTF8.self)
}

/// A nested struct with its size set.
func sized<Structure>(_ structure: Structure) -> Structure {
  var structure = structure
  withUnsafeMutableBytes(of: &structure) {
    $0.storeBytes(of: MemoryLayout<Structure>.size, as: Int.self)
  }
  return structure
}

extension DType {
  /// The number that the interface uses for the type.
  var code: Int32 {
    switch self {
    case .bool: Int32(PJRT_TYPE_PRED)
    case .int8: Int32(PJRT_TYPE_S8)
    case .int16: Int32(PJRT_TYPE_S16)
    case .int32: Int32(PJRT_TYPE_S32)
    case .int64: Int32(PJRT_TYPE_S64)
    case .uint8: Int32(PJRT_TYPE_U8)
    case .uint16: Int32(PJRT_TYPE_U16)
    case .uint32: Int32(PJRT_TYPE_U32)
    case .uint64: Int32(PJRT_TYPE_U64)
    case .float8e4m3: Int32(PJRT_TYPE_F8E4M3FN)
    case .float8e5m2: Int32(PJRT_TYPE_F8E5M2)
    case .float16: Int32(PJRT_TYPE_F16)
    case .bfloat16: Int32(PJRT_TYPE_BF16)
    case .float32: Int32(PJRT_TYPE_F32)
    case .float64: Int32(PJRT_TYPE_F64)
    }
  }

  /// The type that the interface uses the number for.
  init(code: Int32, _ operation: String) throws {
    guard let dtype = Self.allCases.first(where: { $0.code == code }) else {
      throw PJRTError.unknownElementType(code: Int(code), operation: operation)
    }
    self = dtype
  }
}
