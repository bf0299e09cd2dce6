import Foundation
import Layers
import Tensors
import Weights

/// What a file of weights without a `config.json` holds, by the names and shapes of its arrays alone.
public enum RecognizedWeights: Sendable {
  /// A network, and the names of its parameters in the file.
  case network(ModelConfig, NameMap)
  /// Only the second time embedder of networks of a kind, and its names in the file.
  case targetEmbedder(any PublishedTransformer.Type, NameMap)

  /// Recognizes a checkpoint.
  ///
  /// - Parameters:
  ///   - arrays: the types of its arrays.
  ///   - base: the config of a network of the kind that it may be, for what shapes do not tell, such as
  ///     the sizes of rotary axes; without it these are as published.
  ///   - path: the file in messages.
  /// - Returns: nil for arrays of no known network.
  /// - Throws: `PublishedConfigError` for a known network of unknown sizes.
  public init?(
    _ arrays: Named<TensorType>, like base: ModelConfig? = nil, path: String
  ) throws(PublishedConfigError) {
    // Several kinds call their second time embedder the same: that of the base is meant.
    let own = base.map { ObjectIdentifier(type(of: $0.architecture)) }
    let first = Models.published.filter { ObjectIdentifier($0) == own }
    for kind in first + Models.published {
      if let names = Self.targetEmbedder(kind, arrays.names) {
        self = .targetEmbedder(kind, names)
        return
      }
      do {
        guard let found = try Self.network(kind, arrays, like: base?.architecture) else { continue }
        self = found
        return
      } catch {
        throw PublishedConfigError(path: path, reason: error.reason)
      }
    }
    return nil
  }

  private static func network<Config: PublishedTransformer>(
    _: Config.Type, _ arrays: Named<TensorType>, like base: (any Architecture)?
  ) throws(UnknownSizes) -> RecognizedWeights? {
    // Layouts do not depend on sizes, apart from those of patches.
    let base = base as? Config
    guard let names = (base ?? .defaults).layout(of: arrays.names) else { return nil }
    let config = try Config(CheckpointArrays(arrays, names), like: base).matching(arrays.names)
    do {
      // The checks of a `config.json`.
      _ = try JSONDecoder().decode(Config.self, from: JSONEncoder().encode(config))
    } catch {
      throw UnknownSizes("\(error)")
    }
    return .network(ModelConfig(config), config.layout(of: arrays.names) ?? names)
  }

  /// The names of a second time embedder in a file that holds nothing else.
  private static func targetEmbedder<Config: PublishedTransformer>(
    _: Config.Type, _ arrays: [String]
  ) -> NameMap? {
    var config = Config.defaults
    config.hasTargetTime = true
    let parameters = config.targetEmbedderSpecs.names
    return (config.layouts + Config.bareTargetEmbedder(parameters)).first { names in
      Set(arrays) == Set(parameters.map(names.diskName))
    }
  }
}

extension PublishedTransformer {
  /// The parameters of the second time embedder.
  public var targetEmbedderSpecs: Named<ParameterSpec> {
    declared(with: nil).filter { $0.hasPrefix(Self.targetEmbedder + ".") }
  }

  /// The layout of a second time embedder that was saved by itself, with the names that it has within.
  fileprivate static func bareTargetEmbedder(_ parameters: [String]) -> [NameMap] {
    [
      NameMap(
        parameters.map {
          .rename($0, to: String($0.dropFirst(targetEmbedder.count + 1)))
        })
    ]
  }
}
