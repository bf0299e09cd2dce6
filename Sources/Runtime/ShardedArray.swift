import PJRT
import Tensors

/// An array that lies in parts on the devices of a mesh.
///
/// Without a mesh there is one part, the whole, on the client's first device.
public struct ShardedArray: Sendable {
  /// The type of the whole.
  public let type: TensorType
  /// How it is split.
  public let sharding: Sharding
  /// The devices it is split over, nil for one device.
  public let mesh: Mesh?
  /// The parts on the devices of this process, in their order in the mesh.
  public let parts: [Part]

  /// What one device has.
  public struct Part: Sendable {
    /// The device's place in the mesh.
    public let place: Int
    /// Which part of the whole it is.
    public let region: Region
    /// The elements.
    public let buffer: Buffer
  }

  /// An array that is whole on one device.
  public init(_ buffer: Buffer) {
    self.init(TensorType(buffer.type), .whole, nil) { _, _ in buffer }
  }

  /// Makes an array from parts.
  ///
  /// - Parameters:
  ///   - places: the places in the mesh of this process's devices, see `Client.places`.
  ///   - part: the elements of a region, for the device of a place.
  public init(
    _ type: TensorType, _ sharding: Sharding, _ mesh: Mesh?, places: [Int] = [0],
    _ part: (Region, _ place: Int) throws -> Buffer
  ) rethrows {
    self.type = type
    self.sharding = sharding
    self.mesh = mesh
    parts = try places.map { place in
      let region =
        mesh.map { sharding.region(type.shape, of: place, $0) } ?? Region(whole: type.shape)
      let buffer = try part(region, place)
      precondition(buffer.shape == region.sizes, "\(buffer.type) is not the part \(region)")
      return Part(place: place, region: region, buffer: buffer)
    }
  }

  /// Copies an array of the host to a client's devices.
  ///
  /// - Parameter values: row-major, as many as `shape` has elements.
  public init<T: Element>(
    _ values: [T], shape: Shape, _ sharding: Sharding = .whole, over mesh: Mesh? = nil,
    on client: Client
  ) throws {
    precondition(values.count == shape.count, "\(values.count) values are given for \(shape)")
    let (type, whole) = (TensorType(shape, T.dtype), Region(whole: shape))
    try self.init(type, sharding, mesh, places: client.places(in: mesh)) { region, place in
      let device = client.devices[place]
      let local = BufferType(T.dtype, region.sizes)
      if region == whole { return try client.buffer(values, shape: shape.sizes, on: device) }
      return try values.withUnsafeBytes { source in
        try region.bytes(of: whole, source, width: T.dtype.byteCount).withUnsafeBytes {
          try client.buffer(bytes: $0, local, on: device)
        }
      }
    }
  }

  /// Of this process's parts those that no earlier place in the mesh has too.
  public var distinctParts: [Part] {
    guard let mesh else { return parts }
    return parts.filter { part in
      (0..<part.place).allSatisfy {
        sharding.region(type.shape, of: $0, mesh) != part.region
      }
    }
  }

  /// The whole, dense and row-major.
  ///
  /// - Throws: the plugin's errors, `ShardingError.elsewhere` where another process has a part.
  public func bytes() throws -> [UInt8] {
    if parts.count >= 1, parts[0].region.sizes == type.shape.sizes {
      return try parts[0].buffer.bytes()
    }
    var regions: Set<Region> = []
    let fresh = parts.filter { regions.insert($0.region).inserted }
    let found = fresh.reduce(0) { $0 + $1.region.sizes.reduce(1, *) }
    guard found == type.shape.count else { throw ShardingError.elsewhere(type) }
    let whole = Region(whole: type.shape)
    return try [UInt8](unsafeUninitializedCapacity: type.byteCount) { memory, count in
      for part in fresh {
        try part.buffer.bytes().withUnsafeBytes {
          whole.copy(
            from: part.region, $0, to: UnsafeMutableRawBufferPointer(memory),
            width: type.dtype.byteCount)
        }
      }
      count = type.byteCount
    }
  }

  /// The elements of the whole, see `bytes`.
  public func array<T: Element>(of: T.Type = T.self) throws -> [T] {
    precondition(T.dtype == type.dtype, "\(type) is not read as \(T.dtype)")
    return try bytes().withUnsafeBytes { Array($0.bindMemory(to: T.self)) }
  }
}

extension Client {
  /// The places in a mesh of this process's devices; the mesh takes the first devices of all.
  public func places(in mesh: Mesh?) -> [Int] {
    guard let mesh else { return [0] }
    return devices.prefix(mesh.count).indices.filter { devices[$0].isAddressable }
  }
}

extension Named<ShardedArray> {
  /// The types of the arrays.
  public var types: Named<TensorType> { mapValues(\.type) }
  /// How the arrays are split.
  public var shardings: Named<Sharding> { mapValues(\.sharding) }
}
