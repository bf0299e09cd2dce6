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
  /// The class of each sample; empty for data with texts.
  private let labels: [Int32]
  /// The sizes in patches of the reference images, which all samples share.
  private let grids: [TokenGrid]
  private let engine: Engine

  /// Opens the data set and the encoders, and counts the tokens of all texts or reads all classes; no weights are read.
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
    grids = try Self.grids(pipeline, data)
    self.engine = engine
    if let classes = pipeline.classes {
      labels = try (0..<samples.count).map { [samples] in
        try Self.label(of: $0, in: samples, classes)
      }
      inputs = try StepInputs(recipe, reduction: pipeline.codec.reduction)
      textCount = 0
      return
    }
    labels = []
    var counter = TokenCounter(pipeline, grids)
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
    let multiple = pipeline.textMultiple
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
    let width = recipe.model.text?.shape[1] ?? 0
    guard width == pipeline.encoder.width else {
      throw unfit(
        "its text encoder makes \(pipeline.encoder.width) features, and the network takes \(width)")
    }
    let pooled = recipe.model.pooledText?.shape[0] ?? 0
    guard pooled == pipeline.encoder.pooledWidth else {
      throw unfit(
        "its text encoders make \(pipeline.encoder.pooledWidth) features of the whole text, and the "
          + "network takes \(pooled)")
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

  /// Encodes the samples that are not in the cache. The weights of the encoders are loaded for it, and
  /// released.
  ///
  /// - Parameters:
  ///   - folder: the folder of the run, in which the cache is where the recipe names no other.
  ///   - check: called before each sample is encoded; an error that it throws ends the encoding. What was
  ///     encoded until then is in the cache.
  /// - Throws: the errors of pictures, weights, files and the plugin.
  func encoded(
    in folder: String, checking check: @escaping (_ before: String) throws -> Void = { _ in }
  ) throws -> EncodedData {
    let clock = ContinuousClock()
    let start = clock.now
    let path = recipe.encodingCache(in: folder)
    let isText = pipeline.classes == nil
    notice(
      "\(samples.count) samples \(isText ? "with \(textCount) prompts " : "")are encoded by "
        + "\(pipeline.folder.path), to \(inputs.sample.shape) latents"
        + "\(isText ? " and \(textTokens) text tokens" : ""); the cache is \(path).")
    var progress = EncodingProgress(count: samples.count, check, notice)
    let cache = try EncodingCache(
      path, of: pipeline, group: engine.group, masks: hasMasks,
      checking: { try progress.check() }, notice: notice)
    let rows = try gridRows()
    var kept: [Int] = []
    var keys = EncodedSet.Keys()
    var gridKeys = GridPrompts.Keys()
    do {
      kept = try encodePictures(&keys, cache, &progress)
      pipeline.codec.release()
      try cache.pictures.write()
      guard kept.count >= recipe.batch else {
        throw DatasetError.tooFewSamples(
          path: samples.path, count: kept.count, batch: recipe.batch)
      }
      if pipeline.classes == nil {
        gridKeys = try encodeTexts(of: kept, rows, &keys, cache, &progress)
      }
      releaseTextEncoder()
      try cache.finish()
    } catch {
      pipeline.codec.release()
      releaseTextEncoder()
      cache.save()
      throw error
    }
    let (pictures, texts) = (cache.pictures, cache.texts)
    notice(
      "Encoded \(pictures.made) pictures and \(texts.made) texts in "
        + "\((clock.now - start).seconds.rounded()) s; \(keys.pictureCount - pictures.made) and "
        + "\(keys.textCount(gridKeys) - texts.made) were in the cache, which has "
        + "\(pictures.count) and \(texts.count) of these encoders, "
        + "\((pictures.byteCount + texts.byteCount).bytesText).")
    let set = EncodedSet(
      keys, labels: labels.isEmpty ? [] : kept.map { labels[$0] }, in: cache,
      content: samples.content,
      unmasked: recipe.encodedData?.unmaskedWeight ?? 1, inputs)
    let grid = try rows.map { rows in
      if pipeline.classes != nil { return try GridPrompts(rows, pipeline) }
      let tokens = try pipeline.tokens(rows.texts + [pipeline.kind.negative], grids: grids)
      return GridPrompts(rows, gridKeys, length: tokens.keptLength, in: cache, set, inputs)
    }
    return EncodedData(
      set: set, grid: grid, made: (pictures: pictures.made, texts: texts.made))
  }

  /// What is encoded, and what was made for it.
  struct EncodedData {
    /// The samples.
    let set: EncodedSet
    /// The prompts of sample grids; nil where none are drawn.
    let grid: GridPrompts?
    /// The pictures and texts that were not in the cache.
    let made: (pictures: Int, texts: Int)
  }

  /// The number of tokens that texts are padded to.
  private var textTokens: Int {
    inputs.conditioner.inputs.first { $0.name == "text" }!.shape[0]
  }

  /// The rows of the run's sample grids, nil where it draws none.
  func gridRows() throws -> GridRows? {
    guard recipe.sampleEvery > 0, engine.group == nil else { return nil }
    return try GridRows(
      recipe, samples, seesImages: pipeline.kind.references != nil,
      classes: pipeline.classes == nil ? 0 : recipe.model.classes)
  }

  /// The number of tokens of a prompt.
  func tokenCount(_ prompt: String) throws -> Int {
    var counter = TokenCounter(pipeline, grids)
    return try counter.count(prompt)
  }

  /// What sample grids are made from.
  ///
  /// - Throws: the plugin's errors.
  func gridSource(_ prompts: GridPrompts, on engine: Engine) throws -> GridSource {
    let size = recipe.encodedData!.size
    return try GridSource(
      recipe, pipeline, ImageSize(height: size[0], width: size[1]), prompts, on: engine)
  }

  private func releaseTextEncoder() {
    pipeline.encoder.vision?.component.release()
    pipeline.encoder.component.release()
    // A step allocates in other sizes.
    engine.client.giveBackFreedMemory()
  }

  /// Encodes all pictures and reference images, and notes their keys.
  ///
  /// - Returns: the numbers of the samples without damaged pictures.
  private func encodePictures(
    _ keys: inout EncodedSet.Keys, _ cache: EncodingCache, _ progress: inout EncodingProgress
  ) throws -> [Int] {
    var kept: [Int] = []
    var damaged = DamagedPictures(of: samples.path, limit: maxDamaged)
    var encoding = PictureEncoding(pipeline, cache.pictures)
    for number in 0..<samples.count {
      try progress.tell("pictures", number)
      let identity = try samples.identity(number)
      let picture = identity.picture.map { EncodingKey(picture: $0) }
      let references = identity.references.map { EncodingKey(picture: $0) }
      let mask = identity.mask.map { EncodingKey(picture: $0) }
      let isKnown = ([picture].compactMap(\.self) + references).allSatisfy(cache.pictures.contains)
      if !isKnown || mask.map({ cache.masks!.contains($0) }) == false {
        do {
          let images = try samples.images(number)
          if let picture, let image = images.picture { try encoding.add(image, as: picture) }
          for (key, image) in zip(references, images.references) {
            try encoding.add(image, as: key)
          }
          if let mask, let image = images.mask { try add(image, as: mask, to: cache.masks!) }
        } catch let error as PictureError {
          if let sentence = try damaged.add(error) { notice(sentence) }
          continue
        }
      }
      kept.append(number)
      keys.buckets.append(UInt8(samples.bucket(number)))
      if let picture { keys.pictures.append(picture) }
      keys.references += references
      if hasMasks { keys.masks.append(mask) }
    }
    try encoding.finish()
    return kept
  }

  private var hasMasks: Bool { recipe.encodedData?.masks ?? false }

  private func add(_ mask: RGBImage, as key: EncodingKey, to store: EncodedStore) throws {
    guard store.announce(key) else { return }
    let reduction = pipeline.codec.reduction
    let values = LatentMask.values(mask, reduction: reduction)
    try store.add(
      key, values.withUnsafeBytes { Array($0) },
      row: TensorType([mask.height / reduction, mask.width / reduction, 1], .float32))
  }

  /// The class of a sample.
  private static func label(
    of number: Int, in samples: any PromptSamples, _ classes: ClassNames
  ) throws -> Int32 {
    let prompts = try samples.prompts(number)
    do {
      guard prompts.count == 1 else {
        throw PipelineError.unknownClass(
          prompts.joined(separator: ", "), classes: classes.count, source: nil)
      }
      return try classes.label(prompts[0])
    } catch PipelineError.unknownClass(let found, let count, _) {
      throw PipelineError.unknownClass(found, classes: count, source: samples.name(number))
    }
  }

  /// Encodes the texts of samples and of sample grids, and notes their keys.
  private func encodeTexts(
    of kept: [Int], _ rows: GridRows?, _ keys: inout EncodedSet.Keys, _ cache: EncodingCache,
    _ progress: inout EncodingProgress
  ) throws -> GridPrompts.Keys {
    var encoding = TextFeatureEncoding(pipeline, cache.texts)
    let count = kept.isEmpty ? 0 : keys.references.count / kept.count
    for (row, number) in kept.enumerated() {
      try progress.tell("prompts", number)
      let found = try encoding.add(
        [pipeline.kind.unconditional] + samples.prompts(number),
        references: Array(keys.references[row * count..<(row + 1) * count])
      ) { try samples.images(number).references }
      keys.unconditional.append(found[0])
      keys.texts += found.dropFirst()
      keys.textEnds.append(keys.texts.count)
    }
    var grid = GridPrompts.Keys()
    for (number, text) in (rows?.texts ?? []).enumerated() {
      let seen = rows!.references.isEmpty ? (keys: [], images: []) : rows!.references[number]
      let found = try encoding.add([text, pipeline.kind.negative], references: seen.keys) {
        seen.images
      }
      grid.texts.append(found[0])
      grid.negatives.append(found[1])
    }
    try encoding.finish()
    return grid
  }
}

extension EncodedSet.Keys {
  /// The number of different pictures.
  fileprivate var pictureCount: Int { Set(pictures).union(references).count }

  /// The number of different texts.
  fileprivate func textCount(_ grid: GridPrompts.Keys) -> Int {
    Set(texts).union(unconditional).union(grid.texts).union(grid.negatives).count
  }
}
