import Tensors

/// A device with a cache of compiled programs: what everything that computes is given.
public struct Engine: Sendable {
  /// The plugin's client.
  public let client: Client
  /// Where compiled programs are kept.
  public let cache: ExecutableCache

  init(client: Client, cache: ExecutableCache) {
    self.client = client
    self.cache = cache
  }

  /// Opens the plugin at a path, or the one that is found, see `Plugin.load`.
  ///
  /// - Parameter kernels: whether programs for a CPU use this project's kernels.
  public init(plugin: String? = nil, kernels: Bool = true) throws {
    client = try Client(Plugin.load(plugin), kernels: kernels)
    cache = ExecutableCache()
  }

  /// Compiles a function of named tensors, or takes it from the cache.
  public func compile(
    _ arguments: Named<TensorType>, donating donated: (String) -> Bool = { _ in false },
    _ body: (Named<Tensor>) throws -> Named<Tensor>
  ) throws -> CompiledFunction {
    try CompiledFunction(client, cache: cache, arguments, donating: donated, body)
  }
}

extension Named<Buffer> {
  /// The types of the buffers.
  public var types: Named<TensorType> { mapValues { TensorType($0.type) } }
}
