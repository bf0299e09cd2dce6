import Tensors

/// The windows of local attention in the layers of a stack, for sequences of a length.
///
/// Where all layers see the same keys, the window is part of the program. Where they differ, each layer
/// gets its window as a value, so that one loop runs all of them.
public struct LayerWindows {
  private let windows: [Int?]
  private let tokens: Int

  /// Makes the windows of all layers, nil for a layer that sees the whole sequence.
  ///
  /// - Parameter tokens: the length of the sequences; a window that is no shorter makes no difference.
  public init(_ windows: [Int?], tokens: Int) {
    self.windows = windows.map { window in window.flatMap { $0 < tokens ? $0 : nil } }
    self.tokens = tokens
  }

  /// What each layer gets, for `Stack.outputs`: s32 `[layers]` where they differ.
  public var perLayer: [Tensor] {
    guard Set(windows).count > 1 else { return [] }
    return [.constant(windows.map { Int32($0 ?? tokens) }, shape: [windows.count])]
  }

  /// A layer's options of attention, with its window.
  ///
  /// - Parameter own: what the layer was given of `perLayer`.
  public func applied(to options: AttentionOptions, _ own: [Tensor]) -> AttentionOptions {
    var options = options
    guard let window = own.first else {
      options.window = windows.first ?? nil
      return options
    }
    let query = Tensor.iota([tokens, tokens], axis: 0, .int32)
    let distance = (query - .iota([tokens, tokens], axis: 1, .int32)).abs()
    options.mask = options.mask & .full(distance.less(window))
    return options
  }
}
