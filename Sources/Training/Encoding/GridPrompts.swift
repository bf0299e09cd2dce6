import Datasets
import Models
import Pictures
import Pipelines
import Runtime
import Tensors

/// The prompts of sample grids, with the reference images beside them.
struct GridRows {
  /// The prompts.
  let texts: [String]
  /// The keys of the reference images of each prompt, and the images; empty without.
  let references: [(keys: [EncodingKey], images: [RGBImage])]

  /// The number of prompts that are taken from the data where the recipe names none.
  private static let standard = 4

  /// The prompts of a recipe, or the first ones of the data; samples with damaged pictures are left out.
  ///
  /// - Throws: the errors of data and pictures.
  ///
  /// - Parameter classes: the number of classes where prompts are classes, of which the first ones are
  ///   drawn; 0 for texts.
  init(
    _ recipe: TrainingRecipe, _ samples: any PromptSamples, seesImages: Bool, classes: Int
  ) throws {
    guard recipe.samplePrompts.isEmpty, classes == 0 else {
      let first = (0..<min(classes, GridSource.mostClasses)).map { "\($0)" }
      (texts, references) = (recipe.samplePrompts.isEmpty ? first : recipe.samplePrompts, [])
      return
    }
    var texts: [String] = []
    var references: [(keys: [EncodingKey], images: [RGBImage])] = []
    for index in 0..<samples.count where texts.count < Self.standard {
      if seesImages {
        guard let images = try samples.readable(index)?.references else { continue }
        let keys = try samples.identity(index).references.map { EncodingKey(picture: $0) }
        references.append((keys, images))
      }
      texts.append(try samples.prompts(index)[0])
    }
    (self.texts, self.references) = (texts, references)
  }
}

/// The prompts of sample grids as a network takes them.
struct GridPrompts {
  /// The prompts.
  let texts: [String]
  /// The first reference image of each prompt; empty without.
  let references: [Picture]
  /// The conditions, a row for each prompt.
  let given: Named<HostArray>
  /// The conditions that guidance leads away from.
  let unconditional: Named<HostArray>

  /// The keys of rows in a cache.
  struct Keys {
    /// The prompts.
    var texts: [EncodingKey] = []
    /// The prompts that guidance leads away from.
    var negatives: [EncodingKey] = []
  }

  /// Takes rows of classes.
  ///
  /// - Throws: `PipelineError` for a prompt that is no class.
  init(_ rows: GridRows, _ pipeline: ImagePipeline) throws {
    let negatives = rows.texts.map { _ in pipeline.kind.negative }
    (texts, references) = (rows.texts, [])
    given = try pipeline.tokens(rows.texts).arrays
    unconditional = try pipeline.tokens(negatives).arrays
  }

  /// Reads what was encoded of rows.
  ///
  /// - Parameters:
  ///   - length: the number of tokens that the texts are padded to.
  init(
    _ rows: GridRows, _ keys: Keys, length: Int, in cache: EncodingCache, _ set: EncodedSet,
    _ inputs: StepInputs
  ) {
    texts = rows.texts
    references = rows.references.compactMap { $0.images.first?.picture }
    var shared = Named<HostArray>()
    for number in 0..<(rows.references.first?.keys.count ?? 0) {
      let name = "reference.\(number)"
      let spec = inputs.conditioner.inputs.first { $0.name == name }!
      shared[name] = set.latents(
        rows.references.map { cache.pictures.place(of: $0.keys[number]) }, spec)
    }
    let text = inputs.conditioner.inputs.first { $0.name == "text" }!
    let spec = InputSpec("text", [length, text.shape[1]], text.dtype)
    func conditions(_ keys: [EncodingKey]) -> Named<HostArray> {
      set.features(keys.map(cache.texts.place), spec).merging(shared)
    }
    (given, unconditional) = (conditions(keys.texts), conditions(keys.negatives))
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
