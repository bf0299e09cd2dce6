import Datasets
import Files
import Models
import Pictures
import Pipelines
import Runtime
import Tensors

/// The encoders of a published model, which prepare a data set of prompts once before training.
struct DataEncoder {
  /// What a step takes of each sample.
  let inputs: StepInputs
  /// The samples.
  let samples: any PromptSamples
  let recipe: TrainingRecipe
  let pipeline: ImagePipeline
  private let notice: (String) -> Void
  /// The most damaged pictures that are left out.
  private let maxDamaged: Int
  /// The number of prompts of all samples.
  private let textCount: Int

  /// Opens the data set and the encoders, and counts the tokens of all texts; no weights are read.
  ///
  /// - Parameter notice: called with sentences for the user.
  /// - Throws: `DatasetError`, `TrainingError`, `PipelineError` and the errors of files.
  init(
    _ recipe: TrainingRecipe, _ data: any PromptDataSet, on engine: Engine,
    notice: @escaping (String) -> Void
  ) throws {
    self.recipe = recipe
    self.notice = notice
    maxDamaged = data.maxDamaged
    samples = try data.samples(forBatch: recipe.batch)
    let folder = try recipe.encodersFolder()
    pipeline = try Self.open(folder, recipe, data, on: engine)
    var counter = TokenCounter(pipeline, try Self.grids(pipeline, data))
    var longest = try counter.count(pipeline.kind.unconditional)
    var texts = 0
    for number in 0..<samples.count {
      for prompt in try samples.prompts(number) {
        texts += 1
        let count = try counter.count(prompt)
        if let limit = data.textTokens, count > limit {
          throw TrainingError.longText(
            sample: samples.name(number), tokens: count, limit: limit)
        }
        longest = max(longest, count)
      }
    }
    textCount = texts
    if let example = counter.firstCut {
      notice("\(counter.cuts) prompts are too long for the model and are cut. \(example)")
    }
    let multiple = pipeline.options.textMultiple
    inputs = try StepInputs(
      recipe, reduction: pipeline.codec.reduction,
      textTokens: data.textTokens ?? (longest + multiple - 1) / multiple * multiple)
  }

  /// Opens the pipeline, with reference images in the sizes of training.
  private static func open(
    _ folder: ModelFolder, _ recipe: TrainingRecipe, _ data: any PromptDataSet, on engine: Engine
  ) throws -> ImagePipeline {
    func unfit(_ reason: String) -> TrainingError {
      .unfitEncoders(path: folder.path, reason: reason)
    }
    var kind = PipelineKind.all.first { $0.className == folder.className }
    if kind != nil, data.references > 0 {
      let size = data.referenceSize
      guard let use = kind?.references else {
        throw unfit(
          "\(folder.className) takes no reference images, and data.references is "
            + "\(data.references)")
      }
      guard size.allSatisfy({ $0 % 32 == 0 }) else {
        throw recipe.invalid(
          \.data, found: "reference_size: \(size)", "reference images have multiples of 32")
      }
      kind?.references?.latentArea = size[0] * size[1]
      guard use.counts.contains(data.references) else {
        throw PipelineError.wrongReferences(
          pipeline: folder.className, found: data.references, expected: use.counts)
      }
    } else if let counts = kind?.references?.counts {
      throw unfit(
        "\(folder.className) edits images: set data.references to "
          + (counts.count == 1 ? "1" : "\(counts.lowerBound) to \(counts.upperBound)")
          + ", and put them beside the pictures")
    }
    var options = ImagePipeline.Options()
    options.compute = recipe.precision
    let pipeline = try ImagePipeline(
      folder, kind: kind, network: recipe.model.architecture as? any PublishedTransformer,
      options, on: engine)
    let found = ModelConfig(pipeline.transformer.config).kind
    guard found == recipe.model.kind else {
      throw unfit("it is a \(found), and the network a \(recipe.model.kind)")
    }
    guard let text = recipe.model.text, text.shape[1] == pipeline.encoder.width else {
      throw unfit(
        "its text encoder makes \(pipeline.encoder.width) features, and the network takes "
          + "\(recipe.model.text?.shape[1] ?? 0)")
    }
    let (channels, own) = (pipeline.codec.channels, recipe.model.sampleShape()[2])
    guard channels == own else {
      throw unfit("its latents have \(channels) channels, and those of the network \(own)")
    }
    return pipeline
  }

  /// The sizes in patches of the reference images, which all samples share.
  private static func grids(
    _ pipeline: ImagePipeline, _ data: any PromptDataSet
  ) throws -> [TokenGrid] {
    guard data.references > 0 else { return [] }
    let (height, width) = (data.referenceSize[0], data.referenceSize[1])
    let blank = RGBImage(
      width: width, height: height, values: [UInt8](repeating: 0, count: width * height * 3))
    return try pipeline.references([RGBImage](repeating: blank, count: data.references)).grids
  }

