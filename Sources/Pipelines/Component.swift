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
  /// The parameters.
  public let specs: Named<ParameterSpec>

  private let read: @Sendable () throws -> Named<ShardedArray>
  private let loaded = Mutex<Named<ShardedArray>?>(nil)

  /// Makes a component whose weights are read on first use.
  package init(
    path: String, specs: Named<ParameterSpec>,
    read: @escaping @Sendable () throws -> Named<ShardedArray>
  ) {
    self.path = path
    self.specs = specs
    self.read = read
  }

  /// The weights on the devices, which are read if they are not loaded.
  ///
  /// - Throws: the errors of files and of the plugin.
  @discardableResult
  public func load() throws -> Named<ShardedArray> {
    try loaded.withLock { loaded in
      if let loaded { return loaded }
      let weights = try read()
      loaded = weights
      return weights
    }
  }

  /// Releases the weights; their memory is freed with the last reference.
  public func release() { loaded.withLock { $0 = nil } }

  /// Whether the weights are on the devices.
  public var isLoaded: Bool { loaded.withLock { $0 != nil } }
}
