import CPJRT
import Synchronization

/// An immutable dense, row-major array in a device's memory.
///
/// Its memory is freed with the last reference, or taken by a program that it is donated to.
public final class Buffer: Sendable {
  /// The client it belongs to.
  public let client: Client
  /// The element type and shape.
  public let type: BufferType
  /// The device that it is on.
  public let device: Device

  private let state: Mutex<State>

  private enum State {
    case live(BufferHandle)
    case consumed(by: String)
  }

  /// The element type.
  public var dtype: DType { type.dtype }
  /// The size of each axis, outermost first.
  public var shape: [Int] { type.shape }

  /// Whether the buffer was donated, so that it can no longer be used.
  public var isConsumed: Bool {
    state.withLock { if case .consumed = $0 { true } else { false } }
  }

  init(_ handle: BufferHandle, _ type: BufferType, _ device: Device, _ client: Client) {
    self.client = client
    self.type = type
    self.device = device
    state = Mutex(.live(handle))
  }

  /// Takes ownership of a plugin's buffer, and queries its type.
  convenience init(
    _ handle: BufferHandle, on device: Device, _ client: Client, _ operation: String
  ) throws {
    var element = PJRT_Buffer_ElementType_Args()
    element.buffer = handle.pointer
    try client.api.call(\.Buffer_ElementType, &element, operation)
    var dimensions = PJRT_Buffer_Dimensions_Args()
    dimensions.buffer = handle.pointer
    try client.api.call(\.Buffer_Dimensions, &dimensions, operation)
    let shape = UnsafeBufferPointer(start: dimensions.dims, count: dimensions.num_dims)
      .map { Int($0) }
    let type = BufferType(try DType(code: element.type, operation), shape)
    self.init(handle, type, device, client)
  }

  /// Calls `body` with the plugin's pointer, which stays valid during the call.
  ///
  /// - Throws: `PJRTError.consumed` where a program has taken the memory.
  func withPointer<Result>(_ body: (OpaquePointer) throws -> Result) throws -> Result {
    let handle = try live()
    return try withExtendedLifetime(handle) { try body(handle.pointer) }
  }

  /// The plugin's buffer.
  ///
  /// - Throws: `PJRTError.consumed` where a program has taken the memory.
  func live() throws -> BufferHandle {
    switch state.withLock({ $0 }) {
    case .live(let handle): return handle
    case .consumed(let operation): throw PJRTError.consumed(type: type, by: operation)
    }
  }

  /// Transfers ownership of the plugin's buffer to the caller, until it is restored.
  func take(by operation: String) throws -> BufferHandle {
    try state.withLock { state in
      switch state {
      case .live(let handle):
        state = .consumed(by: operation)
        return handle
      case .consumed(let earlier): throw PJRTError.consumed(type: type, by: earlier)
      }
    }
  }

  /// Takes back ownership of a plugin's buffer that was not consumed.
  func restore(_ handle: BufferHandle) { state.withLock { $0 = .live(handle) } }
}

/// A plugin's buffer, freed with the last reference.
///
/// Every user of the pointer holds a reference, so that one thread may read a buffer while another
/// donates it.
final class BufferHandle: Sendable {
  private let handle: Handle
  // The plugin's client must outlive its buffers, whatever order Swift releases them in.
  private let client: Client
  private var api: API { client.api }

  init(_ pointer: OpaquePointer?, _ client: Client, _ operation: String) throws {
    handle = try Handle(pointer, operation)
    self.client = client
  }

  var pointer: OpaquePointer { handle.pointer }

  /// Whether the plugin has deleted the buffer, by donation or after an error.
  var isDeleted: Bool {
    var arguments = PJRT_Buffer_IsDeleted_Args()
    arguments.buffer = pointer
    do {
      try api.call(\.Buffer_IsDeleted, &arguments, "asking for a buffer's state")
    } catch {
      return true
    }
    return arguments.is_deleted
  }

  deinit {
    var arguments = PJRT_Buffer_Args()
    arguments.buffer = pointer
    api.release(\.Buffer_Destroy, &arguments)
  }
}
