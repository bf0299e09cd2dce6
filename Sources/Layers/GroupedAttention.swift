import Tensors

/// Self-attention of language models: any number of heads for keys and values that divides that of the
/// queries, and heads of any width.
///
/// Unlike `SelfAttention` its maps are not fused: encoders are only applied, and joining weights on every
/// call costs more than it saves.
public struct GroupedAttention {
  /// What the maps are called in a checkpoint.
  public struct Names: Sendable {
    let (queries, keys, values, output): (String, String, String, String)

    /// Makes names.
    public init(queries: String, keys: String, values: String, output: String) {
      (self.queries, self.keys, self.values, self.output) = (queries, keys, values, output)
    }

    /// Those of Llama, Qwen and Gemma.
    public static let llama = Names(
      queries: "q_proj", keys: "k_proj", values: "v_proj", output: "o_proj")
  }

  /// The numbers of heads and their width.
  public struct Heads: Hashable, Sendable {
    /// The heads of the queries.
    public let queries: Int
    /// The heads of the keys and of the values; a divisor of those of the queries.
    public let keys: Int
    /// The features of a head.
    public let width: Int

    /// Makes numbers of heads; without `keys` there are as many as of the queries.
    public init(_ queries: Int, keys: Int? = nil, width: Int) {
      (self.queries, self.keys, self.width) = (queries, keys ?? queries, width)
      precondition(queries % self.keys == 0, "\(queries) heads of queries, \(self.keys) of keys")
    }
  }

  let queries: LinearMap
  let keys: LinearMap
  let values: LinearMap
  let output: LinearMap
  let queryNorm: RMSNorm?
  let keyNorm: RMSNorm?
  let heads: Heads

  /// Makes attention over `width` features.
  ///
  /// - Parameters:
  ///   - bias: whether the maps to queries, keys and values have one.
  ///   - outputBias: whether the map of the output has one; nil for as the others.
  ///   - normEpsilon: that of norms of each head's queries and keys, `q_norm` and `k_norm`; nil for none.
  public init(
    _ scope: Scope, width: Int, heads: Heads, names: Names = .llama, bias: Bool = false,
    outputBias: Bool? = nil, normEpsilon: Double? = nil
  ) {
    let (inner, shared) = (heads.queries * heads.width, heads.keys * heads.width)
    func map(_ name: String, _ size: Int) -> LinearMap {
      scope.linear(name, width, size, bias: bias, from: .embed, to: .heads)
    }
    queries = map(names.queries, inner)
    keys = map(names.keys, shared)
    values = map(names.values, shared)
    output = scope.linear(
      names.output, inner, width, bias: outputBias ?? bias, from: .heads, to: .embed)
    queryNorm = normEpsilon.map { RMSNorm(scope / "q_norm", heads.width, epsilon: $0) }
    keyNorm = normEpsilon.map { RMSNorm(scope / "k_norm", heads.width, epsilon: $0) }
    self.heads = heads
  }

  /// `[batch, tokens, width]` to the same shape.
  ///
  /// - Parameter rotary: turns queries and keys by their positions.
  public func callAsFunction(
    _ x: Tensor, _ options: AttentionOptions = AttentionOptions(), rotary: Rotary? = nil
  ) -> Tensor {
    self(x, options, rotary: rotary, after: nil).output
  }

  /// The keys and values of tokens, each `[batch, tokens, key heads, width]`.
  public struct KeyValues {
    /// The keys, turned by their positions.
    public let keys: Tensor
    /// The values.
    public let values: Tensor

    /// Holds keys and values.
    public init(keys: Tensor, values: Tensor) { (self.keys, self.values) = (keys, values) }
  }

  /// `[batch, tokens, width]` to the same shape, and the keys and values of these tokens.
  ///
  /// - Parameters:
  ///   - rotary: turns queries and keys by their positions.
  ///   - earlier: the keys and values of the tokens before, which queries see too; nil for none. The mask
  ///     of the options is over all of them.
  public func callAsFunction(
    _ x: Tensor, _ options: AttentionOptions, rotary: Rotary?, after earlier: KeyValues?
  ) -> (output: Tensor, own: KeyValues) {
    func split(_ map: LinearMap, _ count: Int) -> Tensor {
      map(x).reshape([x.shape[0], x.shape[1], count, heads.width])
        .sharded(.batch, nil, .heads)
    }
    var (q, k) = (split(queries, heads.queries), split(keys, heads.keys))
    if let queryNorm, let keyNorm { (q, k) = (queryNorm(q), keyNorm(k)) }
    if let rotary { (q, k) = (rotary(q), rotary(k)) }
    let own = KeyValues(keys: k, values: split(values, heads.keys))
    func all(_ part: KeyPath<KeyValues, Tensor>) -> Tensor {
      guard let earlier else { return own[keyPath: part] }
      return .concatenate([earlier[keyPath: part], own[keyPath: part]], axis: 1)
    }
    let mixed = q.attention(keys: all(\.keys), values: all(\.values), options)
    return (output(mixed.reshape([x.shape[0], x.shape[1], -1])), own)
  }
}
