import Layers
import Tensors

/// The map of a language model from its last hidden states to the logits of the next token.
public struct LanguageModelHead {
  let map: LinearMap

  /// Binds the map's matrix, `lm_head.weight` `[vocabulary, width]`.
  public init(_ scope: Scope, width: Int, vocabulary: Int) {
    map = scope.linear("lm_head", width, vocabulary, bias: false, from: .embed)
  }

  /// Hidden states `[…, width]` after the final norm to logits `[…, vocabulary]`, in f32 at least.
  public func callAsFunction(_ states: Tensor) -> Tensor { map(states).wide }
}
