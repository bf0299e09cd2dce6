import Datasets
import Models
import Pipelines
import Runtime
import Tensors

/// What a run encodes before its first step, and what of it is in its cache.
public struct EncodingPlan: Sendable {
  /// The folder of the cache.
  public let cache: String
  /// The pictures, with reference images.
  public let pictures: Part
  /// The texts.
  public let texts: Part

  /// Pictures or texts, each counted once.
  public struct Part: Hashable, Sendable {
    /// The number of them.
    public internal(set) var count = 0
    /// Their bytes in the cache.
    public internal(set) var byteCount = 0
    /// How many of them are in the cache.
    public internal(set) var known = 0
  }

  /// Compares the data of a recipe with its cache; nil for data that are not encoded. Pictures are not
  /// decoded, and nothing is written.
  ///
  /// - Throws: the errors of the data and of the encoders, such as where they are not there.
  public init?(_ given: TrainingRecipe, on engine: Engine) throws {
    let recipe = try given.resolved(isPlan: true).recipe
    guard let data = recipe.encodedData else { return nil }
    let encoder = try DataEncoder(recipe, data, on: engine) { _ in }
    cache = recipe.encodingCache(in: recipe.output)
    (pictures, texts) = try encoder.plan(cache)
  }
}

extension DataEncoder {
  /// The pictures and the texts that are encoded.
  fileprivate func plan(
    _ path: String
  ) throws -> (pictures: EncodingPlan.Part, texts: EncodingPlan.Part) {
    let cache = try EncodingCache(path, of: pipeline, group: nil, isPlan: true)
    var (pictures, texts) = (EncodingPlan.Part(), EncodingPlan.Part())
    var seen: Set<EncodingKey> = []
    func note(
      _ key: EncodingKey, _ part: inout EncodingPlan.Part, _ store: EncodedStore,
      bytes: () throws -> Int
    ) rethrows {
      guard seen.insert(key).inserted else { return }
      part.count += 1
      part.byteCount += try bytes()
      if store.contains(key) { part.known += 1 }
    }
    // Pixels are kept in 8 bits.
    let width = pipeline.codec.autoencoder == nil ? 1 : DType.float32.byteCount
    let rows = TextRows(of: pipeline)
    func note(_ prompts: [String], _ references: [EncodingKey]) throws {
      // Classes are not encoded.
      for prompt in prompts where pipeline.classes == nil {
        try note(EncodingKey(text: prompt, references: references), &texts, cache.texts) {
          rows.byteCount(tokens: try tokenCount(prompt))
        }
      }
    }
    for number in 0..<samples.count {
      let identity = try samples.identity(number)
      if let picture = identity.picture {
        note(EncodingKey(picture: picture), &pictures, cache.pictures) {
          inputs.samples[samples.bucket(number)].shape.count * width
        }
      }
      let references = identity.references.map { EncodingKey(picture: $0) }
      for (image, key) in references.enumerated() {
        let spec = inputs.conditioner.inputs.first { $0.name == "reference.\(image)" }!
        note(key, &pictures, cache.pictures) { spec.shape.count * width }
      }
      try note([pipeline.kind.unconditional] + samples.prompts(number), references)
    }
    guard let rows = try gridRows() else { return (pictures, texts) }
    for (number, prompt) in rows.texts.enumerated() {
      try note(
        [prompt, pipeline.kind.negative],
        rows.references.isEmpty ? [] : rows.references[number].keys)
    }
    return (pictures, texts)
  }
}
