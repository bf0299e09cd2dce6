import Layers
import Runtime
import Synchronization
import Tensors

/// One network's weights, which are on the devices only while they are needed.
///
/// It has a storage type of its own: what is stored narrowly stays so, and is widened where it is
/// computed with.
public final class Component: Sendable {
  /// Where the weights come from, for messages.
  public let path: String
  /// The parameters.
  public let specs: Named<ParameterSpec>

  private let read: @Sendable () throws -> Named<ShardedArray>
  private let loaded = Mutex<Named<ShardedArray>?>(nil)

  /// Makes a component whose weights are read when they are first asked for.
  package init(
    path: String, specs: Named<ParameterSpec>,
    read: @escaping @Sendable () throws -> Named<ShardedArray>
  ) {
    self.path = path
    self.specs = specs
    self.read = read
  }

  /// The weights, read where they are not on the devices.
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

  /// Lets go of the weights; their memory is free when nobody else holds them.
  public func release() { loaded.withLock { $0 = nil } }

  /// Whether the weights are on the devices.
  public var isLoaded: Bool { loaded.withLock { $0 != nil } }
}
