import PJRT
import Tensors

/// An array in shards on the devices of a mesh.
///
/// Without a mesh there is one shard, the full array, on the client's first device.
public struct ShardedArray: Sendable {
  /// The element type and global shape.
  public let type: TensorType
  /// How it is sharded.
  public let sharding: Sharding
  /// The devices that it is sharded over, nil for one.
  public let mesh: Mesh?
  /// The shards on the devices of this process, in the order of the mesh.
  public let shards: [Shard]

  /// The elements on one device.
  public struct Shard: Sendable {
    /// The device's index in the mesh.
    public let place: Int
    /// The region of the array that it holds.
    public let region: Region
    /// The elements.
    public let buffer: Buffer
  }

  /// Makes an array on one device.
  public init(_ buffer: Buffer) {
    self.init(TensorType(buffer.type), .replicated, nil) { _, _ in buffer }
  }

  /// Makes an array from shards.
  ///
  /// - Parameters:
  ///   - places: the indices in the mesh of this process's devices, see `Client.places`.
  ///   - shard: the elements of a region, on the device at an index of the mesh.
  public init(
    _ type: TensorType, _ sharding: Sharding, _ mesh: Mesh?, places: [Int] = [0],
    _ shard: (Region, _ place: Int) throws -> Buffer
  ) rethrows {
    self.type = type
    self.sharding = sharding
    self.mesh = mesh
    shards = try places.map { place in
      let region =
        mesh.map { sharding.region(type.shape, of: place, $0) } ?? Region(whole: type.shape)
      let buffer = try shard(region, place)
      precondition(
        buffer.shape == region.sizes,
        "\(buffer.type) does not have the sizes of the region \(region)")
      return Shard(place: place, region: region, buffer: buffer)
    }
  }

  /// Copies a host array to a client's devices.
  ///
  /// - Parameter values: the elements, row-major.
  public init<T: Element>(
    _ values: [T], shape: Shape, _ sharding: Sharding = .replicated, over mesh: Mesh? = nil,
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

  /// The shards of this process that no earlier device of the mesh has too.
  public var distinctShards: [Shard] {
    guard let mesh else { return shards }
    return shards.filter { shard in
      (0..<shard.place).allSatisfy {
        sharding.region(type.shape, of: $0, mesh) != shard.region
      }
    }
  }

  /// The bytes of the full array, dense and row-major.
  ///
  /// - Throws: the plugin's errors, `ShardingError.elsewhere` where only another process has a
  ///   shard.
  public func bytes() throws -> [UInt8] {
    if shards.count >= 1, shards[0].region.sizes == type.shape.sizes {
      return try shards[0].buffer.bytes()
    }
    var regions: Set<Region> = []
    let fresh = shards.filter { regions.insert($0.region).inserted }
    let found = fresh.reduce(0) { $0 + $1.region.sizes.reduce(1, *) }
    guard found == type.shape.count else { throw ShardingError.elsewhere(type) }
    let whole = Region(whole: type.shape)
    return try [UInt8](unsafeUninitializedCapacity: type.byteCount) { memory, count in
      for shard in fresh {
        try shard.buffer.bytes().withUnsafeBytes {
          whole.copy(
            from: shard.region, $0, to: UnsafeMutableRawBufferPointer(memory),
            width: type.dtype.byteCount)
        }
      }
      count = type.byteCount
    }
  }

  /// The elements of the full array, see `bytes`.
  public func array<T: Element>(of: T.Type = T.self) throws -> [T] {
    precondition(T.dtype == type.dtype, "\(type) is not read as \(T.dtype)")
    return try bytes().withUnsafeBytes { Array($0.bindMemory(to: T.self)) }
  }
}

extension Client {
  /// The indices in a mesh of this process's devices; the mesh consists of the client's first
  /// devices.
  public func places(in mesh: Mesh?) -> [Int] {
    guard let mesh else { return [0] }
    return devices.prefix(mesh.count).indices.filter { devices[$0].isAddressable }
  }
}

extension Named<ShardedArray> {
  /// The types of the arrays.
  public var types: Named<TensorType> { mapValues(\.type) }
  /// How the arrays are sharded.
  public var shardings: Named<Sharding> { mapValues(\.sharding) }
}
