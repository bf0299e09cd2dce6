import Layers
import Tensors

/// A language model of Qwen's: a causal transformer with grouped heads and rotary positions.
///
/// Those of the second generation, to which Qwen2.5 belongs, have biases on queries, keys and values; those
/// of the third one norms of each head's queries and keys. `Qwen2Model` and `Qwen3Model` of transformers.
public struct Qwen<Generation: QwenGeneration>: TextEncoder {
  let config: QwenConfig<Generation>
  let decoder: DecoderStack

  /// Binds the network's weights.
  public init(_ scope: Scope, _ config: QwenConfig<Generation>) {
    self.config = config
    decoder = DecoderStack(scope, config) { scope in
      GroupedAttention(
        scope, width: config.width, heads: config.heads, bias: config.attentionBias,
        outputBias: Generation.hasOutputBias ? nil : false,
        normEpsilon: Generation.normalizesHeads ? config.epsilon : nil)
    }
  }

  /// Encodes tokens, see `TextEncoder`; the last of the numbered hidden states has passed the final norm.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor? = nil, hidden: [Int] = [], in dtype: DType = .float32
  ) -> TextEncoding {
    decoder.encoding(
      of: decoder.embedding(tokens).cast(to: dtype), config, valid: valid, hidden: hidden)
  }

  /// The last hidden states at learned queries that follow the tokens of each text.
  ///
  /// - Parameters:
  ///   - tokens: their ids, s32 `[batch, tokens]`, padded on the right.
  ///   - valid: bools `[batch, tokens]`, false for padding, which no query sees and which has no
  ///     position: the queries have those behind the text's last token.
  ///   - queries: the embeddings of the queries, `[count, width]`.
  ///   - dtype: the element type of the computation, as in `TextEncoder`.
  /// - Returns: `[batch, count, width]`.
  public func callAsFunction(
    _ tokens: Tensor, valid: Tensor, followedBy queries: Tensor, in dtype: DType = .float32
  ) -> Tensor {
    let (batch, length, count) = (tokens.shape[0], tokens.shape[1], queries.shape[0])
    precondition(
      queries.shape == [count, config.width],
      "queries \(queries.type) are not [count, \(config.width)]")
    let own = queries.cast(to: dtype).expanded([0])
      .broadcast(to: [batch, count, config.width])
    let texts = valid.cast(to: .int32)
    let positions = Tensor.concatenate(
      [
        .iota([batch, length], axis: 1, .int32),
        texts.sum([1]).expanded([1]) + Tensor.iota([batch, count], axis: 1, .int32),
      ], axis: 1)
    let all = Tensor.concatenate([texts, .ones([batch, count], .int32)], axis: 1).greater(0)
    let encoding = decoder.encoding(
      of: .concatenate([decoder.embedding(tokens).cast(to: dtype), own], axis: 1), config,
      valid: all,
      angles: positions.rotaryAngles(width: config.heads.width, base: config.theta))
    return encoding.last.slice(1, length..<length + count)
  }
}

/// The language model of InternVL3, the text encoder of OpenUni: Qwen Team, "Qwen2.5 technical report", 2024.
public typealias Qwen2 = Qwen<Qwen2Generation>

/// The text encoder of Z-Image: Qwen Team, "Qwen3 technical report", 2025.
public typealias Qwen3 = Qwen<Qwen3Generation>
