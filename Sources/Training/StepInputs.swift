import Datasets
import Models
import Pipelines
import Recipe
import Tensors

/// What a training step takes of each sample of the data.
struct StepInputs: Sendable {
  /// The sample that is noised, in each bucket of the data.
  let samples: [InputSpec]
  /// The conditioner of the network's conditions.
  let conditioner: any Conditioner
  /// The arrays of a batch. Without data the sample is not among them.
  let arrays: [InputSpec]

  /// The sample that is noised, in the first bucket.
  var sample: InputSpec { samples[0] }

  /// The name of the weights of a sample's elements in the loss.
  static let mask = "mask"

  /// The weights of a sample's elements in the loss, one for each place.
  static func mask(of sample: InputSpec) -> InputSpec {
    InputSpec(mask, Shape(Array(sample.shape.sizes.dropLast()) + [1]))
  }

  /// The number of pixels on a side that become one latent in the published autoencoders of the networks
  /// that take text.
  static let publishedReduction = 8

  /// The inputs by a recipe alone.
  ///
  /// - Parameters:
  ///   - reduction: the number of pixels on a side that become one latent; nil for that of the published
  ///     autoencoders, or 1 for networks that work on pixels.
  ///   - textTokens: the padded length of texts; nil for the recipe's, or that of the longest text that
  ///     the network takes.
  /// - Throws: an error that names the key, for a size that the network does not take.
  init(
    _ recipe: TrainingRecipe, reduction: Int? = nil, textTokens: Int? = nil
  ) throws {
    let reduction = reduction ?? (recipe.model.worksOnLatents ? Self.publishedReduction : 1)
    guard let data = recipe.encodedData else {
      guard let data = recipe.data.arrayDataSet else {
        preconditionFailure("data are arrays, or pictures and texts that are encoded")
      }
      conditioner = recipe.model.conditioner
      let names =
        recipe.model.supervised.map { $0.inputs(nil).map(\.name) } ?? conditioner.inputs.map(\.name)
      samples = [data.arrays[0]]
      arrays = samples + data.arrays.dropFirst().filter { names.contains($0.name) }
      return
    }
    let (channels, multiple) = (recipe.model.sampleShape()[2], reduction * recipe.model.patch)
    func latent(_ size: [Int]) throws -> Shape {
      guard size.allSatisfy({ $0 % multiple == 0 }) else {
        throw recipe.invalid(
          \.data, found: "\(size)",
          "heights and widths of this model's pictures are multiples of \(multiple)")
      }
      // A recipe alone is checked without the autoencoder's reduction.
      let isWhole = reduction > 1 || !recipe.model.worksOnLatents
      if isWhole, let largest = recipe.model.largestSide,
        size.contains(where: { $0 > largest * reduction })
      {
        throw recipe.invalid(
          \.data, found: "\(size)",
          "this model's pictures have at most \(largest * reduction) pixels on a side")
      }
      return [size[0] / reduction, size[1] / reduction, channels]
    }
    samples = try data.sizes.map { .sample(try latent($0)) }
    if let text = recipe.model.text {
      let references = try latent(data.referenceSize)
      conditioner = EncodedText(
        tokens: textTokens ?? data.textTokens ?? text.shape[0], width: text.shape[1],
        dtype: recipe.precision.dtype, pooled: recipe.model.pooledText?.shape[0],
        references: [Shape](repeating: references, count: data.references))
    } else {
      conditioner = recipe.model.conditioner
    }
    arrays =
      (data.hasPictures ? [samples[0]] : []) + (data.masks ? [Self.mask(of: samples[0])] : [])
      + conditioner.inputs
  }

  /// The types of a batch.
  func types(batch: Int) -> Named<TensorType> {
    Named(arrays.map { ($0.name, $0.type(batch: batch)) })
  }
}
