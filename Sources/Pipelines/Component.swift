import Layers
import Runtime
import Synchronization
import Tensors

/// The weights of one network, which can be loaded onto the devices and released.
///
/// Weights stay in the element type that they are stored in, and are converted where they are used.
public final class Component: Sendable {
  /// The file of the weights, for messages.
  public let path: String
  /// All files of the weights.
  public let files: [String]
  /// The types of the weights on the devices, known before they are loaded.
  public let types: Named<TensorType>
  /// How the weights are sharded over the devices.
  public let shardings: Named<Sharding>

  private let read: @Sendable () throws -> Named<ShardedArray>
  private let loaded = Mutex<Named<ShardedArray>?>(nil)

  /// Makes a component whose weights are read on first use.
  package init(
    path: String, files: [String], types: Named<TensorType>, shardings: Named<Sharding>,
    read: @escaping @Sendable () throws -> Named<ShardedArray>
  ) {
    self.path = path
    self.files = files
    self.types = types
    self.shardings = shardings
    self.read = read
  }

  /// Makes a component whose weights are read now.
  package convenience init(
    path: String, files: [String],
    reading read: @escaping @Sendable () throws -> Named<ShardedArray>
  ) throws {
    let weights = try read()
    self.init(
      path: path, files: files, types: weights.types, shardings: weights.shardings, read: read)
    loaded.withLock { $0 = weights }
  }

  /// The weights on the devices, which are read if they are not loaded.
  ///
  /// - Throws: the errors of files and of the plugin.
  @discardableResult
  public func load() throws -> Named<ShardedArray> {
    try loaded.withLock { loaded in
      if let loaded { return loaded }
      let weights = try read()
      precondition(weights.types == types, "the weights of \(path) are not of the known types")
      loaded = weights
      return weights
    }
  }

  /// Releases the weights; their memory is freed with the last reference.
  public func release() { loaded.withLock { $0 = nil } }

  /// Whether the weights are on the devices.
  public var isLoaded: Bool { loaded.withLock { $0 != nil } }

  /// The bytes of the weights on all devices together, where they are not replicated.
  public var byteCount: Int { types.values.reduce(0) { $0 + $1.byteCount } }
}
