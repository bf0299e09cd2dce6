import CPJRT
import Synchronization

/// A dense array in a device's memory, row-major, which never changes.
///
/// Its memory is freed with the last reference to it, or taken by a program that it is donated to.
public final class Buffer: Sendable {
  /// The client it belongs to.
  public let client: Client
  /// The element type and shape.
  public let type: BufferType
  /// The device it lies on.
  public let device: Device

  private let state: Mutex<State>

  private enum State {
    case live(Handle)
    case consumed(by: String)
  }

  /// The element type.
  public var dtype: DType { type.dtype }
  /// The size of each axis, outermost first.
  public var shape: [Int] { type.shape }

  /// Whether a program has taken the memory, so that the buffer cannot be used any more.
  public var isConsumed: Bool {
    state.withLock { if case .consumed = $0 { true } else { false } }
  }

  /// Takes over a buffer of the plugin's.
  init(_ handle: Handle, _ type: BufferType, _ device: Device, _ client: Client) {
    self.client = client
    self.type = type
    self.device = device
    state = Mutex(.live(handle))
  }

  deinit {
    if case .live(let handle) = state.withLock({ $0 }) { Self.destroy(handle, client.api) }
  }

  /// The address in the plugin; throws `PJRTError.consumed` once a program has taken the memory.
  func live() throws -> Handle {
    switch state.withLock({ $0 }) {
    case .live(let handle): handle
    case .consumed(let operation): throw PJRTError.consumed(type: type, by: operation)
    }
  }

  /// Hands the address over to the caller, who must `restore` or `destroy` it.
  func take(by operation: String) throws -> Handle {
    try state.withLock { state in
      switch state {
      case .live(let handle):
        state = .consumed(by: operation)
        return handle
      case .consumed(let earlier): throw PJRTError.consumed(type: type, by: earlier)
      }
    }
  }

  /// Takes back an address that was handed over, where the plugin did not use the memory up.
  func restore(_ handle: Handle) { state.withLock { $0 = .live(handle) } }

  /// Frees a buffer of the plugin's.
  static func destroy(_ handle: Handle, _ api: API) {
    var arguments = PJRT_Buffer_Args()
    arguments.buffer = handle.pointer
    api.release(\.Buffer_Destroy, &arguments)
  }

  /// Takes over a buffer of the plugin's, and asks for its type.
  static func adopt(
    _ handle: Handle, on device: Device, _ client: Client, _ operation: String
  ) throws -> Buffer {
    do {
      var element = PJRT_Buffer_ElementType_Args()
      element.buffer = handle.pointer
      try client.api.call(\.Buffer_ElementType, &element, operation)
      var dimensions = PJRT_Buffer_Dimensions_Args()
      dimensions.buffer = handle.pointer
      try client.api.call(\.Buffer_Dimensions, &dimensions, operation)
      let shape = UnsafeBufferPointer(start: dimensions.dims, count: dimensions.num_dims)
        .map { Int($0) }
      let type = BufferType(try DType(code: element.type, operation), shape)
      return Buffer(handle, type, device, client)
    } catch {
      destroy(handle, client.api)
      throw error
    }
  }
}
