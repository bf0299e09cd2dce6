import Tensors

/// What a vision tower makes of images.
public struct VisionFeatures {
  /// The embeddings of the merged patches of all images, `[rows, width]`.
  public let embeddings: Tensor
  /// For each of the first layers of the language model what is added to the merged patches after it, of the
  /// same shape: Meng and others, "DeepStack", 2024. Only Qwen3-VL has some.
  public let deep: [Tensor]

  /// Holds features.
  public init(embeddings: Tensor, deep: [Tensor] = []) {
    (self.embeddings, self.deep) = (embeddings, deep)
  }
}

/// Images in prompts.
public struct ImageEmbeddings {
  let features: VisionFeatures
  let rows: Tensor

  /// Places the features of images at their tokens.
  ///
  /// - Parameters:
  ///   - features: what a vision tower made of them.
  ///   - rows: s32 `[batch, tokens]`, the row of each image token, negative for the tokens of text.
  public init(_ features: VisionFeatures, rows: Tensor) {
    (self.features, self.rows) = (features, rows)
  }

  /// The embeddings at the tokens of images, and a value `[batch, tokens, width]` at those of text.
  func embeddings(otherwise x: Tensor) -> Tensor { placed(features.embeddings, otherwise: x) }

  /// What is added after a layer, 0 at the tokens of text.
  func deep(_ layer: Int, like x: Tensor) -> Tensor {
    placed(features.deep[layer], otherwise: x.zerosLike)
  }

  private func placed(_ values: Tensor, otherwise x: Tensor) -> Tensor {
    precondition(
      rows.shape.sizes == Array(x.shape.sizes.dropLast()) && values.shape[-1] == x.shape[-1],
      "images \(values.type) at \(rows.type) do not fit tokens \(x.type)")
    let isImage = rows.greaterOrEqual(rows.zerosLike).expanded([2])
    return isImage.broadcast(to: x.shape).select(values.cast(to: x.dtype).take(rows), x)
  }
}
