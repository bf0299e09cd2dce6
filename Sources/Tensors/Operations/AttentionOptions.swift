/// The scale, mask, bias, window and soft cap of attention.
///
/// The scores are `softCap(scale · q·k) + bias`; keys hidden by the mask or the window are excluded
/// from the softmax. The output of a query that sees no key is 0, and so are its gradients.
///
/// With as many queries as keys, a query's position is its index. Otherwise the last query has the
/// position of the last key, as when queries continue a sequence whose keys are cached.
public struct AttentionOptions: Sendable {
  /// The factor of the dot products; nil for 1/√width.
  public var scale: Double?
  /// Which keys a query sees.
  public var mask: AttentionMask
  /// A tensor of finite floats that broadcasts to `[batch, heads, queries, keys]` and is added to the
  /// scores, such as a relative position bias; it has a gradient.
  public var bias: Tensor?
  /// Local attention: a query at position i sees keys at positions j with |i − j| < window, and under
  /// a causal mask the last `window` keys up to its own.
  public var window: Int?
  /// A bound c of the scaled dot products s, which become c·tanh(s/c): Gemma Team, "Gemma 2", 2024.
  public var softCap: Double?

  /// Makes options.
  public init(
    scale: Double? = nil, mask: AttentionMask = .none, bias: Tensor? = nil, window: Int? = nil,
    softCap: Double? = nil
  ) {
    precondition(window.map { $0 > 0 } ?? true, "a window has at least one key")
    precondition(softCap.map { $0 > 0 } ?? true, "a soft cap is positive")
    self.scale = scale
    self.mask = mask
    self.bias = bias
    self.window = window
    self.softCap = softCap
  }
}

/// Which keys a query sees.
public struct AttentionMask: Sendable {
  /// Whether a query sees no key after its own position.
  var isCausal = false
  /// The number of valid keys of each sample, s32 `[batch]`.
  var lengths: Tensor?
  /// Bools with four axes that broadcast to `[batch, heads, queries, keys]`.
  var visible: Tensor?

  /// Every key.
  public static let none = AttentionMask()

  /// No key after the query's own position.
  public static let causal = AttentionMask(isCausal: true)

  /// The valid keys: bools `[batch, keys]`, or integers `[batch]`, the number of valid keys at the
  /// start of each sample.
  public static func keys(_ valid: Tensor) -> AttentionMask {
    if valid.dtype == .bool {
      precondition(valid.rank == 2, "valid keys are [batch, keys], not \(valid.type)")
      return AttentionMask(visible: valid.expanded([1, 2]))
    }
    precondition(
      valid.rank == 1 && valid.dtype.isInteger,
      "valid keys are bools [batch, keys] or integers [batch], not \(valid.type)")
    return AttentionMask(lengths: valid.cast(to: .int32))
  }

  /// Bools that broadcast to `[batch, heads, queries, keys]`, true where a query sees a key.
  public static func full(_ visible: Tensor) -> AttentionMask {
    precondition(
      visible.dtype == .bool && visible.rank <= 4,
      "a full mask is bools [batch, heads, queries, keys], not \(visible.type)")
    return AttentionMask(visible: visible.expanded(Array(0..<4 - visible.rank)))
  }

  /// The keys that both masks show.
  public static func & (a: AttentionMask, b: AttentionMask) -> AttentionMask {
    func both(_ a: Tensor?, _ b: Tensor?, _ combine: (Tensor, Tensor) -> Tensor) -> Tensor? {
      guard let a, let b else { return a ?? b }
      return combine(a, b)
    }
    return AttentionMask(
      isCausal: a.isCausal || b.isCausal,
      lengths: both(a.lengths, b.lengths) { $0.minimum($1) },
      visible: both(a.visible, b.visible) { $0 & $1 })
  }
}

extension Tensor {
  /// Scaled dot-product attention with this tensor as the queries.
  ///
  /// The softmax is computed in f32 or wider.
  ///
  /// - Parameters:
  ///   - keys: `[batch, keys, heads, width]`, for queries `[batch, queries, heads, width]`;
  ///     with fewer heads than the queries, consecutive query heads share one: Ainslie and others,
  ///     "GQA", 2023.
  ///   - values: of the keys' shape.
  /// - Returns: `[batch, queries, heads, width]`.
  public func attention(
    keys: Tensor, values: Tensor, _ options: AttentionOptions = AttentionOptions()
  ) -> Tensor {
    Attention.apply([self, keys, values], options, width: shape[-1])
  }

  /// Scaled dot-product self-attention.
  ///
  /// This tensor holds queries, keys and values, packed as `[batch, tokens, 3, heads, width]`.
  ///
  /// - Returns: `[batch, tokens, heads, width]`.
  public func selfAttention(_ options: AttentionOptions = AttentionOptions()) -> Tensor {
    Attention.apply([self], options, width: shape[-1])
  }
}

extension Attention {
  /// The output of attention to one packed tensor or to queries, keys and values.
  fileprivate static func apply(
    _ inputs: [Tensor], _ options: AttentionOptions, width: Int
  ) -> Tensor {
    let mask = options.mask
    let bias = options.bias.map { $0.expanded(Array(0..<4 - $0.rank)) }
    let operation = Attention(
      isPacked: inputs.count == 1, scale: options.scale ?? 1 / Double(width).squareRoot(),
      softCap: options.softCap,
      before: options.window.map { $0 - 1 },
      after: mask.isCausal ? 0 : options.window.map { $0 - 1 },
      hasLengths: mask.lengths != nil, hasMask: mask.visible != nil, hasBias: bias != nil)
    let given = [mask.lengths, mask.visible, bias].compactMap(\.self)
    return Node(operation, inputs + given).tensors[0]
  }
}
