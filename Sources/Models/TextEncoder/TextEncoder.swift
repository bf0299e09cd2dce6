import Layers
import Tensors
import Weights

/// A network that turns the tokens of prompts into what an image network is conditioned on.
public protocol TextEncoder {
  /// What its `config.json` says.
  associatedtype Config: TextEncoderConfig

  /// Binds the network's weights.
  init(_ scope: Scope, _ config: Config)

  /// Encodes tokens.
  ///
  /// - Parameters:
  ///   - tokens: their ids, s32 `[batch, tokens]`, each below the size of the vocabulary.
  ///   - valid: bools `[batch, tokens]`, false for padding, which no token sees; nil for no padding.
  ///     Hidden states at padding mean nothing.
  ///   - hidden: the hidden states that are wanted beside the last: 0 for the embeddings, k after
  ///     layer k, with the exceptions that transformers makes.
  ///   - dtype: the element type of the computation; norms and softmax are computed in f32 at least.
  func callAsFunction(
    _ tokens: Tensor, valid: Tensor?, hidden: [Int], in dtype: DType
  ) -> TextEncoding
}

/// What a text encoder makes of tokens.
public struct TextEncoding {
  /// The last hidden state, after the final norm, `[batch, tokens, width]`.
  public let last: Tensor
  /// The other hidden states that were asked for, by their numbers; as `last`.
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

/// What the `config.json` of a text encoder says.
public protocol TextEncoderConfig: Codable, Hashable, Sendable {
  /// The number of layers.
  var depth: Int { get }
  /// The number of token ids.
  var vocabulary: Int { get }
  /// The longest sequence, nil for any length.
  var longest: Int? { get }
  /// How its checkpoints name the parameters, the usual one first. In memory they have the names of
  /// the first, with `*` for the number of a layer.
  var layouts: [NameMap] { get }
  /// The embedding of the tokens, which tells layouts apart.
  static var embedding: String { get }

  /// Whether an array of a checkpoint is none of the encoder's: the rest of a larger network that was
  /// saved with it, or a table that is computed anew.
  func ignores(_ array: String) -> Bool
}

extension TextEncoderConfig {
  /// How the parameters are named on disk where nothing else is said.
  public var names: NameMap { layouts[0] }

  /// How a checkpoint with these arrays names the parameters.
  public func names(in arrays: [String]) -> NameMap {
    layouts.first { arrays.contains($0.diskName(of: Self.embedding)) } ?? names
  }
}

extension Stack {
  /// Hidden states as transformers numbers them, and the value after the last layer.
  ///
  /// The stack is run from one of them to the next: layers behind the last one that is used are not part
  /// of the program.
  ///
  /// - Parameters:
  ///   - numbers: which states; 0 is the value before the first layer, k that after layer k.
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
