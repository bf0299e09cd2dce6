import Foundation
import Processes
import Tensors

/// Devices with a cache of compiled programs.
public struct Engine: Sendable {
  /// The plugin's client.
  public let client: Client
  /// The cache of compiled programs.
  public let cache: ExecutableCache
  /// The devices that programs and arrays are sharded over, nil for one.
  public private(set) var mesh: Mesh?
  /// The processes that the devices belong to, nil for this one alone.
  public private(set) var group: ProcessGroup?

  /// Makes an engine of an open client.
  public init(client: Client, cache: ExecutableCache) {
    self.client = client
    self.cache = cache
  }

  /// Opens the plugin at a path, or the one that is found, see `Plugin.load`.
  ///
  /// - Parameters:
  ///   - kernels: whether programs for a CPU use this project's kernels.
  ///   - devices: the number of virtual devices of a CPU.
  ///   - group: the processes whose devices work together.
  /// - Throws: `PJRTError`, and `ProcessesError.notJoined` where the plugin sees only the devices
  ///   of this process.
  public init(
    plugin: String? = nil, device: DeviceKind = .cpu, kernels: Bool = true, devices: Int = 1,
    group: ProcessGroup? = nil
  ) throws {
    if devices > 1 {
      // Virtual devices on few cores reach collectives late, which would end the process.
      let flags = ProcessInfo.processInfo.environment["XLA_FLAGS"] ?? ""
      setenv(
        "XLA_FLAGS", flags + " --xla_cpu_collective_call_terminate_timeout_seconds=3600", 1)
    }
    var options: [String: NamedValue] = [:]
    switch device {
    case .cpu: options["cpu_device_count"] = .integer(Int64(devices))
    case .cuda:
      // By default the plugin uses only three quarters of the memory.
      options["memory_fraction"] = .float(0.92)
      if let group {
        options["node_id"] = .integer(Int64(group.rank))
        options["num_nodes"] = .integer(Int64(group.count))
      }
    }
    client = try Client(
      Plugin.load(plugin, device: device), options: options, kernels: kernels,
      store: group?.store)
    if let group, client.devices.count == client.addressableDevices.count {
      throw ProcessesError.notJoined(platform: client.platformName, count: group.count)
    }
    self.group = group
    cache = ExecutableCache()
  }

  /// The same engine with programs and arrays sharded over the first devices.
  ///
  /// - Throws: `ShardingError.tooFewDevices`, and `idleDevices` where the mesh does not use all
  ///   devices of several processes.
  public func spread(over mesh: Mesh) throws -> Engine {
    guard mesh.count <= client.devices.count else {
      throw ShardingError.tooFewDevices(
        mesh: mesh, found: client.devices.count, platform: client.platformName)
    }
    guard group == nil || mesh.count == client.devices.count else {
      throw ShardingError.idleDevices(mesh: mesh, found: client.devices.count)
    }
    var engine = self
    engine.mesh = mesh.count > 1 ? mesh : nil
    return engine
  }

  /// Compiles a function of named tensors, or loads it from the cache.
  ///
  /// - Parameters:
  ///   - shardings: how arguments and results are sharded over the mesh.
  ///   - donated: the arguments that the program may overwrite.
  /// - Throws: `RuntimeError.outOfMemory` for a program that does not fit into the devices' memory,
  ///   what the body throws, and the plugin's errors.
  public func compile(
    _ arguments: Named<TensorType>, shardings: Named<Sharding> = Named(),
    donating donated: (String) -> Bool = { _ in false },
    _ body: (Named<Tensor>) throws -> Named<Tensor>
  ) throws -> CompiledFunction {
    let function = try CompiledFunction(
      client, cache: cache, mesh: mesh, arguments, shardings: shardings, donating: donated, body)
    try checkFits(function)
    return function
  }

  /// Checks that a program fits into the memory of its devices, before anything is allocated.
  ///
  /// - Throws: `RuntimeError.outOfMemory`.
  package func checkFits(_ function: CompiledFunction) throws {
    let capacity = client.capacity(over: client.places(in: mesh).count)
    guard let needed = function.executable.memory, let capacity, needed.total > capacity else {
      return
    }
    throw RuntimeError.outOfMemory(needed: needed, device: capacity, message: nil)
  }

  /// Copies an array to the devices.
  ///
  /// - Parameter values: the elements, row-major.
  public func array<T: Element>(
    _ values: [T], shape: [Int], _ sharding: Sharding = .replicated
  ) throws -> ShardedArray {
    try ShardedArray(values, shape: Shape(shape), sharding, over: mesh, on: client)
  }

  /// Copies a host array to the devices.
  ///
  /// - Parameters:
  ///   - rows: the rows of a larger array that `array` holds; nil for all.
  ///   - count: the number of rows of that larger array.
  public func array(
    _ array: HostArray, _ sharding: Sharding = .replicated, rows: Range<Int>? = nil,
    of count: Int? = nil
  ) throws -> ShardedArray {
    var sizes = array.type.shape.sizes
    if let count { sizes[0] = count }
    let type = TensorType(Shape(sizes), array.type.dtype)
    var held = Region(whole: array.type.shape)
    if let rows {
      held = Region(start: [rows.lowerBound] + held.start.dropFirst(), sizes: held.sizes)
    }
    return try ShardedArray(
      type, sharding, mesh, places: client.places(in: mesh)
    ) { region, place in
      let local = BufferType(type.dtype, region.sizes)
      return try array.bytes.withUnsafeBytes { source in
        guard region != held else {
          return try client.buffer(bytes: source, local, on: client.devices[place])
        }
        return try region.bytes(of: held, source, width: type.dtype.byteCount).withUnsafeBytes {
          try client.buffer(bytes: $0, local, on: client.devices[place])
        }
      }
    }
  }
}
