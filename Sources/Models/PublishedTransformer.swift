import Layers
import Recipe
import Tensors
import Weights

/// A transformer whose weights are published: in a model folder with a `config.json`, or in a single
/// file whose names and shapes say what it holds.
public protocol PublishedTransformer: StackedArchitecture {
  /// The names of the parameters in the kinds of checkpoints, diffusers' first, which are those in
  /// memory.
  var layouts: [NameMap] { get }

  /// Parameters that together only networks of this kind have, by which they and their layouts are
  /// recognized; `*` stands for a layer's number.
  static var landmarks: [String] { get }

  /// The leading components of the second time embedder's parameters, which the published base networks
  /// do not have.
  static var targetEmbedder: String { get }

  /// diffusers' class of the network without target times.
  static var className: String { get }

  /// The height and width of the patches of latents that become tokens.
  var patch: Int { get }

  /// The largest height and width of latents, nil for any.
  var largestSide: Int? { get }

  /// The number of blocks that guidance can leave out, see `LayerSkippingModel`; 0 for networks that it
  /// cannot do without any.
  var skippableLayers: Int { get }

  /// Whether there is a second time embedder.
  var hasTargetTime: Bool { get set }

  /// This config with a second time embedder as training needs it.
  var withTargetTimes: Self { get }

  /// Another config with the target times of this one.
  func targetTimes(on other: Self) -> Self

  /// The config that the shapes of a checkpoint's arrays imply.
  ///
  /// - Parameters:
  ///   - arrays: the arrays of a checkpoint.
  ///   - base: a config with what shapes do not tell; without it that is as published.
  /// - Throws: `UnknownSizes` for arrays that cannot be such a network's.
  init(_ arrays: CheckpointArrays, like base: Self?) throws(UnknownSizes)

  /// Whether an array of a checkpoint is a mark for other programs instead of a parameter.
  func ignores(_ array: String) -> Bool
}

extension PublishedTransformer {
  /// By default latents have any size.
  public var largestSide: Int? { nil }

  /// By default no block can be left out.
  public var skippableLayers: Int { 0 }

  /// By default a network has them or not.
  public var withTargetTimes: Self {
    var config = self
    config.hasTargetTime = true
    return config
  }

  /// By default a network has them or not.
  public func targetTimes(on other: Self) -> Self {
    var config = other
    config.hasTargetTime = hasTargetTime
    return config
  }

  /// The default names of the parameters on disk.
  public var names: NameMap { layouts[0] }

  /// The names of the parameters in a checkpoint with these arrays; nil for one of another network.
  public func layout(of arrays: [String]) -> NameMap? {
    let found = Set(arrays)
    let fitting = layouts.filter { names in
      Self.landmarks.allSatisfy { found.contains(NameMap.numbered(names.diskName(of: $0), 0)) }
    }
    return fitting.first { Self.hasTargetEmbedder(arrays, $0) } ?? fitting.first
  }

  /// Whether a checkpoint with these arrays has a second time embedder.
  private static func hasTargetEmbedder(_ arrays: [String], _ names: NameMap) -> Bool {
    let name = names.diskName(of: targetEmbedder) + "."
    return arrays.contains { $0.hasPrefix(name) }
  }

  /// This config with a second time embedder if a checkpoint with these arrays has one: the classes in
  /// published `config.json`s do not always say so.
  public func matching(_ arrays: [String]) -> Self {
    guard !hasTargetTime, Self.hasTargetEmbedder(arrays, layout(of: arrays) ?? names) else {
      return self
    }
    var config = self
    config.hasTargetTime = true
    return config
  }
}

extension NameMap {
  /// Layouts of checkpoints: each as it is, and below the name that ComfyUI's files have before all
  /// others; and these with another name of a part, as in files that TwinFlow's users have made.
  static func published(_ layouts: [NameMap], renaming part: String, to name: String) -> [NameMap] {
    let all = layouts + layouts.map { $0.prefixed("model.diffusion_model.") }
    return all
      + all.map { names in
        NameMap([.rename(part, to: name)] + names.rules).prefixed(names.prefix)
      }
  }

  private func prefixed(_ prefix: String) -> NameMap {
    var names = self
    names.prefix = prefix
    return names
  }
}

extension ModelConfig {
  /// The names of the parameters in a checkpoint with these arrays: one of the published layouts where
  /// the network has such.
  public func names(in arrays: [String]) -> NameMap {
    (architecture as? any PublishedTransformer)?.layout(of: arrays) ?? names
  }

  /// Whether an array of a checkpoint does not belong to the network.
  public func ignores(_ array: String) -> Bool {
    (architecture as? any PublishedTransformer)?.ignores(array) ?? false
  }

  /// This network with a second time embedder if a checkpoint with these arrays has one, see
  /// `PublishedTransformer.matching`.
  public func matching(_ arrays: [String]) -> ModelConfig {
    (architecture as? any PublishedTransformer).map { ModelConfig($0.matching(arrays)) } ?? self
  }

  /// How to start training from a checkpoint, see `Architecture.warmStart`.
  ///
  /// - Parameter arrays: the names of its arrays.
  public func warmStart(from arrays: [String]) -> WarmStart {
    architecture.warmStart(from: arrays, names: names(in: arrays))
  }
}

/// The arrays of a checkpoint in one layout, by their names in memory.
public struct CheckpointArrays {
  private let types: Named<TensorType>
  private let names: NameMap

  init(_ types: Named<TensorType>, _ names: NameMap) { (self.types, self.names) = (types, names) }

  /// The names of the arrays on disk.
  var diskNames: [String] { types.names }

  /// The shape of an array that is neither split nor joined, nil where there is none; `*` stands for
  /// layer 0.
  func shape(_ name: String) -> [Int]? {
    types[NameMap.numbered(names.diskName(of: name), 0)]?.shape.sizes
  }

  /// The shape of an array of one layer, whose name has `*`; nil where there is none.
  func shape(_ name: String, layer: Int) -> [Int]? {
    types[NameMap.numbered(names.diskName(of: name), layer)]?.shape.sizes
  }

  /// The shape of an array.
  ///
  /// - Throws: `UnknownSizes` where it is missing or has another number of axes.
  func shape(_ name: String, axes: Int) throws(UnknownSizes) -> [Int] {
    let disk = NameMap.numbered(names.diskName(of: name), 0)
    guard let shape = shape(name) else { throw UnknownSizes("it has no \(disk)") }
    guard shape.count == axes, shape.allSatisfy({ $0 > 0 }) else {
      throw UnknownSizes("its \(disk) is \(shape), and \(axes) axes were expected")
    }
    return shape
  }

  /// The number of layers that have an array whose name has `*`.
  ///
  /// - Throws: `UnknownSizes` where there are none.
  func layers(_ name: String) throws(UnknownSizes) -> Int {
    let disk = names.diskName(of: name)
    var count = 0
    while types[NameMap.numbered(disk, count)] != nil { count += 1 }
    guard count > 0 else { throw UnknownSizes("it has no \(NameMap.numbered(disk, 0))") }
    return count
  }
}

/// Why the arrays of a checkpoint do not tell the config of a network.
public struct UnknownSizes: Error, Equatable {
  /// What was found and what was expected.
  let reason: String

  init(_ reason: String) { self.reason = reason }
}
