import Datasets
import Models
import Pictures
import Pipelines
import Runtime
import Tensors

/// The prompts of sample grids as a network takes them, and the reference images beside them.
struct GridPrompts {
  /// The prompts.
  let texts: [String]
  /// The first reference image of each prompt; empty without.
  let references: [Picture]
  /// The conditions, a row for each prompt.
  let given: Named<HostArray>
  /// The conditions that guidance leads away from.
  let unconditional: Named<HostArray>

  /// The number of prompts that are taken from the data where the recipe names none.
  private static let standard = 4

  /// Encodes the prompts of a recipe, or the first ones of the data. The weights of the encoders are
  /// loaded for it, and released.
  ///
  /// - Throws: the errors of pictures, weights and the plugin.
  init(
    _ recipe: TrainingRecipe, _ samples: any PromptSamples, _ pipeline: ImagePipeline
  ) throws {
    var images: [[RGBImage]] = []
    if recipe.samplePrompts.isEmpty {
      (texts, images) = try Self.first(samples, seesImages: pipeline.kind.references != nil)
    } else {
      texts = recipe.samplePrompts
    }
    references = images.compactMap { $0.first?.picture }
    var rows: [(text: Encoded, negative: Encoded)] = []
    var latents: [[HostArray]] = []
    for (row, text) in texts.enumerated() {
      let own = images.isEmpty ? [] : images[row]
      let references = own.isEmpty ? .none : try pipeline.references(own)
      let embeddings = try pipeline.embeddings(references)
      func encoded(_ prompt: String) throws -> Encoded {
        let tokens = try pipeline.tokens([prompt], grids: references.grids)
        let features = try pipeline.features(tokens, images: embeddings)
        let array = features.condition["text"]!
        return Encoded(type: array.type, bytes: try array.bytes(), count: features.counts[0])
      }
      rows.append((try encoded(text), try encoded(pipeline.kind.negative)))
      latents.append(
        try references.images.map { image in
          let array = try pipeline.latents(image)
          return HostArray(array.type, bytes: try array.bytes())
        })
    }
    pipeline.encoder.vision?.component.release()
    pipeline.encoder.component.release()
    pipeline.codec.release()
    var shared = Named<HostArray>()
    for number in latents[0].indices {
      let type = latents[0][number].type
      let sizes = [texts.count] + type.shape.sizes.dropFirst()
      shared["reference.\(number)"] = HostArray(
        TensorType(Shape(sizes), type.dtype), bytes: latents.flatMap { $0[number].bytes })
    }
    let longest = rows.map { max($0.text.length, $0.negative.length) }.max()!
    given = Self.arrays(rows.map(\.text), length: longest).merging(shared)
    unconditional = Self.arrays(rows.map(\.negative), length: longest).merging(shared)
  }

  /// The prompts of the first samples, and their reference images; samples with damaged pictures are
  /// left out.
  private static func first(
    _ samples: any PromptSamples, seesImages: Bool
  ) throws -> (texts: [String], images: [[RGBImage]]) {
    var (texts, images): ([String], [[RGBImage]]) = ([], [])
    for index in 0..<samples.count where texts.count < standard {
      if seesImages {
        guard let own = try samples.readable(index)?.references else { continue }
        images.append(own)
      }
      texts.append(try samples.prompts(index)[0])
    }
    return (texts, images)
  }

  /// The features of one prompt, `[1, tokens, width]`, padded.
  private struct Encoded {
    let type: TensorType
    let bytes: [UInt8]
    /// The number of tokens before the padding.
    let count: Int

    /// The number of tokens with the padding.
    var length: Int { type.shape[1] }
  }

  /// The features of prompts, padded to a common length, and the numbers of tokens.
  private static func arrays(_ rows: [Encoded], length: Int) -> Named<HostArray> {
    let type = rows[0].type
    let size = length * type.shape[2] * type.dtype.byteCount
    let bytes = rows.flatMap { row in
      row.bytes + [UInt8](repeating: 0, count: size - row.bytes.count)
    }
    return Named([
      (
        "text",
        HostArray(TensorType([rows.count, length, type.shape[2]], type.dtype), bytes: bytes)
      ),
      ("text_mask", HostArray(rows.map { Int32($0.count) }, shape: [rows.count])),
    ])
  }
}

extension PromptSamples {
  /// The images of a sample, nil where one is damaged.
  fileprivate func readable(_ index: Int) throws -> SampleImages? {
    do {
      return try images(index)
    } catch is PictureError {
      return nil
    }
  }
}

extension DataEncoder {
  /// What sample grids are made from. The weights of the encoders are loaded for it, and released.
  ///
  /// - Throws: the errors of encoding.
  func grid(on engine: Engine) throws -> GridSource {
    let prompts = try GridPrompts(recipe, samples, pipeline)
    let size = recipe.data.promptDataSet!.size
    return try GridSource(
      recipe, pipeline, ImageSize(height: size[0], width: size[1]), prompts, on: engine)
  }
}
