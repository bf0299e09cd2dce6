import Models
import Tensors

/// The conditioner of a network that takes text, for features that its text encoder has computed before.
///
/// The conditional and the unconditional text have the same padded length, so that a batch of both can be
/// evaluated together. Reference images condition both.
public struct EncodedText: Conditioner {
  /// For each sample: the features `text` `[tokens, width]`, `text_mask`, the number of tokens before the
  /// padding, and where the encoders make such `pooled`, those of the whole text; the same below
  /// `unconditional.`; `reference.0`, `reference.1` …, latents
  /// `[height, width, channels]`.
  public let inputs: [InputSpec]

  private static let (text, mask) = ("text", "text_mask")
  private static let (unconditional, reference) = ("unconditional", "reference")

  /// Describes encoded text.
  ///
  /// - Parameters:
  ///   - tokens: the padded length.
  ///   - width: the features of a token.
  ///   - dtype: the element type of the features.
  ///   - pooled: the features of the whole text, nil for none.
  ///   - references: the shapes of the latents of reference images.
  public init(
    tokens: Int, width: Int, dtype: DType, pooled: Int? = nil, references: [Shape] = []
  ) {
    let texts =
      [InputSpec(Self.text, [tokens, width], dtype), InputSpec(Self.mask, [], .int32)]
      + [pooled].compactMap { $0.map { InputSpec(InputSpec.pooled, [$0], dtype) } }
    inputs =
      texts
      + texts.map { InputSpec("\(Self.unconditional).\($0.name)", $0.shape, $0.dtype) }
      + references.enumerated().map { InputSpec("\(Self.reference).\($0)", $1) }
  }

  /// The arrays of texts with their lengths, and of reference images.
  ///
  /// - Parameters:
  ///   - text: the arrays of the prompts.
  ///   - unconditional: those of the unconditional prompts.
  ///   - references: the latents of each reference image.
  public static func arrays(
    text: Named<HostArray>, unconditional: Named<HostArray>, references: [HostArray]
  ) -> Named<HostArray> {
    var arrays = text.merging(unconditional.prefixed(Self.unconditional))
    for (number, latents) in references.enumerated() {
      arrays["\(reference).\(number)"] = latents
    }
    return arrays
  }

  /// Prompts are not encoded here.
  ///
  /// - Throws: `PipelineError.takesText`.
  public func prepare(_ prompts: [Prompt]) throws -> Named<HostArray> {
    throw PipelineError.takesText(path: nil)
  }

  /// Accepts everything: the arrays come from the model's own encoders.
  public func check(_ arrays: Named<HostArray>, source: String) {}

  /// The features with their lengths, and the reference images.
  public func callAsFunction(_ arrays: Named<Tensor>) -> Named<Tensor> {
    arrays.filter { !$0.hasPrefix("\(Self.unconditional).") }
  }

  /// The features of the unconditional prompts with their lengths, and the same reference images.
  public func unconditional(_ arrays: Named<Tensor>) -> Named<Tensor> {
    arrays.group(Self.unconditional).merging(
      arrays.filter { $0.hasPrefix("\(Self.reference).") })
  }
}
