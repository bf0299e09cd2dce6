import CPJRT

extension Client {
  /// Copies an array to a device.
  ///
  /// - Parameters:
  ///   - values: the elements, row-major.
  ///   - device: the device; nil for the first one.
  public func buffer<T: Element>(
    _ values: [T], shape: [Int], on device: Device? = nil
  ) throws -> Buffer {
    try values.withUnsafeBytes {
      try buffer(bytes: $0, BufferType(T.dtype, shape), on: device)
    }
  }

  /// Copies a scalar to a device.
  public func buffer<T: Element>(_ value: T, on device: Device? = nil) throws -> Buffer {
    try buffer([value], shape: [], on: device)
  }

  /// Copies the bytes of an array to a device during the call.
  ///
  /// - Parameter bytes: `type.byteCount` bytes, dense and row-major.
  public func buffer(
    bytes: UnsafeRawBufferPointer, _ type: BufferType, on device: Device? = nil
  ) throws -> Buffer {
    let (buffer, done) = try transfer(
      bytes, type, on: device, semantics: PJRT_HOST_COPIED_DURING_CALL)
    try api.wait(done, "copying to a device")
    return buffer
  }

  /// Makes a buffer of memory that does not change as long as `owner` lives, such as a mapped file;
  /// `owner` is retained until the plugin is done with the memory.
  ///
  /// On the CPU memory that is aligned to 64 bytes is not copied; other memory, and memory for
  /// other devices, is.
  public func buffer(
    sharing bytes: UnsafeRawBufferPointer, owner: any AnyObject & Sendable, _ type: BufferType,
    on device: Device? = nil
  ) throws -> Buffer {
    let (buffer, done) = try transfer(
      bytes, type, on: device, semantics: PJRT_HOST_IMMUTABLE_ZERO_COPY)
    let guardian = Unmanaged.passRetained(Guardian(owner: owner, api: api))
    var arguments = PJRT_Event_OnReady_Args()
    arguments.event = done
    arguments.user_arg = guardian.toOpaque()
    arguments.callback = { error, guardian in
      let guardian = Unmanaged<Guardian>.fromOpaque(guardian!).takeRetainedValue()
      guardian.api.free(error)
    }
    do {
      try api.call(\.Event_OnReady, &arguments, "sharing memory with a device")
    } catch {
      // The memory may still be in use, so its owner is leaked rather than freed.
      api.destroy(event: done)
      throw error
    }
    api.destroy(event: done)
    return buffer
  }

  /// Retains the owner of shared memory until the plugin is done with it.
  private final class Guardian: Sendable {
    let owner: any AnyObject & Sendable
    let api: API

    init(owner: any AnyObject & Sendable, api: API) {
      self.owner = owner
      self.api = api
    }
  }

  private func transfer(
    _ bytes: UnsafeRawBufferPointer, _ type: BufferType, on device: Device?, semantics: Int
  ) throws -> (Buffer, done: OpaquePointer?) {
    precondition(
      bytes.count == type.byteCount,
      "\(type) takes \(type.byteCount) bytes and \(bytes.count) were given")
    let device = device ?? addressableDevices[0]
    precondition(
      addressableDevices.contains(device), "device \(device) does not belong to this client")
    let operation = "copying to a device"
    let sizes = type.shape.map(Int64.init)
    // The plugin needs an address, which an empty array does not have.
    return try withUnsafeBytes(of: 0) { empty in
      try sizes.withUnsafeBufferPointer { sizes in
        var arguments = PJRT_Client_BufferFromHostBuffer_Args()
        arguments.client = handle.pointer
        arguments.data = bytes.isEmpty ? empty.baseAddress : bytes.baseAddress
        arguments.type = type.dtype.code
        arguments.dims = sizes.baseAddress
        arguments.num_dims = sizes.count
        arguments.host_buffer_semantics = Int32(semantics)
        arguments.device = device.handle.pointer
        try exclusively { try api.call(\.Client_BufferFromHostBuffer, &arguments, operation) }
        let handle = try BufferHandle(arguments.buffer, self, operation)
        return (Buffer(handle, type, device, self), arguments.done_with_host_buffer)
      }
    }
  }
}

extension Buffer {
  /// Copies the elements to an array, row-major.
  ///
  /// Waits for the buffer.
  ///
  /// - Throws: `PJRTError.wrongElementType` where the elements are of another type.
  public func array<T: Element>(of type: T.Type = T.self) throws -> [T] {
    guard T.dtype == dtype else {
      throw PJRTError.wrongElementType(expected: T.dtype, found: dtype)
    }
    return try [T](unsafeUninitializedCapacity: self.type.count) { memory, count in
      try read(into: UnsafeMutableRawBufferPointer(memory))
      count = self.type.count
    }
  }

  /// Copies the bytes to an array: dense and row-major.
  public func bytes() throws -> [UInt8] {
    try [UInt8](unsafeUninitializedCapacity: type.byteCount) { memory, count in
      try read(into: UnsafeMutableRawBufferPointer(memory))
      count = type.byteCount
    }
  }

  /// Copies the bytes, dense and row-major, to memory of at least `type.byteCount` bytes.
  public func read(into memory: UnsafeMutableRawBufferPointer) throws {
    precondition(memory.count >= type.byteCount, "\(type) needs \(type.byteCount) bytes")
    let minorToMajor = (0..<Int64(shape.count)).reversed().map { $0 }
    try withPointer { source in
      guard type.byteCount > 0 else { return }
      try minorToMajor.withUnsafeBufferPointer { order in
        var layout = sized(PJRT_Layout())
        layout.tiled = sized(PJRT_Layout_Tiled())
        layout.tiled.minor_to_major = order.baseAddress
        layout.tiled.minor_to_major_size = order.count
        layout.type = Int32(PJRT_LAYOUT_TILED)
        try copy(source, to: memory, &layout)
      }
    }
  }

  private func copy(
    _ source: OpaquePointer, to memory: UnsafeMutableRawBufferPointer, _ layout: inout PJRT_Layout
  ) throws {
    let operation = "copying from a device"
    try withUnsafeMutablePointer(to: &layout) { layout in
      var arguments = PJRT_Buffer_ToHostBuffer_Args()
      arguments.src = source
      arguments.host_layout = layout
      arguments.dst = memory.baseAddress
      arguments.dst_size = type.byteCount
      try client.api.call(\.Buffer_ToHostBuffer, &arguments, operation)
      try client.api.wait(arguments.event, operation)
    }
  }

  /// A copy on another device of the same client.
  public func copied(to device: Device) throws -> Buffer {
    precondition(
      client.addressableDevices.contains(device), "device \(device) does not belong to the client")
    let operation = "copying between devices"
    return try withPointer { source in
      var arguments = PJRT_Buffer_CopyToDevice_Args()
      arguments.buffer = source
      arguments.dst_device = device.handle.pointer
      try client.api.call(\.Buffer_CopyToDevice, &arguments, operation)
      return Buffer(
        try BufferHandle(arguments.dst_buffer, client, operation), type, device, client)
    }
  }

  /// The address in device memory, for tests and for sharing with other libraries.
  public func address() throws -> UInt {
    try withPointer { source in
      var arguments = PJRT_Buffer_UnsafePointer_Args()
      arguments.buffer = source
      try client.api.call(\.Buffer_UnsafePointer, &arguments, "asking for a buffer's address")
      return arguments.pointer
    }
  }
}