  /// Encodes all samples. The weights of the encoders are loaded for it, and released.
  ///
  /// - Parameters:
  ///   - folder: where the scratch file is made.
  ///   - check: called before each sample is encoded; an error that it throws ends the encoding.
  /// - Throws: the errors of pictures, weights, files and the plugin.
  func encoded(
    in folder: String, checking check: @escaping (_ before: String) throws -> Void = { _ in }
  ) throws -> EncodedSet {
    let clock = ContinuousClock()
    let start = clock.now
    let file = try ScratchFile(in: folder)
    let count = samples.count
    notice(
      "Encoding \(count) samples with \(textCount) prompts by \(pipeline.folder.path), "
        + "to \(inputs.sample.shape) latents and \(textTokens) text tokens.")
    var report = EncodingReport(count: count, check, notice)
    let images = try encodedImages(into: file, &report)
    pipeline.codec.release()
    guard images.count >= recipe.batch else {
      throw DatasetError.tooFewSamples(
        path: samples.path, count: images.count, batch: recipe.batch)
    }
    var encoder = TextEncoding(pipeline, file)
    let samples = try images.map { images in
      try report.tell("prompts", images.index)
      var sample = images
      let references =
        images.references.isEmpty ? [] : try self.samples.images(images.index).references
      let all = [pipeline.kind.unconditional] + (try self.samples.prompts(images.index))
      let texts = try encoder.encoded(all, editing: references)
      (sample.unconditional, sample.texts) = (texts[0], Array(texts.dropFirst()))
      return sample
    }
    pipeline.encoder.vision?.component.release()
    pipeline.encoder.component.release()
    notice("Encoded the samples in \((clock.now - start).seconds.rounded()) s.")
    return EncodedSet(samples, content: self.samples.content, inputs, in: file)
  }

  private var textTokens: Int {
    inputs.conditioner.inputs.first { $0.name == "text" }!.shape[0]
  }

  /// The latents of all pictures and reference images, without damaged ones; texts are missing.
  private func encodedImages(
    into file: ScratchFile, _ report: inout EncodingReport
  ) throws -> [EncodedSet.Sample] {
    let empty = EncodedSet.Text(place: 0..<0, tokens: 0)
    var damaged = DamagedPictures(of: samples.path, limit: maxDamaged)
    func latents(_ image: RGBImage) throws -> Range<Int> {
      try file.append(try pipeline.latents(image).bytes())
    }
    return try (0..<samples.count).compactMap { number in
      try report.tell("pictures", number)
      let images: SampleImages
      do {
        images = try samples.images(number)
      } catch let error as PictureError {
        if let sentence = try damaged.add(error) { notice(sentence) }
        return nil
      }
      return EncodedSet.Sample(
        index: number, bucket: samples.bucket(number), latents: try images.picture.map(latents),
        references: try images.references.map(latents), texts: [], unconditional: empty)
    }
  }
}

/// Tells the user twice a minute how far the encoding is.
private struct EncodingReport {
  private let count: Int
  private let check: (String) throws -> Void
  private let notice: (String) -> Void
  private var last = ContinuousClock.now

  init(
    count: Int, _ check: @escaping (String) throws -> Void, _ notice: @escaping (String) -> Void
  ) {
    (self.count, self.check, self.notice) = (count, check, notice)
  }

  mutating func tell(_ what: String, _ number: Int) throws {
    try check("all samples were encoded")
    guard ContinuousClock.now - last > .seconds(30) else { return }
    last = .now
    notice("Encoded the \(what) of \(number) of \(count) samples.")
  }
}

/// Counts the tokens of texts.
private struct TokenCounter {
  private let pipeline: ImagePipeline
  private let grids: [TokenGrid]
  /// The number of texts that are cut.
  private(set) var cuts = 0
  /// What is said of the first of them.
  private(set) var firstCut: String?

  init(_ pipeline: ImagePipeline, _ grids: [TokenGrid]) {
    (self.pipeline, self.grids) = (pipeline, grids)
  }

  mutating func count(_ prompt: String) throws -> Int {
    var cut: String?
    let tokens = try pipeline.tokens([prompt], grids: grids) { cut = $0 }
    if let cut {
      cuts += 1
      firstCut = firstCut ?? cut
    }
    return tokens.counts[0] - pipeline.kind.template.dropped
  }
}

/// Encodes texts, each of those without images once.
private struct TextEncoding {
  private let pipeline: ImagePipeline
  private let file: ScratchFile
  private var known: [String: EncodedSet.Text] = [:]

  init(_ pipeline: ImagePipeline, _ file: ScratchFile) {
    (self.pipeline, self.file) = (pipeline, file)
  }

  /// The features of the prompts of a sample, without padding.
  mutating func encoded(
    _ prompts: [String], editing images: [RGBImage]
  ) throws -> [EncodedSet.Text] {
    guard !images.isEmpty else {
      return try prompts.map { prompt in
        if let text = known[prompt] { return text }
        let text = try encoded(prompt, .none, nil)
        known[prompt] = text
        return text
      }
    }
    let references = try pipeline.references(images)
    let embeddings = try pipeline.embeddings(references)
    return try prompts.map { try encoded($0, references, embeddings) }
  }

  private func encoded(
    _ prompt: String, _ references: ImagePipeline.References, _ embeddings: ShardedArray?
  ) throws -> EncodedSet.Text {
    let tokens = try pipeline.tokens([prompt], grids: references.grids)
    let features = try pipeline.features(tokens, images: embeddings)
    let (array, count) = (features.condition["text"]!, features.counts[0])
    let bytes = try array.bytes()
    let used = bytes.count / array.type.shape[1] * count
    return EncodedSet.Text(place: try file.append(bytes[..<used]), tokens: count)
  }
}
