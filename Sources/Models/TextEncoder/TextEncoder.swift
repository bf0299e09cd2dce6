import Layers
import Tensors
import Weights

/// A network that encodes the tokens of prompts, to condition an image network.
public protocol TextEncoder {
  /// The type of its `config.json`.
  associatedtype Config: TextEncoderConfig

  /// Binds the network's weights.
  init(_ scope: Scope, _ config: Config)

  /// Encodes tokens.
  ///
  /// - Parameters:
  ///   - tokens: their ids, s32 `[batch, tokens]`, each below the size of the vocabulary.
  ///   - valid: bools `[batch, tokens]`, false for padding, which no token sees; nil for no padding.
  ///     Hidden states at padding are undefined.
  ///   - hidden: the hidden states to return besides the last: 0 for the embeddings, k after layer
  ///     k, with the same exceptions as in transformers.
  ///   - dtype: the element type of the computation; norms and softmax are computed in f32 or
  ///     wider.
  func callAsFunction(
    _ tokens: Tensor, valid: Tensor?, hidden: [Int], in dtype: DType
  ) -> TextEncoding
}

/// The result of a text encoder.
public struct TextEncoding {
  /// The last hidden state, after the final norm, `[batch, tokens, width]`.
  public let last: Tensor
  /// The requested hidden states by their numbers, of the same shape.
  public let hidden: [Int: Tensor]
  /// The last hidden state at the token that ends the text, `[batch, width]`; nil for networks that
  /// are trained without one.
  public let pooled: Tensor?
  /// The projection of `pooled`, `[batch, projection]`; nil for networks without one.
  public let projected: Tensor?

  init(
    last: Tensor, hidden: [Int: Tensor], pooled: Tensor? = nil, projected: Tensor? = nil
  ) {
    (self.last, self.hidden) = (last, hidden)
    (self.pooled, self.projected) = (pooled, projected)
  }
}

/// The `config.json` of a text encoder.
public protocol TextEncoderConfig: Codable, Hashable, Sendable {
  /// The number of layers.
  var depth: Int { get }
  /// The number of features of a token.
  var width: Int { get }
  /// The number of token ids.
  var vocabulary: Int { get }
  /// The longest sequence, nil for any length.
  var longest: Int? { get }
  /// The names of the parameters in the kinds of checkpoints, the usual kind first. In memory they
  /// have the names of the first, with `*` for the number of a layer.
  var layouts: [NameMap] { get }
  /// The embedding of the tokens, by which layouts are recognized.
  static var embedding: String { get }

  /// Whether an array of a checkpoint does not belong to the encoder: the rest of a larger network
  /// that was saved with it, or a table that is computed here.
  func ignores(_ array: String) -> Bool
}

extension TextEncoderConfig {
  /// The default names of the parameters on disk.
  public var names: NameMap { layouts[0] }

  /// The names of the parameters in a checkpoint with these arrays.
  public func names(in arrays: [String]) -> NameMap {
    layouts.first { arrays.contains($0.diskName(of: Self.embedding)) } ?? names
  }
}

extension Stack {
  /// Hidden states as transformers numbers them, and the value after the last layer.
  ///
  /// The stack is executed from one of them to the next; layers after the last one that is used are
  /// not part of the program.
  ///
  /// - Parameters:
  ///   - numbers: the states; 0 is the value before the first layer, k that after layer k.
  ///   - perLayer: see `outputs`.
  func states(
    _ x: Tensor, _ numbers: [Int], perLayer: [Tensor] = [],
    _ apply: (Layer, Tensor, _ own: [Tensor]) -> Tensor
  ) -> (last: Tensor, hidden: [Int: Tensor]) {
    precondition(
      numbers.allSatisfy((0...count).contains), "hidden states \(numbers) of \(count) layers")
    var (state, hidden, done) = (x, [Int: Tensor](), 0)
    for number in Set(numbers + [count]).sorted() {
      state =
        outputs([state], perLayer: perLayer, layers: done..<number) {
          [apply($0, $1[0], $2)]
        }.last[0]
      done = number
      if numbers.contains(number) { hidden[number] = state }
    }
    return (state, hidden)
  }
}
